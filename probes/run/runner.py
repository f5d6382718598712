"""The runner: measures everybody of a suite beside baselines and controls, and keeps the result."""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import xarray as xr

from ...encoders.abilities import BASELINE_KINDS, Redraws, draws
from ...encoders.base import MODALITIES, Encoder
from ...encoders.musicvae.base import LatentModel
from ...encoders.registry import load, load_for
from ...synth.errors import InputError
from ...synth.stimuli import StimulusSet
from ..engine.checkpoint import Work, drawn_anew, node_name, provenance, set_attributes
from ..engine.outputs import fresh
from ..engine.probe import Probe
from ..engine.progress import Progress
from ..engine.schema import stimuli_dataset, subject_attributes
from ..engine.session import Session
from ..engine.stages import chosen_stages
from ..engine.store import ZARR_FORMAT, keep
from ..hypotheses.hypothesis import Hypothesis
from ..hypotheses.registry import registered as hypotheses
from ..hypotheses.verdicts import check_named_once, evaluate
from .kept import keep as keep_for_others
from .kept import kept, key_of
from .schema import validate_probe
from .suite import CONTROLS, MEASURED_BY, Suite

TAKEN = ("stimuli", "hypotheses")  # groups of every run
Measured = Encoder | LatentModel


@dataclass(frozen=True)
class Subject:
    """Somebody who is measured: an encoder, a baseline of one in some kind, or a control."""

    node: str
    role: str
    of: str
    encoder: Measured
    baseline: str = ""
    not_drawn: str = ""


@dataclass(frozen=True)
class Loaded:
    """An encoder, what draws baselines of it by kind, and which kinds are not drawn, and why."""

    encoder: Measured
    draws: Mapping[str, Callable[[int], Measured]]
    not_drawn: str = ""


def probe(
    encoders: str | Measured | Sequence[str | Measured],
    out: str | Path,
    progress: Progress | None = None,
    name: str = "",
    **options: Any,
) -> Path:
    """Probe encoders, beside baselines and controls.

    Parameters
    ----------
    encoders : str, Encoder or LatentModel, or a sequence of them
    out, progress, name
        As in `run`.
    **options
        The other fields of `Suite`, and settings of probes by name: ``probe(["codec_tiny"], "run.zarr",
        probes=["selectivity"], baselines=1, per_octave=12)``.

    Returns
    -------
    out : Path
    """
    fields = {name: options.pop(name) for name in list(options) if name in Suite.__dataclass_fields__}
    settings = {**fields.pop("settings", {}), **options}
    suite = Suite(encoders, settings=settings, **fields)  # type: ignore[arg-type]
    return run(suite, out, progress=progress, name=name)


def run(suite: Suite, out: str | Path, *, progress: Progress | None = None, name: str = "") -> Path:
    """Measure everybody of a suite, judge the hypotheses, and keep the result.

    Parameters
    ----------
    suite : Suite
    out : path
        Folder for the result, a zarr store that ``xarray.open_datatree`` reads; it must not exist.
        Work in progress lies in ``<out>.partial``; the same call takes it up where it stopped.
    progress : Progress, optional
    name : str, optional
        What the run is called where reports and comparisons tell it from others; by default as `out` is,
        without what follows the dot.

    Returns
    -------
    out : Path

    Raises
    ------
    InputError
        If an encoder or a stage is not there or of another modality, no probe has anything to ask of an
        encoder, what a probe is set to cannot be played, or `out` exists.
    """
    out = fresh(out)
    encoders = [_loaded(encoder, suite) for encoder in suite.encoders]
    _nodes(encoders)
    base: Session[Any] = Session(encoders[0], seed=suite.seed, progress=progress or Progress(show=False))
    left = [_left(base.of(encoder, None), suite) for encoder in encoders]
    loaded = [
        _drawable(given, encoder, probes, suite)
        for given, encoder, probes in zip(suite.encoders, encoders, left, strict=True)
    ]
    stimuli, claims = _stimuli(suite, encoders), hypotheses()
    check_named_once(claims)
    work = Work(out, _identity(suite, stimuli, encoders))
    about = provenance(suite.description, suite.seed, encoders) | {"name": name or out.stem}
    work.do("stimuli", lambda: _keep_stimuli(work.store, stimuli, about))
    for subject in subjects_of(suite, loaded):
        _measure(subject, base.of(subject.encoder, None), suite, work)
    work.do("hypotheses", lambda: _judge(work.store, claims, suite.seed))
    return work.finish()


