"""Who is measured: encoders, their baselines, and the controls beside them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ...encoders.abilities import BASELINE_KINDS, Redraws, draws
from ...encoders.base import MODALITIES, Encoder
from ...encoders.musicvae.base import LatentModel
from ...encoders.registry import load, load_for
from ...synth.errors import InputError
from ..engine.checkpoint import drawn_anew, node_name
from ..engine.grid import HIGHEST_SHARE
from ..engine.probe import Probe
from ..engine.progress import Progress
from .suite import CONTROLS, MEASURED_BY, Suite

HIGHEST_HZ = 10_000.0  # that probes play where no other is given
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
    number: int = 0  # of the draw


@dataclass(frozen=True)
class Loaded:
    """An encoder, what draws baselines of it by kind, and which kinds are not drawn, and why."""

    encoder: Measured
    draws: Mapping[str, Callable[[int], Measured]]
    not_drawn: str = ""


def subjects_of(
    suite: Suite, loaded: Sequence[Loaded], drawn: Callable[..., Iterable[Any]] = drawn_anew
) -> Iterator[Subject]:
    """Yield the encoders, each followed by its baselines, kind by kind, then the controls."""
    for one, node in zip(loaded, nodes_of([one.encoder for one in loaded]), strict=True):
        yield Subject(node, "encoder", "", one.encoder, not_drawn=one.not_drawn)
        for kind, draw in one.draws.items():
            for i, baseline in enumerate(drawn(one.encoder, draw, suite.seed, suite.draws)):
                yield Subject(f"{node}.{kind}{i}", "baseline", node, baseline, kind, number=i)
    yield from _controls([one.encoder for one in loaded], suite)


def called(subject: Subject, suite: Suite) -> str:
    """Return what progress calls a subject: by what it is."""
    name = subject.encoder.name
    if subject.role == "baseline":
        of = f" of {name}" if len(suite.encoders) > 1 else ""
        return f"{subject.baseline} {subject.number + 1} of {suite.draws}{of}"
    is_other = subject.role == "control" and not name.startswith("control:")
    return f"control {name}" if is_other else name


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


def loaded_of(encoder: str | Measured, suite: Suite) -> Measured:
    """Return an encoder of a suite, loaded if it is given by name, of the suite's modality."""
    if suite.modality is not None:
        return load_for(suite.modality, encoder, weights=suite.weights, seed=suite.seed)
    loaded = load(encoder, weights=suite.weights, seed=suite.seed) if isinstance(encoder, str) else encoder
    if getattr(loaded, "modality", None) not in MODALITIES:
        name = getattr(loaded, "name", type(loaded).__name__)
        raise InputError(f"encoder {name!r}: declares no modality; it must be {' or '.join(MODALITIES)}")
    return loaded


def drawable(given: str | Measured, encoder: Measured, probes: Sequence[Probe], suite: Suite) -> Loaded:
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


def below_nyquist(suite: Suite, encoders: Sequence[Measured], shown: Progress) -> Suite:
    """Return a suite whose highest partial all encoders can be played, if it is not given; say so."""
    slowest = min(filter(None, map(_rate, encoders)), default=0)
    highest = HIGHEST_SHARE * slowest
    takes = any("high_hz" in one.takes for one in suite.of("waveform"))
    if "high_hz" in suite.settings or not takes or not slowest or slowest / 2 > HIGHEST_HZ:
        return suite
    shown.say(f"partials up to {highest:,.0f} Hz, for {slowest:,} samples per second")
    return replace(suite, settings={**suite.settings, "high_hz": highest})


def nodes_of(encoders: Sequence[Measured]) -> list[str]:
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
