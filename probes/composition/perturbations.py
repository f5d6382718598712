"""Sounds that share a spectrum, and sounds that share a waveform, with others."""

from __future__ import annotations

import numpy as np

from ...synth.chords import chords
from ...synth.errors import InputError
from ...synth.partials import amplitude_of
from ...synth.pitches import Timbre
from ...synth.stimuli import Partial, Stimulus, StimulusSet

LEVEL_DBFS = -20.0  # of a whole sound
GROUPS = 8  # each of one sound of every kind, drawn anew
GAP_HZ = 100.0  # partials of a sound lie at least so far apart: four bins of the STFT control
LOWEST_HZ, HIGHEST_HZ, HIGHEST_SHARE = 120.0, 6000.0, 0.45
PARTIALS = 6
SHORTEST_S, LONGEST_S = 0.002, 0.012  # of the shift that stands beside the two changes


def shape_sounds(sample_rate: float, seed: int = 0) -> StimulusSet:
    """Return 24 sounds of about six partials: harmonic stacks, inharmonic sets, chords; all at -20 dBFS.

    They come in eight groups of one of each kind, every group drawn independently (coordinate `group`).
    Partials lie at least 100 Hz apart, so that a spectrum can resolve them.

    Raises
    ------
    InputError
        If the sample rate is below 2667 Hz, where there is no room for them.

    Examples
    --------
    >>> sounds = shape_sounds(24_000)
    >>> len(sounds), sorted(set(sounds.coordinates["kind"].tolist()))
    (24, ['chord', 'inharmonic', 'pitch'])
    """
    highest = min(HIGHEST_HZ, HIGHEST_SHARE * sample_rate)
    if highest < 2 * PARTIALS * GAP_HZ:
        raise InputError(f"sample rate {sample_rate:g} Hz: too low for sounds of {PARTIALS} partials")
    played = chords(
        range(74, 82), qualities=["major", "minor", "sus4"], timbre=Timbre(2, name="two"), max_hz=highest
    )
    found = []
    for group in range(GROUPS):
        generator = np.random.default_rng([seed, 11, group])
        f0 = _drawn(generator, highest / (2 * PARTIALS), 1)
        found.append(_sound("pitch", group, f0 * np.arange(1, PARTIALS + 1)))
        # so many, evenly by ratio, then apart by what a gap takes
        spread = np.sort(_drawn(generator, highest - PARTIALS * GAP_HZ, PARTIALS))
        found.append(_sound("inharmonic", group, spread + GAP_HZ * np.arange(PARTIALS)))
        chord = played.stimulus(int(generator.integers(len(played))))
        found.append(_sound("chord", group, np.array([p.frequency_hz for p in chord.partials])))
    return StimulusSet.of(found)


def _drawn(generator: np.random.Generator, highest_hz: float, count: int) -> np.ndarray:
    return np.exp(generator.uniform(np.log(LOWEST_HZ), np.log(highest_hz), count))


def _sound(kind: str, group: int, frequency_hz: np.ndarray) -> Stimulus:
    kept: list[float] = []
    for f in np.sort(frequency_hz):
        if not kept or f - kept[-1] >= GAP_HZ * (1 - 1e-9):
            kept.append(float(f))
    amplitude = float(amplitude_of(LEVEL_DBFS)) / np.sqrt(len(kept))
    return Stimulus(tuple(Partial(f, amplitude) for f in kept), coordinates={"kind": kind, "group": group})


def perturbed(
    sounds: StimulusSet, row: int, detunings: np.ndarray, draws: int, instant_s: float, seed: int
) -> StimulusSet:
    """Return a sound, and it scrambled, shifted, inverted, half scrambled, and detuned, at several phases.

    All are steady; `instant_s` is where the detuned ones have the sound's own phases. See `waveform_shape`.
    """
    partials = sounds.stimulus(row).partials
    frequency = np.array([p.frequency_hz for p in partials])
    generator = np.random.default_rng([seed, row])
    phase = generator.uniform(0, 2 * np.pi, (draws, len(partials)))
    turn = generator.uniform(0, 2 * np.pi, (draws // 2, len(partials))).repeat(2, axis=0)
    turn[1::2] += np.pi  # of the opposite sign: a pair correlates with the sound by exactly 0
    direction = generator.choice([-1.0, 1.0], (draws, len(partials)))
    shift = generator.uniform(SHORTEST_S, LONGEST_S, draws) * generator.choice([-1.0, 1.0], draws)
    # the same half for both of a pair
    half = generator.permuted(np.tile(np.arange(len(partials)), (draws // 2, 1)), axis=1) < len(partials) // 2
    half = half.repeat(2, axis=0)
    found = []
    for draw in range(draws):
        own = phase[draw]
        later = own + 2 * np.pi * frequency * shift[draw]
        changed = [own, own + turn[draw], later, own + np.pi, own + half[draw] * turn[draw]]
        phases = [*changed, *([own] * len(detunings))]
        moved = [*([frequency] * len(changed)), *(frequency + direction[draw] * d for d in detunings)]
        for frequencies, at in zip(moved, phases, strict=True):
            start = (at - 2 * np.pi * frequencies * instant_s) % (2 * np.pi)
            parts = zip(frequencies.tolist(), partials, start.tolist(), strict=True)
            found.append(Stimulus(tuple(Partial(f, p.amplitude, phase_rad) for f, p, phase_rad in parts)))
    return StimulusSet.of(found)
