"""Sounds that share a spectrum, and sounds that share a waveform, with others."""

from __future__ import annotations

import numpy as np

from ...synth.chords import chords
from ...synth.errors import InputError
from ...synth.partials import amplitude_of
from ...synth.pitches import Timbre
from ...synth.stimuli import Partial, Stimulus, StimulusSet

LEVEL_DBFS = -20.0  # of a whole sound
OF_EACH_KIND = 8
GAP_HZ = 100.0  # partials of a sound lie at least so far apart: four bins of the STFT control
LOWEST_HZ, HIGHEST_HZ, HIGHEST_SHARE = 120.0, 6000.0, 0.45
PARTIALS = 6
SHORTEST_S, LONGEST_S = 0.002, 0.012  # of the shift that stands beside the two changes


def shape_sounds(sample_rate: float, seed: int = 0) -> StimulusSet:
    """Return 24 sounds of about six partials: harmonic stacks, inharmonic sets, chords; all at -20 dBFS.

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
    generator = np.random.default_rng([seed, 11])
    highest = min(HIGHEST_HZ, HIGHEST_SHARE * sample_rate)
    if highest < 2 * PARTIALS * GAP_HZ:
        raise InputError(f"sample rate {sample_rate:g} Hz: too low for sounds of {PARTIALS} partials")
    found = []
    for f0 in np.geomspace(LOWEST_HZ, highest / (2 * PARTIALS), OF_EACH_KIND):
        found.append(_sound("pitch", f0 * np.arange(1, PARTIALS + 1)))
    for _ in range(OF_EACH_KIND):
        # so many, evenly by ratio, then apart by what a gap takes
        spread = np.sort(
            np.exp(generator.uniform(np.log(LOWEST_HZ), np.log(highest - PARTIALS * GAP_HZ), PARTIALS))
        )
        found.append(_sound("inharmonic", spread + GAP_HZ * np.arange(PARTIALS)))
    played = chords(
        range(74, 82), qualities=["major", "minor", "sus4"], timbre=Timbre(2, name="two"), max_hz=highest
    )
    for row in np.linspace(0, len(played) - 1, OF_EACH_KIND).round().astype(int):
        found.append(_sound("chord", np.array([p.frequency_hz for p in played.stimulus(int(row)).partials])))
    return StimulusSet.of(found)


def _sound(kind: str, frequency_hz: np.ndarray) -> Stimulus:
    kept: list[float] = []
    for f in np.sort(frequency_hz):
        if not kept or f - kept[-1] >= GAP_HZ * (1 - 1e-9):
            kept.append(float(f))
    amplitude = float(amplitude_of(LEVEL_DBFS)) / np.sqrt(len(kept))
    return Stimulus(tuple(Partial(f, amplitude) for f in kept), coordinates={"kind": kind})


def perturbed(
    sounds: StimulusSet, row: int, detunings: np.ndarray, draws: int, instant_s: float, seed: int
) -> StimulusSet:
    """Return a sound, and it scrambled, shifted, and detuned ever more, at so many draws of its phases.

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
    found = []
    for draw in range(draws):
        moved = [frequency, frequency, frequency, *(frequency + direction[draw] * d for d in detunings)]
        later = phase[draw] + 2 * np.pi * frequency * shift[draw]
        phases = [phase[draw], phase[draw] + turn[draw], later, *([phase[draw]] * len(detunings))]
        for frequencies, at in zip(moved, phases, strict=True):
            start = (at - 2 * np.pi * frequencies * instant_s) % (2 * np.pi)
            parts = zip(frequencies.tolist(), partials, start.tolist(), strict=True)
            found.append(Stimulus(tuple(Partial(f, p.amplitude, phase_rad) for f, p, phase_rad in parts)))
    return StimulusSet.of(found)