def subjects_of(suite: Suite, loaded: Sequence[Loaded]) -> Iterator[Subject]:
    """Yield the encoders, each followed by its baselines, kind by kind, then the controls."""
    for one, node in zip(loaded, _nodes([one.encoder for one in loaded]), strict=True):
        yield Subject(node, "encoder", "", one.encoder, not_drawn=one.not_drawn)
        for kind, draw in one.draws.items():
            for i, baseline in enumerate(drawn_anew(one.encoder, draw, suite.seed, suite.draws)):
                yield Subject(f"{node}.{kind}{i}", "baseline", node, baseline, kind)
    yield from _controls([one.encoder for one in loaded], suite)


def _controls(loaded: Sequence[Measured], suite: Suite) -> Iterator[Subject]:
    """Yield the controls of every modality that a probe asks, those of waveforms at every sample rate."""
    rates, seed = sorted({_rate(encoder) for encoder in loaded}), suite.seed
    probes = [one for modality in MODALITIES for one in suite.of(modality)]
    for rate in rates:
        for name in CONTROLS["waveform" if rate else "melody"]:
            if any(e.name == name and _rate(e) == rate for e in loaded):
                continue  # it is measured already, as an encoder
            if not any(_stands_beside(name, one) for one in probes):
                continue
            control = load(name, seed=seed, sample_rate=rate) if rate else load(name, seed=seed)
            several = rate and sum(r > 0 for r in rates) > 1
            yield Subject(node_name(name) + (f".{rate}" if several else ""), "control", "", control)


def _stands_beside(control: str, one: Probe) -> bool:
    """Whether a control is measured by a probe; one that asks where it is named has those that it knows."""
    if one.by_default:
        return one.name in MEASURED_BY.get(control, (one.name,))
    return control in {known.control for known in one.known}


def _rate(encoder: Measured) -> int:
    """Return the sample rate of an encoder; 0 of a melody model."""
    return encoder.sample_rate if isinstance(encoder, Encoder) else 0


def _loaded(encoder: str | Measured, suite: Suite) -> Measured:
    if suite.modality is not None:
        return load_for(suite.modality, encoder, weights=suite.weights, seed=suite.seed)
    loaded = load(encoder, weights=suite.weights, seed=suite.seed) if isinstance(encoder, str) else encoder
    if getattr(loaded, "modality", None) not in MODALITIES:
        name = getattr(loaded, "name", type(loaded).__name__)
        raise InputError(f"encoder {name!r}: declares no modality; it must be {' or '.join(MODALITIES)}")
    return loaded


def _drawable(given: str | Measured, encoder: Measured, probes: Sequence[Probe], suite: Suite) -> Loaded:
    """Find out in which kinds that probes ask an encoder can be drawn, before anything is written."""
    asked = {kind for one in probes for kind in one.asks_baselines}
    if not (suite.draws and asked) or encoder.weights.source == "none":
        return Loaded(encoder, {})
    found, lost = {}, {}
    for kind in (kind for kind in BASELINE_KINDS if kind in asked):
        try:
            draw = draws(_redraw(given, encoder), kind)
            draw(suite.seed)
            found[kind] = draw
        except InputError as reason:
            lost[kind] = str(reason)
    if not found:
        kind, reason = next(iter(lost.items()))
        raise InputError(f"encoder {encoder.name!r}: has no {kind} baseline ({reason}); ask for baselines=0")
    return Loaded(encoder, found, "; ".join(f"{kind}: {reason}" for kind, reason in lost.items()))


