"""Small measurements of every bundled model and control, the same at every call."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from unittest.mock import patch

import torch
import xarray as xr

from tonotopy.encoders import load
from tonotopy.encoders.base import Encoder
from tonotopy.encoders.registry import load_for
from tonotopy.probes.composition.chord_composition import chord_composition
from tonotopy.probes.composition.compositionality import compositionality
from tonotopy.probes.composition.mixtures import Condition
from tonotopy.probes.composition.perturbations import shape_sounds
from tonotopy.probes.composition.readout import readout
from tonotopy.probes.composition.stability import measure as stability
from tonotopy.probes.composition.waveform_shape import waveform_shape
from tonotopy.probes.engine import respond
from tonotopy.probes.engine.session import Session
from tonotopy.probes.filters.pitch_chord import chord_tuning, pitch_tuning
from tonotopy.probes.filters.selectivity import selectivity
from tonotopy.probes.filters.tiling import tiling
from tonotopy.probes.folding.aliasing import aliasing, intermodulation
from tonotopy.probes.folding.coherence import coherent_pairs, coherent_partials
from tonotopy.probes.folding.invertibility import invertibility
from tonotopy.probes.folding.representability import representability
from tonotopy.probes.folding.signals import representability_signals
from tonotopy.probes.interventions.interventions import intervention_mixtures, interventions
from tonotopy.probes.run.registry import registered
from tonotopy.probes.tokens.codes import codes
from tonotopy.synth import chords, partials, pitches
from tonotopy.synth.pitches import Timbre

TRAINED = ("samplecnn_tiny", "codec_tiny", "codec_tiny.random")
CONTROLS = (
    "filterbank:stft", "filterbank:stft_magnitude", "filterbank:gammatone",
    "control:decimator", "control:texture", "control:rectifier",
)  # fmt: skip
MELODIC = ("musicvae_tiny", "musicvae_tiny.random", "control:planted")
SUBJECTS = (*TRAINED, *CONTROLS, *MELODIC)
LEVELS_DBFS = (-40.0, -20.0)
CONDITIONS = [Condition("partial", 2, -20.0), Condition("partial", 4, -20.0), Condition("pitch", 1, -20.0),
              Condition("chord", 0, -20.0)]  # fmt: skip
THREADS = 2  # sums are split among them, and round as they are split
TILE_SECONDS = 4.0  # fixed: activations differ by rounding between tile sizes, and free ones are timed


def _loaded(name: str) -> Encoder:
    bare = name.removesuffix(".random")
    return load(bare, weights="random" if bare != name else "pretrained", seed=3)


@contextmanager
def _threads(count: int) -> Iterator[None]:
    usual = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(usual)


def measurements(name: str, groups: Collection[str] | None = None) -> Iterator[tuple[str, xr.Dataset]]:
    """Yield group and result of what is measured of a subject: of some groups, or of all."""
    every = _melodic(name) if name in MELODIC else _sounding(_loaded(name))
    with _threads(THREADS), patch.object(respond, "TILE_SECONDS", (TILE_SECONDS,)):
        for group, measure in every.items():
            if groups is None or group in groups:
                yield group, measure().load()


def _sounding(encoder: Encoder) -> dict[str, Callable[[], xr.Dataset]]:
    rate = encoder.sample_rate
    each: dict[str, Callable[[], xr.Dataset]] = {
        "selectivity": lambda: selectivity(
            Session(encoder), partials(100, 5000, per_octave=2, level_dbfs=LEVELS_DBFS), refine=False
        ),
        "selectivity_refined": lambda: selectivity(
            Session(encoder), partials(800, 1200, per_octave=4), refine=True
        ),
        "pitch_tuning": lambda: pitch_tuning(
            Session(encoder), pitches(midi=[48, 60, 72], timbres=["saw", "square"])
        ),
        "chord_tuning": lambda: chord_tuning(
            Session(encoder),
            chords([48, 50], ["major", "minor"], timbre=Timbre(4, -6.02, name="four partials")),
        ),
        "aliasing": lambda: aliasing(
            Session(encoder, seed=1),
            coherent_partials(encoder, low_hz=300, high_hz=1500, level_dbfs=LEVELS_DBFS),
        ),
        "intermodulation": lambda: intermodulation(Session(encoder), coherent_pairs(encoder)[::2]),
        "invertibility": lambda: invertibility(Session(encoder)),
        "representability": lambda: representability(
            Session(encoder, seed=1), representability_signals(rate, None, 0)[::8], draws=8
        ),
        "tiling": lambda: tiling(Session(encoder)),
        # the other three questions count what is nearest, which rounding may turn on another processor
        "stability": lambda: stability(Session(encoder), conditions=CONDITIONS[1:]),
        "compositionality": lambda: compositionality(Session(encoder, seed=1), conditions=CONDITIONS),
        "codes": lambda: codes(Session(encoder, seed=1), contexts=3, phases=4),
        "readout": lambda: readout(Session(encoder, seed=1), densities=(2, 8)),
        "chord_composition": lambda: chord_composition(Session(encoder, seed=1)),
        "waveform_shape": lambda: waveform_shape(
            Session(encoder, seed=1), sounds=shape_sounds(rate)[::5], detunings_hz=(2.5, 20.0)
        ),
        "interventions": lambda: interventions(
            Session(encoder, seed=1), mixtures=intervention_mixtures(rate, 2), tested=1, doses=(0.0, 1.0)
        ),
    }
    if "codes" not in encoder.stages:
        del each["codes"]
    if not hasattr(encoder, "decode"):
        del each["interventions"]
    return each


def _melodic(name: str) -> dict[str, Callable[[], xr.Dataset]]:
    session = Session(load_for("melody", _loaded(name)), seed=1)
    probes = [one for one in registered("melody") if one.asks_baselines or not name.endswith(".random")]
    small = {"samples": 256, "permutations": 29, "traversed": 3}
    each = [one.with_settings(**{k: v for k, v in small.items() if k in one.takes}) for one in probes]
    return {one.name: lambda one=one: one(session) for one in each}
