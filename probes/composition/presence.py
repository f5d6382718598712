"""Presence: is the component there? Which of sixteen was added to a mixture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import xarray as xr

from ...encoders.base import Encoder
from ..engine.probe import Compared, Probe
from ..engine.runtime import one_thread
from ..engine.session import Session
from ..engine.stages import refuse_codes_alone
from ..engine.variable import Variable
from ..statistics.groups import jackknife_interval
from ..statistics.information import corrected_information
from ..statistics.planes import captured_energy, leading_planes
from .draws import GROUPS, SWEPT, USUAL
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
from .truths import of_presence

NOISE_DRAWS = 4  # of sensor noise, for every sound
TIE = 1e-9  # energies that differ by less are the same but for rounding
CONFUSABLE = SPACINGS[:-1]  # spacings of two components one of which was added

VARIABLES = {
    **CONDITION_VARIABLES,
    **summarised_variables("proportion", "how often the component that was added is found, among all"),
    **summarised_variables("transferable", "the same by planes of another context"),
    **summarised_variables(
        "two_alternative", "how often it is found of two so far apart", "spacing_semitones"
    ),
    "bits": Variable(("stage", "condition"), "bit", "information about which was added, less shuffled"),
    "bits_low": Variable(("stage", "condition"), "bit", "lower end of its 95 % interval"),
    "bits_high": Variable(("stage", "condition"), "bit", "upper end of its 95 % interval"),
    "chance": Variable(("condition",), "1", "proportion found by guessing"),
    "unchanged": Variable(("stage", "condition"), "1", "share of components that change nothing"),
}


def presence(
    encoder: Encoder | Session[Encoder],
    stages: Sequence[str] | None = None,
    *,
    seed: int = 0,
    conditions: Sequence[Condition] = (USUAL,),
) -> xr.Dataset:
    """Ask whether a component is there: which of 16 was added to a mixture.

    A component p in a context c changes a representation by ``d(phase) = z(c + p) - z(c)``, z being frames
    stacked to 13.3 ms. Its *plane* is spanned by the directions of its changes at all phases but one that
    hold more than 1 % of the strongest's energy. At the last phase sensor noise n is added, independent, of
    a thousandth of the mixtures' total variance in every direction, and the component is taken to be the
    one whose plane holds most of ``d + n``.

    - *proportion*: how often that is right, with planes of the same context;
    - *transferable*: with planes of another context;
    - *two_alternative*: of two components 0.5, 1, 2 or 4.5 semitones apart;
    - *bits*: information of the choices about the component, less that of shuffled ones.

    Parameters
    ----------
    encoder : Encoder or Session
    stages : sequence of str, optional
        By default the canonical ones that have power, and those of fewer codebooks.
    seed : int
        Of components, contexts and noise.
    conditions : sequence of Condition
        Kind of component, number of others, level. All others together are as loud as four of that level,
        whatever their number.

    Returns
    -------
    result : xarray.Dataset
        Of each variable v: `v_low` and `v_high`, 95 %, by t over groups whose frequencies and contexts are
        redrawn (with Wilson's near the ceiling); `v_by_group`; and `v_profile` over components. Where there
        is but one condition its dimension is dropped.

    Raises
    ------
    InputError
        If a stage is not there, there are but codes, a condition is of an unknown kind, or as in `respond`.

    Notes
    -----
    Source: the project's own definition, after the m-alternative task of signal detection (Green & Swets,
    Signal Detection Theory and Psychophysics, 1966); bits as in `information`. Everything follows from
    inner products: gain, offset, rotation, repeated channels and framing change nothing.

    Examples
    --------
    >>> from tonotopy.encoders import load
    >>> found = presence(load("control:decimator"))
    >>> bool(found.proportion.sel(stage="first_layer") < 0.12)
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
    """Measure presence under several conditions; see `presence`."""
    played, of_stages = session.once(traces, tuple(conditions), groups, raised)
    with one_thread():
        by_stage = [_of_stage(each, session.seed) for each in of_stages.values()]
    extra = {
        "spacing_semitones": np.array(CONFUSABLE),
        "chance": np.array([1 / len(one.groups[0].draw.of.labels) for one in next(iter(of_stages.values()))]),
    }
    return answered(session, played, list(of_stages), VARIABLES, by_stage, extra)


