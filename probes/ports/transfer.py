"""How one signal follows from another at single tones: gain, polarity, and delay by phase over frequency."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

STEP = 0.2  # samples between the delays that are tried first: a sixth of a cycle at the highest tone
LEAST_POWER = 1e-6  # of the strongest tone's


@dataclass(frozen=True)
class Transfer:
    """What turns tones of one signal into those of another.

    Parameters
    ----------
    frequency_hz : float64 [K]
    response : complex128 [K]
        Second over first; their phases are as at the input of both.
    coherence : float64 [K]
        How far the second is one multiple of the first in all channels, 0 to 1.
    power : float64 [K]
        Of the first.
    sample_rate : int
    """

    frequency_hz: np.ndarray
    response: np.ndarray
    coherence: np.ndarray
    power: np.ndarray
    sample_rate: int

    @property
    def gain_db(self) -> np.ndarray:
        """Level of the second less that of the first, tone by tone; NaN where the first is silent."""
        with np.errstate(divide="ignore"):
            gain = 20 * np.log10(np.abs(self.response))
        return np.where(self.is_there, gain, np.nan)

    @property
    def is_there(self) -> np.ndarray:
        """Which tones the first answers at all, bool [K]."""
        return self.power > LEAST_POWER * max(self.power.max(initial=0.0), 1e-300)

    def alignment(self, longest: float) -> Alignment:
        """Return delay, polarity and gain that fit best; `longest` is the largest delay tried, in samples."""
        there = self.is_there & (np.abs(self.response) > 0)
        if not there.any():
            return Alignment(np.nan, 1, np.nan, np.nan)
        turn = 2 * np.pi * self.frequency_hz[there] / self.sample_rate  # rad a sample
        weight = self.coherence[there] ** 2
        unit = self.response[there] / np.abs(self.response[there])
        delays = np.arange(-np.ceil(longest / STEP), np.ceil(longest / STEP) + 1) * STEP
        sums = np.concatenate(
            [np.exp(1j * part[:, None] * turn) @ (weight * unit) for part in np.array_split(delays, 16)]
        )
        best = int(np.abs(sums.real).argmax())
        delay, polarity = float(delays[best]), 1 if sums[best].real >= 0 else -1
        for _ in range(4):  # what phase is left, by least squares through 0
            left = np.angle(polarity * unit * np.exp(1j * turn * delay))
            delay -= float((weight * turn * left).sum() / (weight * turn**2).sum())
        left = np.angle(polarity * unit * np.exp(1j * turn * delay))
        gain = np.average(20 * np.log10(np.abs(self.response[there])), weights=weight)
        spread = np.sqrt(np.average(left**2, weights=weight))
        return Alignment(delay, polarity, float(gain), float(np.degrees(spread)))


@dataclass(frozen=True)
class Alignment:
    """One delay, polarity and gain for all tones.

    Parameters
    ----------
    delay : float
        Samples by which the second comes later; negative where it comes earlier.
    polarity : {1, -1}
    gain_db : float
        Mean over tones.
    phase_left_deg : float
        RMS of what phase the delay leaves: large where no one delay fits all frequencies.
    """

    delay: float
    polarity: int
    gain_db: float
    phase_left_deg: float


def components(signals: np.ndarray, turns: float, tapered: bool = False) -> np.ndarray:
    """Return the complex amplitude of a tone in signals, by least squares.

    Parameters
    ----------
    signals : float [..., F]
    turns : float
        Cycles of the tone from one sample of the signals to the next; beyond a half it folds, and its phase
        is that of the tone all the same.
    tapered : bool
        Weighted by a Hann window, for signals that are not steady: where one is another that comes later, so
        is its amplitude. It needs some cycles of the tone, and of what the tone folds to.

    Returns
    -------
    amplitudes : complex128 [...]
        ``signal[t] = constant + Re(amplitude * exp(2 pi j turns t))``.

    Examples
    --------
    >>> t = np.arange(50)
    >>> found = components(3 + 2 * np.cos(2 * np.pi * 0.8 * t + 1.0), 0.8)
    >>> round(float(abs(found)), 9), round(float(np.angle(found)), 9)
    (2.0, 1.0)
    """
    angle = 2 * np.pi * turns * np.arange(signals.shape[-1])
    basis = np.stack([np.ones_like(angle), np.cos(angle), np.sin(angle)], axis=1)  # [F, 3]
    weight = np.hanning(len(angle) + 2)[1:-1] if tapered else np.ones(len(angle))
    found = (signals.astype(np.float64) * weight) @ np.linalg.pinv(basis * weight[:, None]).T  # [..., 3]
    return found[..., 1] - 1j * found[..., 2]


def transfer(frequency_hz: np.ndarray, first: np.ndarray, second: np.ndarray, sample_rate: int) -> Transfer:
    """Return the transfer between complex amplitudes [K, C] of K tones in C channels.

    Notes
    -----
    The response is the least-squares multiple over channels (H1 of the two-channel measurement of Bendat &
    Piersol, Random Data, ch. 6), channels taking the place of averages.
    """
    cross = (first.conj() * second).sum(axis=1)
    own, other = (np.abs(one) ** 2 for one in (first, second))
    own, other = own.sum(axis=1), other.sum(axis=1)
    coherence = np.abs(cross) / np.sqrt(np.maximum(own * other, 1e-300))
    return Transfer(frequency_hz, cross / np.maximum(own, 1e-300), coherence, own, sample_rate)