def _redraw(given: str | Measured, encoder: Measured) -> Callable[..., Measured]:
    """Return what draws an encoder's architecture anew from a seed."""
    if isinstance(encoder, Redraws):
        return encoder.randomised
    if isinstance(given, str):
        return lambda seed: load(given, weights="random", seed=seed)
    raise InputError("nothing says how its weights are drawn")


def _nodes(encoders: Sequence[Measured]) -> list[str]:
    """Return what the encoders' nodes are called; those of one name are told apart by their weights.

    Raises
    ------
    InputError
        If an encoder is given twice, or its name is taken in every run.
    """
    named = [node_name(encoder.name) for encoder in encoders]
    controls = {node_name(name): name for several in CONTROLS.values() for name in several}
    for encoder, node in zip(encoders, named, strict=True):
        if node in TAKEN or not node.strip(".") or controls.get(node, encoder.name) != encoder.name:
            raise InputError(f"encoder {encoder.name!r}: the name is taken in every run; give it another")
    nodes = [
        f"{node}.{encoder.weights.sha256[:6]}" if named.count(node) > 1 else node
        for encoder, node in zip(encoders, named, strict=True)
    ]
    for encoder, node in zip(encoders, nodes, strict=True):
        if nodes.count(node) > 1:
            raise InputError(f"encoder {encoder.name!r}: given twice with the same weights")
    return nodes


def _left(session: Session[Any], suite: Suite) -> list[Probe]:
    """Return the probes that an encoder leaves; refuse what could not be run to its end."""
    encoder = session.encoder
    if isinstance(encoder, Encoder):
        chosen_stages(encoder, suite.stages)
    elif suite.stages is not None:
        raise InputError(f"stages {', '.join(suite.stages)}: {encoder.name} is a melody model and has none")
    probes = suite.of(encoder.modality)
    refusals = {one.name: one.refusal(session.at(suite.stages_of(encoder, one))) for one in probes}
    if not refusals:
        raise InputError(f"encoder {encoder.name!r}: no requested probe is for a {encoder.modality} encoder")
    if all(refusals.values()):
        name, reason = next(iter(refusals.items()))
        raise InputError(f"{name}: {reason}; no other probe is left")
    return [probe for probe in probes if not refusals[probe.name]]


def _measure(subject: Subject, session: Session[Any], suite: Suite, work: Work) -> None:
    """Ask a subject whatever it does not refuse; what was refused, and why, is kept beside the answers."""
    where, refused = work.store / subject.node, {}
    probes = _probes_of(subject, session, suite)
    if subject.role == "control" and not probes:
        return  # nothing is kept of it
    measure = _keep_control if subject.role == "control" else _keep
    for one in probes:
        stages = None if subject.role == "control" else suite.stages_of(subject.encoder, one)
        if reason := one.refusal(session.at(stages)):
            refused[one.name] = reason
            continue
        group = where / one.name
        there = replace(session, stages=stages, out=group)
        work.do(f"{subject.node}/{one.name}", partial(measure, one, there, group))
    about = subject_attributes(subject.encoder, subject.role, subject.of, subject.baseline)
    about |= {"refused": "; ".join(f"{n}: {r}" for n, r in refused.items()), "not_drawn": subject.not_drawn}
    set_attributes(where, about)


def _probes_of(subject: Subject, session: Session[Any], suite: Suite) -> list[Probe]:
    """Return the probes that measure a subject; of controls that are not to be measured, what is kept."""
    probes = suite.of(subject.encoder.modality, subject.baseline)
    if subject.role == "control":
        probes = [one for one in probes if one.name in MEASURED_BY.get(subject.encoder.name, (one.name,))]
        return [one for one in probes if suite.controls or _kept_of(one, session) is not None]
    return list(probes)


