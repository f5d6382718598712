"""The runner: measures everybody of a suite beside baselines and controls, and keeps the result."""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import xarray as xr

from ...encoders.base import Encoder
from ...synth.errors import InputError
from ...synth.stimuli import StimulusSet
from ..engine.checkpoint import Work, provenance
from ..engine.outputs import fresh
from ..engine.probe import Probe
from ..engine.progress import Progress, Step, progress_of
from ..engine.schema import stimuli_dataset, subject_attributes
from ..engine.session import Session
from ..engine.stages import chosen_stages
from ..engine.store import keep
from ..engine.zarr_files import consolidate, read_tree, set_attributes
from ..hypotheses.hypothesis import Hypothesis
from ..hypotheses.registry import registered as hypotheses
from ..hypotheses.verdicts import check_named_once, evaluate
from .forecast import READING_S, Paces, announced
from .kept import is_kept, kept, key_of
from .kept import keep as keep_for_others
from .schema import validate_probe
from .subjects import (
    Loaded,
    Measured,
    Subject,
    below_nyquist,
    called,
    drawable,
    loaded_of,
    nodes_of,
    subjects_of,
)
from .suite import MEASURED_BY, Suite


def probe(
    encoders: str | Measured | Sequence[str | Measured],
    out: str | Path,
    progress: Progress | bool | None = None,
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


def run(suite: Suite, out: str | Path, *, progress: Progress | bool | None = None, name: str = "") -> Path:
    """Measure everybody of a suite, judge the hypotheses, and keep the result.

    Parameters
    ----------
    suite : Suite
    out : path
        Folder for the result, a zarr store that ``xarray.open_datatree`` reads; it must not exist.
        Work in progress lies in ``<out>.partial``; the same call takes it up where it stopped.
    progress : Progress or bool, optional
        How far it has come is shown on stderr, and before it begins how long it will take, unless False.
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
    encoders = [loaded_of(encoder, suite) for encoder in suite.encoders]
    nodes_of(encoders)
    shown = progress_of(progress)
    suite = below_nyquist(suite, encoders, shown)
    base: Session[Any] = Session(encoders[0], seed=suite.seed, progress=shown)
    left = [_left(base.of(encoder, None), suite) for encoder in encoders]
    loaded = [
        drawable(given, encoder, probes, suite)
        for given, encoder, probes in zip(suite.encoders, encoders, left, strict=True)
    ]
    stimuli, claims = _stimuli(suite, encoders), hypotheses()
    check_named_once(claims)
    work = Work(out, _identity(suite, stimuli, encoders))
    about = provenance(suite.description, suite.seed, encoders) | {"name": name or out.stem}
    work.do("stimuli", lambda: _keep_stimuli(work.store, stimuli, about))
    with shown.run(_planned(suite, loaded, base, work) if shown.show else {}):
        for subject in subjects_of(suite, loaded):
            session = replace(base.of(subject.encoder, None), unfinished=work.unfinished)
            _measure(subject, session, suite, work)
            work.drop_unfinished()
    work.do("hypotheses", lambda: _judge(work.store, claims, suite.seed))
    return work.finish()


def _planned(suite: Suite, loaded: Sequence[Loaded], base: Session[Any], work: Work) -> dict[str, Step]:
    """Return what is left to be measured, a step a probe; say what there is, and how long the rest takes."""

    def undrawn(encoder: Measured, draw: object, seed: int, count: int) -> list[Measured]:
        return [encoder] * count  # a network of its architecture takes as long

    paces, steps, probes, done = Paces(), {}, set(), 0
    counts = {"encoder": 0, "baseline": 0, "control": 0}
    for subject in subjects_of(suite, loaded, undrawn):
        session = base.of(subject.encoder, None)
        left = [
            (one, there)
            for one in _probes_of(subject, session, suite)
            if not one.refusal(there := session.at(_stages_of(subject, one, suite)))
        ]
        counts[subject.role] += bool(left)
        for one, there in left:
            probes.add(one.name)
            if work.is_done(key := f"{subject.node}/{one.name}"):
                done += 1
                continue
            seconds = READING_S if _is_kept(subject, one, there) else paces.seconds(one, there, subject.node)
            steps[key] = Step(f"{called(subject, suite)}: {one.name}", seconds)
    left_s = sum(step.seconds for step in steps.values())
    base.progress.say(announced(counts, len(probes), left_s, suite.preset))
    if done:
        base.progress.say(f"resuming: {done} of {done + len(steps)} done")
    return steps


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
        stages = _stages_of(subject, one, suite)
        if reason := one.refusal(session.at(stages)):
            refused[one.name] = reason
            continue
        group = where / one.name
        there = replace(session, stages=stages, out=group)
        with session.progress.step(key := f"{subject.node}/{one.name}"):
            work.do(key, partial(measure, one, there, group))
    about = subject_attributes(subject.encoder, subject.role, subject.of, subject.baseline)
    about |= {"refused": "; ".join(f"{n}: {r}" for n, r in refused.items()), "not_drawn": subject.not_drawn}
    set_attributes(where, about)


def _stages_of(subject: Subject, one: Probe, suite: Suite) -> tuple[str, ...] | None:
    """Return the stages at which a probe measures a subject; None for the probe's own choice."""
    return None if subject.role == "control" else suite.stages_of(subject.encoder, one)


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


def _is_kept(subject: Subject, one: Probe, session: Session[Any]) -> bool:
    """Say whether the result of a control is there to be read."""
    if subject.role != "control":
        return False
    key = key_of(one, session.encoder, session.seed)
    return key is not None and is_kept(key)


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
        keep(stimuli_dataset(played), store / "stimuli" / kind)


def _judge(store: Path, claims: Sequence[Hypothesis], seed: int) -> None:
    """Give the verdicts that what was measured allows, a group of each encoder and baseline."""
    consolidate(store)
    for node, verdicts in evaluate(read_tree(store), claims, seed).items():
        keep(verdicts, store / node / "hypotheses")
