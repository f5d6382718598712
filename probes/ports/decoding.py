"""What decoders make of one latent, and codecs of a tone that goes through them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ...encoders.abilities import Decodes, scale_of
from ...encoders.base import Encoder
from .differences import Difference, worst_sound
from .explanations import EXPLAINED_DB, LEAST_DELAY, LONGEST_S, ROUNDED_DB
from .findings import Finding
from .playing import Pair
from .precision import precision_of
from .sounds import TONES
from .transfer import Alignment, Transfer, components, transfer

INNER = (0.3, 0.9)  # of the sound: what lies between is no onset


def decoded_stage(encoder: Encoder) -> str | None:
    """Return the stage that an encoder's decoder is given: what is quantized, or else the latent."""
    if not isinstance(encoder, Decodes):
        return None
    return next((stage for stage in ("quantized", "latent") if stage in encoder.stages), None)


@dataclass(frozen=True)
class Decoding:
    """What two decoders make of latents.

    Parameters
    ----------
    difference : Difference or None
        Of what both make of the first's; None where not both can decode it.
    finding : Finding or None
        What explains it, where they differ.
    trips : (Transfer or None, Transfer or None)
        What becomes of tones that each encodes and decodes.
    """

    difference: Difference | None
    finding: Finding | None
    trips: tuple[Transfer | None, Transfer | None]


def decoding(pair: Pair, latents: tuple[Tensor | None, Tensor | None], tolerance_db: float) -> Decoding:
    """Decode what two encoders gave.

    Parameters
    ----------
    pair : Pair
    latents : (float32 [S, D, F] or None, ...)
        At the stage of `decoded_stage` of each; None of one that does not decode.
    tolerance_db : float
    """
    own, theirs = latents
    both = _of_both(pair, own.nan_to_num()) if own is not None and _fits(pair) else None
    trips = (
        None if own is None else _round_trip(pair, pair.first, own),
        None if theirs is None else _round_trip(pair, pair.second, theirs),
    )
    if both is None:
        return Decoding(None, None, trips)
    one, dtypes, sounds = both
    if one.not_finite:
        which, sound = one.not_finite[0]
        return Decoding(one, Finding("not finite", one.stage, sound, values={"which": which}), trips)
    if one.db.max() <= tolerance_db and one.frames[0] == one.frames[1]:
        return Decoding(one, None, trips)
    return Decoding(one, _explained(pair, one, dtypes, sounds, tolerance_db), trips)


def _fits(pair: Pair) -> bool:
    """Whether the second's decoder may take what the first's takes."""
    stage = decoded_stage(pair.first)
    if stage is None or stage not in pair.stages or not isinstance(pair.second, Decodes):
        return False
    theirs = pair.second.stages[pair.stages[stage]]
    return theirs.channels == pair.first.stages[stage].channels


def _of_both(pair: Pair, latents: Tensor) -> tuple[Difference, tuple[str, str], tuple[Tensor, Tensor]]:
    """Let both decode the first's latents; also return in which precision they do, and the sounds."""
    sounds = len(pair.sounds)
    apart, reference = np.zeros(sounds), np.zeros(sounds)
    tones: tuple[list[complex], list[complex]] = ([], [])
    lengths, dtypes, found = (0, 0), ("", ""), []
    for rows in pair.batches():
        scale = scale_of(pair.first, pair.waveforms(rows))
        first, second = (_decoded(one, latents[rows], scale) for one in (pair.first, pair.second))
        lengths, dtypes = (first.shape[1], second.shape[1]), (precision_of(first), precision_of(second))
        samples = min(lengths)
        first, second = first[:, :samples], second[:, :samples]
        found.append((first, second))
        apart[rows] = (second - first).square().mean(dim=1).numpy()
        reference[rows] = first.square().mean(dim=1).numpy()
        for row in range(rows.start, min(rows.stop, TONES)):
            for part, signals in zip(tones, (first, second), strict=True):
                part.append(_amplitude(pair, row, signals[row - rows.start]))
    one = Difference("decode", lengths, apart, reference, apart, np.zeros(sounds), np.zeros(sounds))
    one.transfer = _transfer(pair, *tones)
    first, second = (torch.cat(parts) for parts in zip(*found, strict=True))
    for which, sound in (("first", first), ("second", second)):
        bad = ~sound.isfinite().all(dim=1).numpy()
        one.not_finite += [(which, str(pair.sounds.coordinates["sound"][i])) for i in np.flatnonzero(bad)]
    return one, dtypes, (first, second)