def _keep(one: Probe, session: Session[Any], group: Path) -> None:
    """Measure, and keep the result if it is what the probe declares."""
    try:
        result = one(session)
    except Exception as error:
        error.add_note(f"while {one.name} was measured of {session.encoder.name}")
        raise
    validate_probe(f"{session.encoder.name}/{one.name}", one.variables, result)
    keep(result, group)


def _kept_of(one: Probe, session: Session[Any]) -> xr.Dataset | None:
    """Return what is kept of a control."""
    key = key_of(one, session.encoder, session.seed)
    return None if key is None else kept(key, one)


def _keep_control(one: Probe, session: Session[Any], group: Path) -> None:
    """Put what is kept of a control into the run; where nothing is, measure it, and keep that."""
    result = _kept_of(one, session)
    if result is not None:
        keep(result, group)
        return
    _keep(one, session, group)
    if (key := key_of(one, session.encoder, session.seed)) is not None:
        keep_for_others(key, xr.open_zarr(str(group), chunks=None, consolidated=False).load())


def _stimuli(suite: Suite, loaded: Sequence[Measured]) -> dict[str, StimulusSet]:
    """Return what probes play to everybody, by kind."""
    modalities = dict.fromkeys(encoder.modality for encoder in loaded)
    found: dict[str, StimulusSet] = {}
    for one in (one for modality in modalities for one in suite.of(modality)):
        for kind, played in one.played().items():
            if kind in found and found[kind].sha256 != played.sha256:
                raise InputError(f"probe {one.name!r}: plays other {kind} than a probe before it")
            found[kind] = played
    return found


def _identity(suite: Suite, stimuli: Mapping[str, StimulusSet], loaded: Sequence[Measured]) -> Iterator[str]:
    """Yield what a run must have in common with one that was interrupted, to go on with it."""
    yield suite.description
    yield from (s.sha256 for s in stimuli.values())
    for encoder in loaded:
        yield from (encoder.name, encoder.modality, encoder.weights.sha256)
        yield from (repr(getattr(encoder, name, "")) for name in ("sample_rate", "stages", "taps", "steps"))
    for one in suite.probes or ():
        if isinstance(one, Probe):
            yield f"{one.name} asks {', '.join(one.asks_baselines)}"
            yield _code_of(one)
            for value in one.settings.values():
                if isinstance(value, str | Path) and Path(value).exists():
                    yield from _files(Path(value))


def _code_of(one: Probe) -> str:
    """Return the digest of what a probe's measure is written in: a plug-in may change without a version."""
    try:
        source = inspect.getsource(inspect.getmodule(inspect.unwrap(one.measure)) or one.measure)
    except (OSError, TypeError):
        return ""
    return hashlib.sha256(source.encode()).hexdigest()


def _files(given: Path) -> Iterator[str]:
    """Yield names, sizes and times of what lies in a folder that a setting names."""
    for file in (given, *sorted(given.rglob("*"))):
        about = file.lstat()
        yield f"{file} {about.st_size} {about.st_mtime_ns}"


def _keep_stimuli(store: Path, stimuli: Mapping[str, StimulusSet], attributes: Mapping[str, Any]) -> None:
    set_attributes(store, attributes)
    set_attributes(store / "stimuli", {})
    for kind, played in stimuli.items():
        stimuli_dataset(played).to_zarr(
            str(store / "stimuli" / kind), mode="w", zarr_format=ZARR_FORMAT, consolidated=False
        )


def _judge(store: Path, claims: Sequence[Hypothesis], seed: int) -> None:
    """Give the verdicts that what was measured allows, a group of each encoder and baseline."""
    with xr.open_datatree(store, engine="zarr", chunks=None, consolidated=False) as tree:
        for node, verdicts in evaluate(tree, claims, seed).items():
            verdicts.to_zarr(
                str(store / node / "hypotheses"), mode="w", zarr_format=ZARR_FORMAT, consolidated=False
            )
