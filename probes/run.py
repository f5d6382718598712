"""The main job: probe encoders beside their baselines and controls, and keep the result."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import xarray as xr

from ..encoders.abilities import Redraws
from ..encoders.base import Encoder
from ..encoders.registry import load, load_for
from ..synth.errors import InputError
from ..synth.stimuli import StimulusSet
from .battery import Settings, measures, played
from .claims import registered
from .coherence import coherent_partials
from .hypotheses import evaluate
from .progress import Progress
from .schema import stimuli_dataset, subject_attributes
from .selectivity import chosen_stages
from .signals import representability_signals
from .store import ZARR_FORMAT, fresh
from .work import Work, drawn_anew, node_name, provenance, set_attributes

CONTROLS = (
    "filterbank:stft",
    "filterbank:stft_magnitude",
    "filterbank:gammatone",
    "control:decimator",
    "control:texture",
    "control:rectifier",
)


@dataclass(frozen=True)
class Subject:
    """Somebody who is heard: an encoder, a random baseline of one, or a control."""

    node: str
    role: str
    of: str
    encoder: Encoder
    stages: tuple[str, ...] | None


def probe(
    encoders: Sequence[str | Encoder],
    out: str | Path,
    settings: Settings | None = None,
    *,
    weights: str = "pretrained",
    progress: Progress | None = None,
) -> Path:
    """Probe encoders with partials, pitches and chords, beside random baselines and controls.

    Parameters
    ----------
    encoders : sequence of str or Encoder
        Names that `load` knows, or encoders at hand (from `wrap`, say).
    out : path
        Folder for the result, a zarr store that ``xarray.open_datatree`` reads; it must not exist.
        Work in progress lies in ``<out>.partial``; the same call takes it up where it stopped.
    settings : Settings, optional
    weights : {"pretrained", "random"} or path
        Passed to `load` for encoders given by name.
    progress : Progress, optional

    Returns
    -------
    out : Path

    Raises
    ------
    InputError
        If an encoder or a stage is not there, the grid is not playable, or `out` exists.
    """
    settings = settings or Settings()
    out = fresh(out)
    if not encoders:
        raise InputError("encoders: none given")
    stimuli = played(settings)
    heard = [load_for("waveform", encoder, weights, settings.seed) for encoder in encoders]
    twins = [_twins(origin, encoder) for origin, encoder in zip(encoders, heard, strict=True)]
    _check(heard, twins, settings)
    work = Work(out, _identity(settings, stimuli, heard))
    work.do("stimuli", lambda: _keep_stimuli(work.store, stimuli, provenance(settings, settings.seed, heard)))
    for subject in subjects_to_hear(heard, twins, settings):
        about = subject_attributes(subject.encoder, subject.role, subject.of)
        set_attributes(work.store / subject.node, about)
        where = work.store / subject.node
        asked = measures(subject.encoder, subject.stages, stimuli, settings, where, progress)
        for name, measure in asked.items():
            work.do(f"{subject.node}/{name}", measure)
    work.do("hypotheses", lambda: _judge(work.store, settings.seed))
    return work.finish()


def _check(
    heard: Sequence[Encoder], twins: Sequence[Callable[[int], Encoder] | None], settings: Settings
) -> None:
    """Refuse what could not be run to its end, before anything is written."""
    nodes = [node_name(encoder.name) for encoder in heard]
    for encoder, twin, node in zip(heard, twins, nodes, strict=True):
        if nodes.count(node) > 1:
            raise InputError(f"encoder {encoder.name!r}: given twice")
        if node == "stimuli":
            raise InputError("encoder 'stimuli': the name is taken in every run; give it another")
        stages = chosen_stages(encoder, settings.stages)
        powerless = [p for p in ("tiling", "compositionality", "readout") if p in settings.probes]
        if powerless and not any(encoder.stages[s].has_power for s in stages):
            raise InputError(
                f"{powerless[0]}: {', '.join(stages)} of {encoder.name} holds codes, which have no response; "
                "leave it out of the probes"
            )
        if "aliasing" in settings.probes:
            coherent_partials(encoder, stages, low_hz=settings.low_hz, high_hz=settings.high_hz)
            representability_signals(encoder.sample_rate, settings.recordings, settings.seed)
        if settings.baselines and twin is None and encoder.weights.source != "none":
            raise InputError(f"encoder {encoder.name!r}: has no random baseline; ask for baselines=0")
        if settings.high_hz >= encoder.sample_rate / 2:
            raise InputError(
                f"high_hz {settings.high_hz:g}: must lie below {encoder.sample_rate / 2:g} Hz, "
                f"the Nyquist frequency of {encoder.name}"
            )


def subjects_to_hear(
    heard: Sequence[Encoder], twins: Sequence[Callable[[int], Encoder] | None], settings: Settings
) -> Iterator[Subject]:
    """Yield the encoders, each followed by its random baselines, then the controls."""
    for encoder, twin in zip(heard, twins, strict=True):
        node = node_name(encoder.name)
        yield Subject(node, "encoder", "", encoder, settings.stages)
        if twin is not None:
            for i, baseline in enumerate(drawn_anew(encoder, twin, settings.seed, settings.baselines)):
                yield Subject(f"{node}.random{i}", "baseline", node, baseline, settings.stages)
    rates = sorted({encoder.sample_rate for encoder in heard})
    for rate in rates if settings.controls else ():
        for name in CONTROLS:
            if any(encoder.name == name and encoder.sample_rate == rate for encoder in heard):
                continue  # it is heard already, as an encoder
            suffix = f".{rate}" if len(rates) > 1 else ""
            control = load(name, seed=settings.seed, sample_rate=rate)
            yield Subject(node_name(name) + suffix, "control", "", control, None)


def _twins(origin: str | Encoder, encoder: Encoder) -> Callable[[int], Encoder] | None:
    """Return what draws an encoder's architecture anew from a seed; None for what has no weights to draw."""
    if encoder.weights.source == "none":
        return None
    if isinstance(encoder, Redraws):
        return encoder.randomised
    return (lambda seed: load(origin, weights="random", seed=seed)) if isinstance(origin, str) else None


def _identity(
    settings: Settings, stimuli: Mapping[str, StimulusSet], heard: Sequence[Encoder]
) -> Iterator[str]:
    """Yield what a run must have in common with one that was interrupted, to go on with it."""
    yield repr(settings)
    yield from (s.sha256 for s in stimuli.values())
    for encoder in heard:
        yield from (encoder.name, encoder.weights.sha256, str(encoder.sample_rate), repr(encoder.stages))
        yield repr(getattr(encoder, "taps", ""))


def _keep_stimuli(store: Path, stimuli: dict[str, StimulusSet], attributes: Mapping[str, Any]) -> None:
    set_attributes(store, attributes)
    set_attributes(store / "stimuli", {})
    for kind, played_set in stimuli.items():
        stimuli_dataset(played_set).to_zarr(
            str(store / "stimuli" / kind), mode="w", zarr_format=ZARR_FORMAT, consolidated=False
        )


def _judge(store: Path, seed: int) -> None:
    """Give the verdicts that what was measured allows, a group of each encoder and baseline."""
    with xr.open_datatree(store, engine="zarr", chunks=None, consolidated=False) as run:
        for node, verdicts in evaluate(run, registered(), seed).items():
            verdicts.to_zarr(
                str(store / node / "hypotheses"), mode="w", zarr_format=ZARR_FORMAT, consolidated=False
            )
