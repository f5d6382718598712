"""Stability: whether a component leaves the same trace in another context."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xarray as xr

from ...encoders.base import Encoder
from ..engine.probe import Compared, Probe
from ..engine.runtime import one_thread
from ..engine.session import Session
from ..engine.stages import refuse_codes_alone
from ..statistics.planes import captured_energy, leading_planes, own_above_others
from .draws import FAR_SEMITONES, GROUPS, SWEPT, USUAL
from .mixtures import Condition
from .questions import (
    CONDITION_VARIABLES,
    SPACINGS,
    answered,
    session_of,
    summarised,
    summarised_variables,
    without_conditions,
)
from .traces import Trace, Traces, traces
from .truths import of_stability

VARIABLES = {
    **CONDITION_VARIABLES,
    **summarised_variables("containment", "share of a trace's energy in its own plane of another context"),
    **summarised_variables(
        "confusion", "share in the plane of a component so far apart, in another context", "spacing_semitones"
    ),
    **summarised_variables("plane_index", "plane index: containment by direction, less that in other planes"),
}


def stability(
    encoder: Encoder | Session[Encoder],
    stages: Sequence[str] | None = None,
    *,
    seed: int = 0,
    conditions: Sequence[Condition] = (USUAL,),
) -> xr.Dataset:
    """Ask whether a component leaves the same trace in another context.

    With d a component's changes at all phases in one context and P its plane in another (as in `presence`),
    the *containment* is ``sum |P d|^2 / sum |d|^2``, mean of both ways: 1 where the same directions are
    moved whatever else sounds. Energy counts: a faint direction that differs costs little. A component that
    changes nothing has 0.

    *Confusion* is the containment in the plane of another component, 0.5, 1, 2, 4.5, and 9 semitones apart
    or more, in the other context. It is not taken off: a stage may be stable and tell neighbours apart or
    not. That at 9 semitones and more is what stability would be by chance; where it is as high (the
    decimator: 1), traces are stable since all are alike.

    Parameters
    ----------
    encoder, stages, seed, conditions
        As in `presence`.

    Returns
    -------
    result : xarray.Dataset
        As of `presence`. *plane_index* is the measure of earlier versions, in which every direction counts
        alike: mean cos^2 of the planes' angles, less that of different components.

    Raises
    ------
    InputError
        As in `presence`.

    Notes
    -----
    Source: the definition of stable components in Cosme-Clifford, Machines on Music; containment after the
    principal angles of Björck & Golub, Mathematics of Computation 27, 1973, weighted by energy.

    Examples
    --------
    >>> from tonotopy.encoders import load
    >>> found = stability(load("filterbank:stft"))
    >>> bool(found.containment.sel(stage="first_layer") > 0.99)
    True
    """
    return without_conditions(measure(session_of(encoder, stages, seed), conditions=conditions))


def measure(
    session: Session[Encoder],
    *,
    conditions: Sequence[Condition] = SWEPT,
    groups: int = GROUPS,
    raised: bool = True,
) -> xr.Dataset:
    """Measure stability under several conditions; see `stability`."""
    played, of_stages = session.once(traces, tuple(conditions), groups, raised)
    with one_thread():
        by_stage = [_of_stage(each) for each in of_stages.values()]
    return answered(
        session, played, list(of_stages), VARIABLES, by_stage, {"spacing_semitones": np.array(SPACINGS)}
    )


def _of_stage(each: Sequence[Traces]) -> dict[str, np.ndarray]:
    """Return every variable of one stage, conditions first."""
    contained, confused, index = [], [], []
    for condition in each:
        tables = [containments(trace) for trace in condition.groups]
        contained.append(np.stack([np.diag(table) for table in tables]))
        confused.append(
            np.stack(
                [confusions(trace, table) for trace, table in zip(condition.groups, tables, strict=True)]
            )
        )
        index.append(np.stack([plane_index(trace) for trace in condition.groups]))
    return {
        **summarised("containment", contained),
        **summarised("confusion", confused),
        **summarised("plane_index", index, lowest=-1.0),
    }


def containments(trace: Trace) -> np.ndarray:
    """Share of each trace's energy in the plane of each component in the other context, both ways: [N, N]."""
    planes = leading_planes(trace.changes[:, :, :-1])
    ways = [
        _share(captured_energy(one, other).sum(1), one)
        for one, other in zip(trace.changes, planes[::-1], strict=True)
    ]
    return (ways[0] + ways[1]) / 2


def _share(held: np.ndarray, changes: np.ndarray) -> np.ndarray:
    """Energy [N, ...] re that of changes [N, K, m]; 0 where there are none."""
    energy = np.square(changes).sum((1, 2))
    there = energy > 0
    return (held.T / np.where(there, energy, 1.0) * there).T


def confusions(trace: Trace, table: np.ndarray) -> np.ndarray:
    """Containment in planes of other components by how far they are apart, [spacings, N]."""
    n = len(table)
    found = np.full((len(SPACINGS), n), np.nan)
    raised = leading_planes(trace.raised)  # [spacings, N', m, r]
    one = trace.changes[0, ::2]
    for row, several in zip(found, raised, strict=False):
        held = np.square(np.einsum("nki,nir->nkr", one, several)).sum((1, 2))
        row[::2] = _share(held, one)
    both = (table + table.T) / 2
    for row, which in ((-2, trace.draw.of.neighbours), (-1, trace.draw.of.semitones >= FAR_SEMITONES)):
        count = which.sum(1)
        found[row] = np.where(count > 0, (both * which).sum(1) / np.maximum(count, 1), np.nan)
    return found


def plane_index(trace: Trace) -> np.ndarray:
    """Mean cos^2 between a component's planes, less that between it and others, as earlier versions: [N]."""
    planes = leading_planes(trace.changes[:, :, :-1], least=EVERY_DIRECTION)
    rank = min(2 * trace.draw.of.turns.shape[1], planes.shape[-1])
    first, second = planes[..., :rank]
    cosines = np.square(np.einsum("nir,mis->nmrs", first, second)).sum((2, 3))
    dimensions = (np.square(first).sum(1) > 0.5).sum(1), (np.square(second).sum(1) > 0.5).sum(1)
    return own_above_others(cosines / np.maximum(np.maximum(dimensions[0][:, None], dimensions[1]), 1))


EVERY_DIRECTION = 1e-8  # of the strongest's energy, that a direction had to have in earlier versions


STABILITY = Probe(
    "stability",
    question="Does a partial, pitch or chord leave the same trace whatever else sounds?",
    variables=VARIABLES,
    measure=measure,
    refuses=refuse_codes_alone,
    asks_baselines=("random", "matched", "permuted"),
    compared=Compared("component", ("containment_profile",)),
    known=of_stability(),
)
