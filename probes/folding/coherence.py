"""Coherent tones: whole cycles in the window of every stage, so that each output frequency is one bin."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import count

import numpy as np

from ...encoders.base import Encoder
from ...synth.errors import InputError
from ...synth.partials import Snap, amplitude_of, partials_at
from ...synth.stimuli import Partial, Stimulus, StimulusSet
from ..engine.stages import chosen_stages
from .folding import HARMONICS, separable

FEWEST_FRAMES = (
    101  # with fewer, a rectifier's high harmonics fold onto the low ones: 64 read 0.8094 for 0.8106
)
FEWER_FRAMES = (53, 29, 17)  # where 101 would last too long
LONGEST_SECONDS = 8.0
RESOLUTION_HZ = 10.0  # frequencies of coherent tones are to lie no further apart
PARTNERS = 24  # pairs of tones that share a fold, for each hop
BELOW = 6  # tones below the lowest Nyquist frequency, where the grid has none


@dataclass(frozen=True)
class Coherence:
    """How long tones of whole cycles are played.

    Parameters
    ----------
    n_samples : int
        Every tone has whole cycles in it.
    sample_rate : int
    frames : mapping of str to int
        Frames of each stage's window, which lasts a whole number of times `n_samples`.
    hops : mapping of str to int
        Samples per frame of each stage.
    """

    n_samples: int
    sample_rate: int
    frames: Mapping[str, int]
    hops: Mapping[str, int]

    @property
    def snap(self) -> Snap:
        """Bins for `tonotopy.synth.partials`: a tone on one meets every phase at every stage."""
        return Snap(self.n_samples, self.sample_rate, coprime=True)

    def cycles(self, stimuli: StimulusSet, stage: str) -> list[np.ndarray]:
        """Return the whole cycles of each stimulus's partials in the window of a stage.

        Raises
        ------
        InputError
            If a partial has no whole number of cycles; the error names the nearest that has.
        """
        frequency = stimuli.columns["frequency_hz"]
        exact = frequency * self.n_samples / self.sample_rate
        wrong = np.abs(exact - np.rint(exact)) > 1e-6
        if wrong.any():
            nearest = max(1, round(float(exact[wrong][0]))) * self.sample_rate / self.n_samples
            raise InputError(
                f"frequency {frequency[wrong][0]:g} Hz: has no whole number of cycles in the window of "
                f"{self.n_samples} samples; the nearest that has is {nearest:.10g} Hz"
            )
        windows = self.frames[stage] * self.hops[stage] // self.n_samples
        return np.split(np.rint(exact).astype(np.int64) * windows, stimuli.first[1:-1])


def coherence(
    encoder: Encoder, stages: Sequence[str] | None = None, n_samples: int | None = None
) -> Coherence:
    """Find windows in which coherent tones keep their predicted output bins apart.

    By default a stage has a prime number of frames, at least 101 (17, 29 or 53 where those would last over
    8 s), or a multiple of one. The window is no longer at shallow stages than bins every 10 Hz take.

    Parameters
    ----------
    encoder : Encoder
    stages : sequence of str, optional
        The canonical ones by default.
    n_samples : int > 0, optional
        Window of all stages; every hop must divide it.

    Returns
    -------
    coherence : Coherence

    Raises
    ------
    InputError
        If a stage has no fixed hop, a hop does not divide `n_samples`, or a window holds too few frames.

    Notes
    -----
    Source: coherent sampling, IEEE Std 1241-2010, section 4.1.

    Examples
    --------
    >>> from tonotopy.encoders import load
    >>> window = coherence(load("control:decimator"))
    >>> window.n_samples, window.frames
    (3232, {'first_layer': 101})
    """
    hops = {name: encoder.stages[name].hop for name in chosen_stages(encoder, stages)}
    for name, hop in hops.items():
        if not isinstance(hop, int | np.integer) or hop < 1:
            raise InputError(
                f"stage {name!r}: {encoder.name} has no fixed hop there ({hop!r}); aliasing needs one"
            )
    whole_hop = math.lcm(*hops.values())
    if n_samples is None:
        n_samples = _window(whole_hop, encoder.sample_rate)
        frames = {name: math.lcm(n_samples, hop) // hop for name, hop in hops.items()}
        return Coherence(n_samples, encoder.sample_rate, frames, hops)
    fewest = 2 * HARMONICS + 1
    for name, hop in hops.items():
        if n_samples < 1 or n_samples % hop:
            raise InputError(
                f"n_samples {n_samples}: the hop of stage {name!r}, {hop} samples, does not divide it"
            )
        if n_samples // hop < fewest:
            raise InputError(
                f"n_samples {n_samples}: holds {n_samples // hop} frames of stage {name!r}, "
                f"at least {fewest} are needed"
            )
    return Coherence(n_samples, encoder.sample_rate, {n: n_samples // hop for n, hop in hops.items()}, hops)


def _window(whole_hop: int, sample_rate: int) -> int:
    """Length of the window that tones repeat after: a prime number times a divisor of the hop."""
    resolving = sample_rate / RESOLUTION_HZ
    wanted = max(FEWEST_FRAMES, math.ceil(resolving / whole_hop))
    if wanted * whole_hop > LONGEST_SECONDS * sample_rate:
        fitting = [n for n in FEWER_FRAMES if n * whole_hop <= LONGEST_SECONDS * sample_rate]
        wanted = fitting[0] if fitting else FEWER_FRAMES[-1]
    prime = next(n for n in _primes_from(wanted) if whole_hop % n)
    divisors = (d for d in range(1, whole_hop + 1) if whole_hop % d == 0)
    return prime * next(d for d in divisors if d == whole_hop or prime * d >= resolving)


def _primes_from(number: int) -> Iterator[int]:
    return (n for n in count(number) if n > 1 and all(n % d for d in range(2, math.isqrt(n) + 1)))


def coherent_partials(
    encoder: Encoder,
    stages: Sequence[str] | None = None,
    *,
    low_hz: float = 60.0,
    high_hz: float | None = None,
    per_octave: float = 8,
    level_dbfs: float | Sequence[float] = -20.0,
    n_samples: int | None = None,
) -> StimulusSet:
    """Build the tones that `aliasing` plays: a logarithmic grid, partners by fold, and some very low ones.

    Beside the grid there are, for every hop, tones that share a fold with 24 of the grid's (up to three
    octaves away), so that there is something to collapse; and where the grid has none below the lowest
    Nyquist frequency of a stage, up to six of those, so that there is something to reject from.

    Parameters
    ----------
    encoder, stages, n_samples
        As in `coherence`.
    low_hz, high_hz, per_octave : float > 0
        The grid; its upper end is 10 kHz by default, or 0.45 of a lower sample rate.
    level_dbfs : float or sequence of float
        Levels, as in `tonotopy.synth.partials_at`.

    Returns
    -------
    stimuli : StimulusSet
        Single partials in order of frequency.

    Raises
    ------
    InputError
        As `coherence` does, and if the grid does not lie below the Nyquist frequency.

    Examples
    --------
    >>> from tonotopy.encoders import load
    >>> len(coherent_partials(load("control:decimator"), per_octave=4))
    55
    """
    window = coherence(encoder, stages, n_samples)
    high_hz = _upper_end(encoder, low_hz, high_hz)
    if not 0 < per_octave <= 1000:
        raise InputError(f"per_octave {per_octave:g}: must lie above 0 and be at most 1000")
    bin_hz = encoder.sample_rate / window.n_samples
    octaves = math.log2(high_hz / low_hz)
    grid = np.unique(
        window.snap.cycles(low_hz * 2.0 ** (np.arange(int(octaves * per_octave) + 1) / per_octave))
    )
    tones = set(grid.tolist())
    lowest = window.n_samples / (2 * max(window.hops.values()))  # cycles at the lowest Nyquist frequency
    if grid.min() >= lowest:
        below = np.arange(1, math.ceil(lowest))
        below = below[np.gcd(below, window.n_samples) == 1]
        tones |= set(
            below[np.linspace(0, len(below) - 1, min(BELOW, len(below))).round().astype(int)].tolist()
        )
    top = int(high_hz / bin_hz)
    for hop in sorted(set(window.hops.values())):
        tones |= _partners(grid, window.n_samples, hop, top)
    return partials_at(np.array(sorted(tones)) * bin_hz, level_dbfs=level_dbfs)


def _partners(grid: np.ndarray, n_samples: int, hop: int, top: int) -> set[int]:
    """Return cycles that share a fold with some of `grid`, half to three octaves away."""
    turn = n_samples // math.gcd(n_samples, hop)  # cycles after which folds repeat
    if turn == n_samples:
        return set()  # no two tones below Nyquist share a fold
    chosen = grid[np.linspace(0, len(grid) - 1, min(PARTNERS, len(grid))).round().astype(int)]
    found = set()
    for i, cycles in enumerate(chosen.tolist()):
        sharing = np.concatenate(
            [turn * np.arange(1, top // turn + 2) - cycles, np.arange(cycles, top, turn)[1:]]
        )
        sharing = sharing[(sharing > 0) & (sharing <= top) & (np.gcd(np.abs(sharing), n_samples) == 1)]
        sharing = sharing[sharing != cycles]
        if len(sharing):
            wanted = (0.5, 1, 2, 3)[i % 4]  # octaves
            found.add(int(sharing[np.argmin(np.abs(np.abs(np.log2(sharing / cycles)) - wanted))]))
    return found


def coherent_pairs(
    encoder: Encoder,
    stages: Sequence[str] | None = None,
    *,
    low_hz: float = 100.0,
    high_hz: float | None = None,
    pairs: int = 12,
    ratio: float = 1.26,
    level_dbfs: float = -20.0,
) -> StimulusSet:
    """Build pairs of tones whose folds, harmonics and intermodulation have bins of their own.

    Parameters
    ----------
    encoder, stages
        As in `coherence`.
    low_hz, high_hz : float > 0
        Range of the pairs; as in `coherent_partials`.
    pairs : int > 0
    ratio : float > 1
        Of the two frequencies, about: the nearest is taken that keeps all predicted bins apart at every
        stage (if there is none, the nearest of all, and the ledger says which bins coincide).
    level_dbfs : float
        Of each tone.

    Returns
    -------
    stimuli : StimulusSet
        Coordinates: kind ("pair"), f0_hz (the lower), upper_hz, level_dbfs.

    Examples
    --------
    >>> from tonotopy.encoders import load
    >>> coherent_pairs(load("control:rectifier"), pairs=2).columns["frequency_hz"].round()
    array([ 100.,  129., 7934., 9994.])
    """
    window = coherence(encoder, stages)
    high_hz = _upper_end(encoder, low_hz, high_hz)
    if pairs < 1:
        raise InputError(f"pairs {pairs}: must be at least 1")
    if not 1 < ratio <= high_hz / low_hz:
        raise InputError(f"ratio {ratio:g}: must lie above 1 and fit between {low_hz:g} and {high_hz:g} Hz")
    wanted = np.geomspace(low_hz, high_hz / ratio, pairs)
    bin_hz = encoder.sample_rate / window.n_samples
    amplitude = float(amplitude_of(level_dbfs))
    rows = []
    for one in np.unique(window.snap.cycles(wanted)).tolist():
        other = _companion(one, ratio, window)
        tones = tuple(Partial(cycles * bin_hz, amplitude) for cycles in (one, other))
        about = {"kind": "pair", "f0_hz": one * bin_hz, "upper_hz": other * bin_hz, "level_dbfs": level_dbfs}
        rows.append(Stimulus(tones, coordinates=about))
    return StimulusSet.of(rows)


def _upper_end(encoder: Encoder, low_hz: float, high_hz: float | None) -> float:
    high_hz = min(10_000.0, 0.45 * encoder.sample_rate) if high_hz is None else high_hz
    if not 0 < low_hz < high_hz < encoder.sample_rate / 2:
        raise InputError(
            f"tones from {low_hz:g} to {high_hz:g} Hz: must lie below {encoder.sample_rate / 2:g} Hz, "
            f"the Nyquist frequency of {encoder.name}, lowest first"
        )
    return high_hz


def _companion(cycles: int, ratio: float, window: Coherence) -> int:
    """Return the cycles nearest to `ratio` times `cycles` that keep every predicted bin apart."""
    top = (window.n_samples - 1) // 2
    others = np.arange(cycles + 1, min(2 * cycles + 100, top))
    others = others[np.gcd(others, window.n_samples) == 1]
    others = others[np.argsort(np.abs(others - ratio * cycles), kind="stable")]
    for other in others.tolist():
        both = np.array([cycles, other])
        windows = {
            (window.frames[s] * hop // window.n_samples, window.frames[s]) for s, hop in window.hops.items()
        }
        if all(separable(both * times, frames) for times, frames in windows):
            return other
    return int(others[0])