def _of_stage(each: Sequence[Traces], seed: int) -> dict[str, np.ndarray]:
    """Return every variable of one stage, conditions first."""
    own, transferred, two, bits, unchanged = [], [], [], [], []
    for condition in each:
        found = [
            identified(trace, condition.noise, [seed, 33, i]) for i, trace in enumerate(condition.groups)
        ]
        own.append(np.stack([one.own for one in found]))
        transferred.append(np.stack([one.transferred for one in found]))
        two.append(np.stack([one.two_alternative for one in found]))
        bits.append(_bits(np.stack([one.choices for one in found]), seed))
        unchanged.append(
            np.mean([(np.square(t.changes).sum((-1, -2)) == 0).mean() for t in condition.groups])
        )
    values = np.array(bits)
    return {
        **summarised("proportion", own, each[0].groups[0].changes.shape[0]),
        **summarised("transferable", transferred, each[0].groups[0].changes.shape[0]),
        **summarised("two_alternative", two),
        "bits": values[:, 0],
        "bits_low": values[:, 1],
        "bits_high": values[:, 2],
        "unchanged": np.array(unchanged),
    }


@dataclass(frozen=True)
class Identified:
    """What was found in one group.

    Parameters
    ----------
    own, transferred : float [N]
        Proportion found, by planes of the same context and of another.
    two_alternative : float [spacings, N]
        Found of two; NaN where a component has no neighbour so far apart.
    choices : int [contexts, N, draws]
        Which component it was taken for.
    """

    own: np.ndarray
    transferred: np.ndarray
    two_alternative: np.ndarray
    choices: np.ndarray


def identified(trace: Trace, noise: float, seed: Sequence[int]) -> Identified:
    """Find out which component was added, at the phase that planes were not made of.

    Parameters
    ----------
    trace : Trace
    noise : float
        Variance of sensor noise in every direction.
    seed : sequence of int
    """
    contexts, n, _, m = trace.changes.shape
    generator = np.random.default_rng(seed)
    planes = leading_planes(trace.changes[:, :, :-1])  # [contexts, N, m, r]
    drawn = generator.standard_normal((contexts, n, NOISE_DRAWS, m))
    tried = trace.changes[:, :, -1:] + np.sqrt(noise) * drawn  # [contexts, N, draws, m]
    held = np.stack([captured_energy(*pair) for pair in zip(tried, planes, strict=True)])  # [.., N, draws, M]
    other = np.stack([captured_energy(*pair) for pair in zip(tried, planes[::-1], strict=True)])
    right = np.arange(n)
    shuffled = generator.random(held.shape) * TIE * held.max(-1, keepdims=True)  # ties fall either way
    two = np.full((len(CONFUSABLE), n), np.nan)
    raised = leading_planes(trace.raised)  # [spacings, N', m, r]
    at = slice(None, None, 2)
    for row, several in zip(two, raised, strict=False):
        beside = np.einsum("ndi,nir->ndr", tried[-1, at], several)
        row[at] = _better(held[-1, at][np.arange(len(several)), :, right[at]], np.square(beside).sum(-1))
    two[-1] = _than_neighbours(held, trace.draw.of.neighbours)
    return Identified(
        _credit(held).mean((0, 2)), _credit(other).mean((0, 2)), two, (held + shuffled).argmax(-1)
    )


def _credit(held: np.ndarray) -> np.ndarray:
    """Credit for the right one being best of [contexts, N, draws, N]; those that tie share it."""
    best = held >= held.max(-1, keepdims=True) * (1 - TIE)
    right = np.einsum("cndn->cnd", best)
    return right / best.sum(-1)


def _better(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """How often [n, draws] is larger, ties half: [n]."""
    tied = np.abs(one - other) <= TIE * np.maximum(one, other)
    return np.where(tied, 0.5, one > other).mean(-1)


def _than_neighbours(held: np.ndarray, neighbours: np.ndarray) -> np.ndarray:
    """How often the right plane of [contexts, N, draws, N] holds more than those next to it, [N]."""
    found = np.full(held.shape[1], np.nan)
    for i, beside in enumerate(neighbours):
        several = [_better(held[:, i, :, i], held[:, i, :, j]).mean() for j in np.flatnonzero(beside)]
        found[i] = np.mean(several) if several else np.nan
    return found


def _bits(choices: np.ndarray, seed: int) -> tuple[float, float, float]:
    """Information of choices [groups, contexts, N, draws], with its interval over groups."""
    return jackknife_interval(
        lambda kept: corrected_information(kept.reshape(-1, *kept.shape[2:]), seed), choices, 0
    )


PRESENCE = Probe(
    "presence",
    question="Is a partial, pitch or chord there: can it be found which one was added to a mixture?",
    variables=VARIABLES,
    measure=measure,
    refuses=refuse_codes_alone,
    asks_baselines=("random", "matched", "permuted"),
    compared=Compared("component", ("proportion_profile", "transferable_profile")),
    known=of_presence(),
)
