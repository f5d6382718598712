"""What a sound is like, in a few numbers: level, centroid, voicing, fundamental, onsets, chroma."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from .errors import InputError

FRAME_S, HOP_S = 0.046, 0.0115
LOWEST_HZ, HIGHEST_HZ = 60.0, 1_000.0  # fundamentals that voicing looks for
CENTROID_LOWEST_HZ = 50.0
VOICED_ABOVE = 0.85  # of an autocorrelation re its own zero lag
QUIETEST_DBFS = -60.0  # quieter frames are not listened to
SILENT_DBFS = -120.0  # the level of silence
CHROMA_FRAME_S, CHROMA_LATER_S = 0.186, 0.25
_FLUX_WINDOW = 2048  # samples

UNITS: Mapping[str, str] = {
    "level": "dB re full scale (RMS)",
    "centroid": "Hz",
    "voiced_share": "1",
    "f0": "Hz",
    "onset_rate": "1/s",
    "chroma_persistence": "1",
}


def describe(sounds: np.ndarray, sample_rate: int) -> dict[str, np.ndarray]:
    """Return all descriptors of sounds.

    Parameters
    ----------
    sounds : float [B, T]
        At least a tenth of a second long.
    sample_rate : int > 0

    Returns
    -------
    described : dict of str to float64 [B]
        By the names in `UNITS`; see the functions of this module. NaN where a sound has no such thing.

    Raises
    ------
    InputError
        If the sounds are not [B, T], too short, or hold NaN or Inf.

    Examples
    --------
    >>> tone = np.sin(2 * np.pi * 440 * np.arange(24_000) / 24_000)
    >>> found = describe(tone[None], 24_000)
    >>> {name: round(float(found[name][0]), 1) for name in ("level", "centroid", "voiced_share", "f0")}
    {'level': -3.0, 'centroid': 439.8, 'voiced_share': 1.0, 'f0': 440.0}
    """
    sounds = np.asarray(sounds, np.float64)
    if sounds.ndim != 2 or 0 in sounds.shape or sounds.shape[1] < 0.1 * sample_rate:
        raise InputError(f"sounds of shape {sounds.shape}: must be [B, T], at least a tenth of a second")
    if not np.isfinite(sounds).all():
        raise InputError("sounds: hold NaN or Inf; every sample must be a finite number")
    voiced_share, f0_hz = voicing(sounds, sample_rate)
    return {
        "level": level_dbfs(sounds),
        "centroid": centroid_hz(sounds, sample_rate),
        "voiced_share": voiced_share,
        "f0": f0_hz,
        "onset_rate": onset_rate(sounds, sample_rate),
        "chroma_persistence": chroma_persistence(sounds, sample_rate),
    }


def level_dbfs(sounds: np.ndarray) -> np.ndarray:
    """Return the RMS of sounds [..., T] in dB re full scale, float64 [...]; at least `SILENT_DBFS`.

    Examples
    --------
    >>> level_dbfs(np.array([[1.0, -1.0], [0.0, 0.0]])).tolist()
    [0.0, -120.0]
    """
    power = np.mean(np.square(sounds, dtype=np.float64), axis=-1)
    return 10 * np.log10(np.maximum(power, 10 ** (SILENT_DBFS / 10)))


def centroid_hz(sounds: np.ndarray, sample_rate: int) -> np.ndarray:
    """Return where the power of sounds [B, T] lies: its mean on a scale of log frequency, from 50 Hz on.

    NaN for silence.

    Examples
    --------
    >>> time_s = np.arange(8_000) / 8_000
    >>> two = np.sin(2 * np.pi * 500 * time_s) + np.sin(2 * np.pi * 2_000 * time_s)
    >>> round(float(centroid_hz(two[None], 8_000)[0]), -1)
    1000.0
    """
    frames = _frames(sounds, sample_rate, FRAME_S, HOP_S)  # [B, F, N]
    power = np.square(np.abs(np.fft.rfft(frames * np.hanning(frames.shape[-1])))).sum(1)  # [B, bins]
    frequency_hz = np.fft.rfftfreq(frames.shape[-1], 1 / sample_rate)
    used = frequency_hz >= CENTROID_LOWEST_HZ
    total = power[:, used].sum(1)
    with np.errstate(invalid="ignore", divide="ignore"):
        centre = np.exp(power[:, used] @ np.log(frequency_hz[used]) / total)
    return np.where(level_dbfs(sounds) > SILENT_DBFS, centre, np.nan)


def voicing(sounds: np.ndarray, sample_rate: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the share of frames with a period, and the median of their fundamentals.

    A frame has one where its autocorrelation, re the energies of the two stretches that are compared, comes
    above `VOICED_ABOVE` at a lag of 1 to 16.7 ms. The shortest lag that comes within 0.05 of the best counts,
    so that a period is not taken for two.

    Parameters
    ----------
    sounds : float [B, T]
    sample_rate : int > 0

    Returns
    -------
    share : float64 [B]
        Quiet frames count as having none.
    f0_hz : float64 [B]
        NaN where no frame has one.
    """
    frames = _frames(sounds, sample_rate, FRAME_S, HOP_S)
    length = frames.shape[-1]
    lags = np.arange(int(sample_rate / HIGHEST_HZ), min(int(sample_rate / LOWEST_HZ) + 1, length // 2) + 1)
    share, f0_hz = np.zeros(len(sounds)), np.full(len(sounds), np.nan)
    for row, own in enumerate(frames):
        loud = level_dbfs(own) > QUIETEST_DBFS
        if not loud.any():
            continue
        heard = own[loud] - own[loud].mean(axis=1, keepdims=True)
        spectrum = np.fft.rfft(heard, 2 * length)
        products = np.fft.irfft(np.square(np.abs(spectrum)))[:, lags]
        energy = np.cumsum(np.square(heard), axis=1)
        first = energy[:, length - 1 - lags]
        second = energy[:, -1:] - energy[:, lags - 1]
        correlation = products / np.sqrt(np.maximum(first * second, 1e-30))
        periodic, best_hz = _periods(correlation, lags, sample_rate)
        share[row] = periodic.sum() / len(own)
        if periodic.any():
            f0_hz[row] = np.median(best_hz[periodic])
    return share, f0_hz


def _periods(correlation: np.ndarray, lags: np.ndarray, sample_rate: int) -> tuple[np.ndarray, np.ndarray]:
    """Return which frames of correlations [F, lags] have a period, and the frequency of it."""
    inner = correlation[:, 1:-1]
    is_peak = (inner >= correlation[:, :-2]) & (inner > correlation[:, 2:]) & (inner > VOICED_ABOVE)
    best = np.where(is_peak, inner, -np.inf).max(axis=1)
    near = is_peak & (inner >= best[:, None] - 0.05)
    chosen = near.argmax(axis=1) + 1
    rows = np.arange(len(correlation))
    left, middle, right = (correlation[rows, chosen + step] for step in (-1, 0, 1))
    curvature = left - 2 * middle + right
    shift = np.where(curvature < 0, 0.5 * (left - right) / np.where(curvature < 0, curvature, -1.0), 0.0)
    return np.asarray(is_peak.any(axis=1)), sample_rate / (lags[chosen] + shift)


def onset_rate(sounds: np.ndarray, sample_rate: int) -> np.ndarray:
    """Return how many onsets a second sounds [B, T] have, float64 [B].

    Source: peaks of spectral flux (Böck and Widmer, DAFx 2013), by librosa with its own thresholds. A sound
    that sounds from its first sample on begins there; that it breaks off at its last is no onset.
    """
    from librosa.onset import onset_detect, onset_strength

    hop = round(HOP_S * sample_rate)
    lead = 4 * hop
    last = (
        lead + sounds.shape[1] - _FLUX_WINDOW // 2
    ) // hop - 1  # the first frame that reaches beyond the end
    rates = np.zeros(len(sounds))
    for row, sound in enumerate(sounds):
        if level_dbfs(sound) <= QUIETEST_DBFS:
            continue
        padded = np.concatenate([np.zeros(lead), sound])
        flux = onset_strength(y=padded, sr=sample_rate, hop_length=hop, n_fft=_FLUX_WINDOW)
        found = onset_detect(onset_envelope=flux[: last + 1], sr=sample_rate, hop_length=hop)
        rates[row] = len(found)
    return rates / (sounds.shape[1] / sample_rate)


def chroma_persistence(sounds: np.ndarray, sample_rate: int) -> np.ndarray:
    """Return how alike the chroma of sounds [B, T] is to that of a quarter of a second later, float64 [B].

    Pearson's correlation over the twelve pitch classes, averaged over frames that are not quiet: 1 for a
    held tone, about 0 for noise, whose chroma is flat. NaN for silence, and for sounds that are too short.
    """
    length = round(CHROMA_FRAME_S * sample_rate)
    hop = length // 4
    later = max(1, round(CHROMA_LATER_S * sample_rate / hop))
    if sounds.shape[1] < length + later * hop:
        return np.full(len(sounds), np.nan)
    frames = _frames(sounds, sample_rate, CHROMA_FRAME_S, CHROMA_FRAME_S / 4)
    power = np.square(np.abs(np.fft.rfft(frames * np.hanning(frames.shape[-1]))))  # [B, F, bins]
    chroma = power @ _pitch_classes(frames.shape[-1], sample_rate)  # [B, F, 12]
    chroma = chroma - chroma.mean(-1, keepdims=True)
    size = np.linalg.norm(chroma, axis=-1)
    products = (chroma[:, :-later] * chroma[:, later:]).sum(-1)
    similarity = products / np.maximum(size[:, :-later] * size[:, later:], 1e-30)
    loud = level_dbfs(frames) > QUIETEST_DBFS
    counted = loud[:, :-later] & loud[:, later:]
    sums, counts = (similarity * counted).sum(1), counted.sum(1)
    return np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)


def _pitch_classes(length: int, sample_rate: int) -> np.ndarray:
    """Return which pitch class each bin of a frame belongs to, float64 [bins, 12]; 100 Hz to 2 kHz.

    Columns sum to 1: classes that have more bins do not have more power of noise.
    """
    frequency_hz = np.fft.rfftfreq(length, 1 / sample_rate)
    used = (frequency_hz >= 100.0) & (frequency_hz <= 2_000.0)
    midi = 69 + 12 * np.log2(np.where(used, frequency_hz, 440.0) / 440.0)
    belongs = (used[:, None] & (np.round(midi)[:, None] % 12 == np.arange(12))).astype(np.float64)
    return belongs / np.maximum(belongs.sum(0), 1)


def _frames(sounds: np.ndarray, sample_rate: int, frame_s: float, hop_s: float) -> np.ndarray:
    """Return overlapping frames [B, F, N]; a sound shorter than one is padded with silence."""
    length, hop = round(frame_s * sample_rate), max(1, round(hop_s * sample_rate))
    if sounds.shape[-1] < length:
        sounds = np.pad(sounds, [(0, 0), (0, length - sounds.shape[-1])])
    return np.lib.stride_tricks.sliding_window_view(sounds, length, axis=-1)[:, ::hop]