def _transfer(pair: Pair, first: list[complex], second: list[complex]) -> Transfer:
    frequency_hz = pair.sounds.columns["frequency_hz"][pair.sounds.first[: len(first)]]
    return transfer(frequency_hz, np.array(first)[:, None], np.array(second)[:, None], pair.sample_rate)


def _explained(
    pair: Pair,
    one: Difference,
    dtypes: tuple[str, str],
    sounds: tuple[Tensor, Tensor],
    tolerance_db: float,
) -> Finding:
    worst = worst_sound(pair, one, tolerance_db)
    sound = str(pair.sounds.coordinates["sound"][worst])
    about: dict[str, Any] = {"stage": "decode", "sound": sound, "db": float(one.db[worst])}
    if dtypes[0] != dtypes[1] and float(np.median(one.db)) <= ROUNDED_DB:
        which, dtype = ("first", dtypes[0]) if dtypes[0] else ("second", dtypes[1])
        return Finding("precision", **about, values={"dtype": dtype, "which": which})
    if one.frames[0] != one.frames[1] and one.db.max() < EXPLAINED_DB:
        return Finding("frames", **about, values={"first": one.frames[0], "second": one.frames[1]})
    assert one.transfer is not None
    found = one.transfer.alignment(LONGEST_S * pair.sample_rate)
    if not np.isfinite(found.delay):
        return Finding("unexplained", **about)
    left_db = _unlike(*sounds, found)
    if left_db > _unlike(*sounds, Alignment(0.0, 1, 0.0, 0.0)) + EXPLAINED_DB:
        return Finding("unexplained", **about)
    delay = found.delay if abs(found.delay) > LEAST_DELAY else 0.0
    kind = "delay" if delay else "polarity" if found.polarity < 0 else "gain"
    values = {"delay": delay, "polarity": float(found.polarity), "gain_db": found.gain_db}
    return Finding(kind, **about, left_db=left_db, values=values)


def _unlike(first: Tensor, second: Tensor, fitted: Alignment) -> float:
    """Return in dB what a delay, polarity and gain leave, in the middle of all sounds [S, T]."""
    samples = first.shape[1]
    turns = torch.fft.rfftfreq(2 * samples, dtype=torch.float64)
    shift = fitted.polarity * 10 ** (fitted.gain_db / 20) * torch.exp(-2j * torch.pi * turns * fitted.delay)
    expected = torch.fft.irfft(torch.fft.rfft(first.double(), 2 * samples) * shift, 2 * samples)
    inner = slice(int(INNER[0] * samples), int(INNER[1] * samples))
    apart = (second.double()[:, inner] - expected[:, inner]).square().sum()
    return float(10 * torch.log10(apart / expected[:, inner].square().sum().clamp(min=1e-30) + 1e-30))


def _round_trip(pair: Pair, encoder: Encoder, latents: Tensor) -> Transfer:
    """Return what becomes of tones that a codec encodes and decodes."""
    came, went = [], []
    for rows in pair.batches(TONES):
        waveforms = pair.waveforms(rows)
        sound = _decoded(encoder, latents[rows], scale_of(encoder, waveforms))
        samples = min(sound.shape[1], waveforms.shape[1])
        for row in range(rows.start, rows.stop):
            went.append(_amplitude(pair, row, waveforms[row - rows.start, :samples]))
            came.append(_amplitude(pair, row, sound[row - rows.start, :samples]))
    return _transfer(pair, went, came)


def _decoded(encoder: Any, latent: Tensor, scale: Tensor | None) -> Tensor:
    with torch.inference_mode():
        found = encoder.decode(latent) if scale is None else encoder.decode(latent, scale)
    return found.cpu().float()


def _amplitude(pair: Pair, row: int, signal: Tensor) -> complex:
    samples = len(signal)
    inner = signal[int(INNER[0] * samples) : int(INNER[1] * samples)]
    turns = float(pair.sounds.columns["frequency_hz"][pair.sounds.first[row]]) / pair.sample_rate
    return complex(components(inner.numpy(), turns, tapered=True))
