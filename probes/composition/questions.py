"""What the four questions have in common: whom they ask, and how groups become numbers with intervals."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import xarray as xr

from ...encoders.base import Encoder
from ..engine.schema import dataset, stage_coordinates
from ..engine.session import Session
from ..engine.stages import run_attributes
from ..engine.variable import STAGE, Variable
from ..statistics.finite import finite_mean
from ..statistics.groups import group_interval
from .draws import FAR_SEMITONES, GROUPS, RAISED_SEMITONES, STEP_SEMITONES, components_of
from .traces import NOISE_SHARE, Played, groups_of

SPACINGS = (*RAISED_SEMITONES, STEP_SEMITONES, FAR_SEMITONES)
_CONDITION = ("stage", "condition")
CONDITION_VARIABLES = {
    **STAGE,
    "condition": Variable(("condition",), "1", "what is played: components, their level, their context"),
    "component_kind": Variable(("condition",), "1", "kind of component: partial, pitch or chord"),
    "density": Variable(("condition",), "1", "components that sound beside the one that is tested"),
    "component_level_dbfs": Variable(
        ("condition",), "dB re full-scale sine", "level of the component; all others together are 6 dB louder"
    ),
    "n_codebooks": Variable(("stage",), "1", "codebooks the vectors are summed from; 0 before them"),
    "component": Variable(("component",), "1", "number of the component, from low to high"),
    "component_label": Variable(("condition", "component"), "1", "name of each component"),
    "component_frequency": Variable(
        ("condition", "component"), "Hz", "its frequency or fundamental frequency, geometric mean over groups"
    ),
    "group": Variable(("group",), "1", "number of the group: components and contexts drawn anew"),
    "spacing_semitones": Variable(
        ("spacing_semitones",), "semitones", "how far two components are apart; the last: at least so far"
    ),
}


def summarised_variables(name: str, long_name: str, *dims: str) -> dict[str, Variable]:
    """Declare a measure with its interval, its values by group and its profile over components.

    Examples
    --------
    >>> list(summarised_variables("place", "place"))[:5]
    ['place', 'place_low', 'place_high', 'place_by_group', 'place_of_each']
    """
    plain, profile = (*_CONDITION, *dims), (*_CONDITION, *dims, "component")
    return {
        name: Variable(plain, "1", long_name),
        f"{name}_low": Variable(plain, "1", f"lower end of its 95 % interval: {long_name}"),
        f"{name}_high": Variable(plain, "1", f"upper end of its 95 % interval: {long_name}"),
        f"{name}_by_group": Variable((*plain, "group"), "1", f"in each group: {long_name}"),
        f"{name}_of_each": Variable(
            (*profile, "group"), "1", f"of each component in each group: {long_name}"
        ),
        f"{name}_profile": Variable(profile, "1", f"of each component: {long_name}"),
        f"{name}_profile_low": Variable(
            profile, "1", f"lower end of its 95 % interval: {long_name}, component"
        ),
        f"{name}_profile_high": Variable(
            profile, "1", f"upper end of its 95 % interval: {long_name}, component"
        ),
    }


def session_of(
    encoder: Encoder | Session[Encoder], stages: Sequence[str] | None, seed: int
) -> Session[Encoder]:
    """Return a session of an encoder; one that is given as it is."""
    return encoder if isinstance(encoder, Session) else Session(encoder, stages, seed=seed)


def summarised(
    name: str, each: Sequence[np.ndarray], trials: int = 0, lowest: float = 0.0
) -> dict[str, np.ndarray]:
    """Summarise what single groups and components gave, condition by condition, at one stage.

    Parameters
    ----------
    name : str
    each : sequence of float [groups, ..., components]
        Of each condition.
    trials : int, optional
        Of proportions: independent trials of one component in one group.
    lowest : float
        What the measure cannot fall below, nor its interval; 1 is the most for all.

    Returns
    -------
    variables : dict of str to float64 [conditions, ...]
        As `summarised_variables` declares them: padded with NaN where there are fewer groups or components.
    """
    widest = max(one.shape[-1] for one in each)
    found: dict[str, list[np.ndarray]] = {}
    for one in each:
        by_group = np.moveaxis(finite_mean(one), 0, -1)  # [..., groups]
        profile = np.moveaxis(one, 0, -1)  # [..., components, groups]
        row = {name: by_group.mean(-1)}
        whole, each_one = group_interval(by_group, trials * one.shape[-1]), group_interval(profile, trials)
        row[f"{name}_low"], row[f"{name}_high"] = (end.clip(lowest, 1) for end in whole)
        row[f"{name}_by_group"] = widened(by_group, GROUPS)
        every = widened(profile.swapaxes(-1, -2), widest).swapaxes(-1, -2)
        row[f"{name}_of_each"] = widened(every, GROUPS)
        row[f"{name}_profile"] = widened(profile.mean(-1), widest)
        low, high = (end.clip(lowest, 1) for end in each_one)
        row[f"{name}_profile_low"], row[f"{name}_profile_high"] = widened(low, widest), widened(high, widest)
        for key, values in row.items():
            found.setdefault(key, []).append(values)
    return {key: np.stack(values) for key, values in found.items()}


def widened(values: np.ndarray, size: int) -> np.ndarray:
    """Return values [..., n] as [..., size], NaN where there are none."""
    padded = np.full((*values.shape[:-1], size), np.nan)
    padded[..., : values.shape[-1]] = values
    return padded


def answered(
    session: Session[Encoder],
    played: Played,
    stages: Sequence[str],
    variables: dict[str, Variable],
    by_stage: Sequence[dict[str, np.ndarray]],
    extra: dict[str, np.ndarray] | None = None,
) -> xr.Dataset:
    """Put what stages gave, condition by condition, into a dataset, with everything that describes it."""
    encoder = session.encoder
    about = stage_coordinates(encoder, stages, played.plan)
    del about["channel"]
    stacked = {name: np.stack([one[name] for one in by_stage]) for name in by_stage[0]}
    return dataset(
        variables,
        {
            **about,
            **stacked,
            **conditions_played(played, encoder.sample_rate, session.seed),
            "n_codebooks": np.array([encoder.stages[s].codebooks for s in stages]),
            **(extra or {}),
        },
        {**run_attributes(1, played.plan, played.stimuli), "noise_share": NOISE_SHARE, "seed": session.seed},
    )


def conditions_played(played: Played, sample_rate: float, seed: int) -> dict[str, np.ndarray]:
    """Describe conditions and their components."""
    conditions = played.conditions
    drawn = [
        [components_of(c.kind, group, sample_rate, seed) for group in range(groups_of(c, played.groups))]
        for c in conditions
    ]
    widest = max(len(groups[0].labels) for groups in drawn)
    frequency = np.stack(
        [
            widened(np.exp(np.mean([np.log(one.frequency_hz) for one in groups], axis=0)), widest)
            for groups in drawn
        ]
    )
    labels = np.full((len(conditions), widest), "", dtype="<U32")
    for row, groups in zip(labels, drawn, strict=True):
        row[: len(groups[0].labels)] = groups[0].labels
    return {
        "condition": np.array([c.label for c in conditions]),
        "component_kind": np.array([c.kind for c in conditions]),
        "density": np.array([c.density for c in conditions]),
        "component_level_dbfs": np.array([c.level_dbfs for c in conditions]),
        "component": np.arange(widest),
        "component_label": labels,
        "component_frequency": frequency,
        "group": np.arange(GROUPS),
    }


def without_conditions(found: xr.Dataset) -> xr.Dataset:
    """Drop the dimension of conditions where there is but one."""
    return found.squeeze("condition") if found.sizes["condition"] == 1 else found


def answer_of(variable: str, kind: str = "partial", **labels: object) -> Callable[[xr.Dataset, int], float]:
    """Return what reads a variable at the first stage, of the condition that stands for a kind."""

    def read(result: xr.Dataset, sample_rate: int) -> float:
        kinds = np.atleast_1d(result["component_kind"].values)
        if variable not in result or kind not in kinds:
            return np.nan
        one = result[variable].isel(stage=0)
        if "condition" in one.dims:
            one = one.isel(condition=int(np.flatnonzero(kinds == kind)[0]))
        return float(one.sel(labels))

    return read
