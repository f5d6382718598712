"""The matrix of known truths: what encoders of known truth must give, and what they gave."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from ...encoders.base import Encoder
from ...encoders.registry import load
from ...synth.errors import InputError
from ..composition.draws import MAIN
from ..engine.checkpoint import Work, node_name, provenance
from ..engine.known import Known
from ..engine.outputs import fresh
from ..engine.probe import Probe
from ..engine.progress import Progress
from ..engine.schema import subject_attributes
from ..engine.session import Session
from ..engine.store import keep
from ..engine.zarr_files import set_attributes
from .registry import named, registered
from .schema import validate_probe

ENOUGH = {  # partials and pitches: nothing is known of chords
    name: {"conditions": MAIN[:2]} for name in ("presence", "stability", "access", "place")
}


@dataclass(frozen=True)
class Truth:
    """A cell of the matrix: what an encoder of known truth must give, and what it gave.

    Parameters
    ----------
    encoder, probe : str
    known : Known
        What is known.
    value : float
        What was measured; NaN where nothing was.
    """

    encoder: str
    probe: str
    known: Known
    value: float

    @property
    def holds(self) -> bool:
        """Whether what was measured is what is known; NaN is not."""
        return self.known.holds(self.value)


def truths_of(probe: Probe, encoder: str, result: xr.Dataset | None, sample_rate: int) -> list[Truth]:
    """Hold what a probe found of an encoder against what the probe knows of it.

    Parameters
    ----------
    probe : Probe
    encoder : str
    result : xarray.Dataset, optional
        Without one every value is NaN.
    sample_rate : int
        Hz; 0 of a melody model.
    """
    return [
        Truth(encoder, probe.name, known, np.nan if result is None else known.value(result, sample_rate))
        for known in probe.known
        if known.control == encoder
    ]


def measure_truths(
    probes: Sequence[str | Probe] | None = None,
    encoders: Sequence[str] = ("*",),
    *,
    seed: int = 0,
    out: str | Path | None = None,
    progress: Progress | None = None,
) -> list[Truth]:
    """Measure encoders of known truth by every probe that knows something of them.

    Parameters
    ----------
    probes : sequence of str or Probe, optional
        All that there are, if left out; those that know of no encoder are skipped.
    encoders : sequence of str
        Names, or patterns of names as ``"filterbank:*"``.
    seed : int >= 0
        Of the encoders, and of whatever is drawn.
    out : path, optional
        Folder for the measurements, a run as `run` writes them, in which these encoders are controls. It must
        not exist; work in progress is taken up where it stopped.
    progress : Progress, optional

    Returns
    -------
    truths : list of Truth
        Encoder by encoder. A probe that refuses an encoder leaves its cells NaN.

    Raises
    ------
    InputError
        If a probe is not known, no encoder of known truth has such a name, or `out` exists.

    Examples
    --------
    >>> for truth in measure_truths(["invertibility"], ["control:*"]):
    ...     print(truth.encoder, truth.known.what, truth.known.text, truth.value, truth.holds)
    control:decimator smallest singular value 0 0.0 True
    """
    configured = [
        one.with_settings(**ENOUGH.get(one.name, {}))
        for one in (registered() if probes is None else named(tuple(probes)))
    ]
    loaded = [load(name, seed=seed) for name in _chosen(configured, encoders)]
    pairs = [(e, p) for e in loaded for p in configured if any(known.control == e.name for known in p.known)]
    work = None if out is None else _work(fresh(out), configured, loaded, seed)
    sessions = {encoder.name: Session(encoder, seed=seed) for encoder in loaded}
    found: list[Truth] = []
    with (progress or Progress(show=False)).task("known truths", len(pairs)) as advance:
        for encoder, probe in pairs:
            result = _measured(probe, sessions[encoder.name], work)
            rate = encoder.sample_rate if isinstance(encoder, Encoder) else 0
            found += truths_of(probe, encoder.name, result, rate)
            advance(1)
    if work is not None:
        work.finish()
    return found


def _chosen(probes: Sequence[Probe], patterns: Sequence[str]) -> list[str]:
    """Return the encoders that probes know something of, those alike side by side; or raise."""
    known = sorted({known.control for probe in probes for known in probe.known})
    chosen = [name for name in known if any(fnmatchcase(name, pattern) for pattern in patterns)]
    if not chosen:
        raise InputError(
            f"encoders {', '.join(patterns)}: none of known truth has such a name; these probes know "
            f"{', '.join(known) or 'of none'}"
        )
    return chosen


def _work(out: Path, probes: Sequence[Probe], loaded: Sequence[Any], seed: int) -> Work:
    """Begin a run in which the encoders are controls, or take it up."""
    about = "; ".join(["known truths", *(probe.identity for probe in probes if probe.known), f"seed: {seed}"])
    work = Work(out, [about, *(encoder.name for encoder in loaded)])
    set_attributes(work.store, provenance(about, seed, loaded))
    for encoder in loaded:
        set_attributes(work.store / node_name(encoder.name), subject_attributes(encoder, "control"))
    return work


def _measured(probe: Probe, session: Session[Any], work: Work | None) -> xr.Dataset | None:
    """Measure, through the store if there is one; None where the probe refuses."""
    if probe.refusal(session):
        return None
    if work is None:
        return probe(session)
    where = f"{node_name(session.encoder.name)}/{probe.name}"
    group = work.store / where

    def measure() -> None:
        result = probe(replace(session, out=group))
        validate_probe(where, probe.variables, result)
        keep(result, group)

    work.do(where, measure)
    return xr.open_zarr(str(group), chunks=None, consolidated=False).load()
