"""Place: whether the same few channels answer to a component, whatever else sounds."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xarray as xr

from ...encoders.base import Encoder
from ..engine.probe import Compared, Probe
from ..engine.runtime import one_thread
from ..engine.session import Session
from ..engine.stages import refuse_codes_alone
from ..engine.variable import Variable
from ..statistics.planes import own_above_others
from .draws import GROUPS, SWEPT, USUAL
from .mixtures import Condition
from .questions import (
    CONDITION_VARIABLES,
    answered,
    session_of,
    summarised,
    summarised_variables,
    without_conditions,
)
from .traces import Trace, Traces, traces
from .truths import of_place

MOST = 0.9  # of a trace's energy, that the channels which count hold
ROTATIONS = 8
NEGLIGIBLE = 1e-4  # of the strongest eigenvalue: directions that do not matter to a rotation

VARIABLES = {
    **CONDITION_VARIABLES,
    **summarised_variables("place", "place: locality times consistency"),
    **summarised_variables(
        "locality", "1 less channels that hold 90 % of a trace, re those of rotated channels"
    ),
    **summarised_variables("consistency", "cosine of channel patterns in two contexts, same less different"),
    "loud_channels": Variable(
        ("stage", "condition"), "1", "channels above a thousandth of the loudest's variance"
    ),
}


def place(
    encoder: Encoder | Session[Encoder],
    stages: Sequence[str] | None = None,
    *,
    seed: int = 0,
    conditions: Sequence[Condition] = (USUAL,),
) -> xr.Dataset:
    """Ask whether the same few channels answer to a component, whatever else sounds.

    - *locality*: ``max(0, 1 - n / m)``, n being the channels that hold 90 % of the energy of a component's
      changes, m those that would after a random rotation of all channels that are not silent;
    - *consistency*: cosine of the patterns of energy over channels in two contexts, of the same component
      less of different ones;
    - *place*: their product. 1: few channels, always the same; 0: all channels, or others in each context,
      or one channel for everything.

    This is the one of the four questions that is about channels: it depends on the basis, and is meant to.

    Parameters
    ----------
    encoder, stages, seed, conditions
        As in `presence`.

    Returns
    -------
    result : xarray.Dataset
        As of `presence`.

    Raises
    ------
    InputError
        As in `presence`.

    Notes
    -----
    Source: the project's own definition; locality by the share of energy in the strongest channels, after the
    sparseness of Olshausen & Field, Current Opinion in Neurobiology 14:481, 2004, against rotations as null.

    Examples
    --------
    >>> from tonotopy.encoders import load
    >>> found = place(load("filterbank:stft"))
    >>> bool(found.place.sel(stage="first_layer") > 0.93)
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
    """Measure place under several conditions; see `place`."""
    played, of_stages = session.once(traces, tuple(conditions), groups, raised)
    with one_thread():
        by_stage = [_of_stage(each, session.seed) for each in of_stages.values()]
    return answered(session, played, list(of_stages), VARIABLES, by_stage)


def _of_stage(each: Sequence[Traces], seed: int) -> dict[str, np.ndarray]:
    """Return every variable of one stage, conditions first."""
    local, consistent = [], []
    for condition in each:
        generator = np.random.default_rng([seed, 34])
        local.append(np.stack([locality(t, condition.loud_channels, generator) for t in condition.groups]))
        consistent.append(np.stack([consistency(t) for t in condition.groups]))
    return {
        **summarised("place", [one * other.clip(0) for one, other in zip(local, consistent, strict=True)]),
        **summarised("locality", local),
        **summarised("consistency", consistent, lowest=-1.0),
        "loud_channels": np.array([condition.loud_channels for condition in each]),
    }


def locality(trace: Trace, channels: int, generator: np.random.Generator) -> np.ndarray:
    """How much fewer channels hold most of each trace than do after a rotation, [N]; 0 for one channel.

    Parameters
    ----------
    trace : Trace
    channels : int
        That are not silent.
    generator : numpy.random.Generator
        Of the rotations.
    """
    strength = trace.spectrum[..., : min(channels, trace.spectrum.shape[-1])]  # [contexts, N, r]
    there = (strength > NEGLIGIBLE * strength[..., :1]).any((0, 1))
    strength = strength[..., there]
    if channels < 2 or not there.any():
        return np.zeros(trace.changes.shape[1])
    rotated = []
    for _ in range(ROTATIONS):
        turned, _ = np.linalg.qr(generator.standard_normal((channels, strength.shape[-1])))
        rotated.append(holding_most(strength @ np.square(turned).T))
    share = holding_most(trace.channel_energy) / np.mean(rotated, axis=0)
    return (1 - share).clip(0).mean(0)


def holding_most(energy: np.ndarray) -> np.ndarray:
    """Return how many channels hold 90 % of the energy [..., C], the strongest first: [...].

    Examples
    --------
    >>> holding_most(np.array([[1.0, 8.0, 1.0], [1.0, 1.0, 1.0]])).tolist()
    [2, 3]
    """
    held = np.cumsum(np.sort(energy, axis=-1)[..., ::-1], axis=-1)
    return (held < MOST * (1 - 1e-12) * held[..., -1:]).sum(-1) + 1


def consistency(trace: Trace) -> np.ndarray:
    """Cosine of components' channel patterns in two contexts, less that of different ones', [N]."""
    size = np.linalg.norm(trace.channel_energy, axis=-1, keepdims=True)
    first, second = trace.channel_energy / np.where(size > 0, size, 1.0)
    return own_above_others(first @ second.T)


PLACE = Probe(
    "place",
    question="Do the same few channels answer to a partial, pitch or chord, whatever else sounds?",
    variables=VARIABLES,
    measure=measure,
    refuses=refuse_codes_alone,
    asks_baselines=("random", "matched", "permuted"),
    compared=Compared("component", ("place_profile",)),
    known=of_place(),
)
