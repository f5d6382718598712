"""Latents of melody models: which are active, what is lost without the others, and what they mean."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import xarray as xr

from ...probes.latents.correlation import GROUPS
from ...probes.statistics.resampling import ALPHA
from ...synth.melodies import STEPS_PER_BAR
from ..audio import Sounds
from ..chapter import Chapter, first_finding
from ..columns import Column, Value
from ..figures import Illustration
from ..figures.latents.features import phik_matrix
from ..figures.latents.latents import active_by_threshold, sigma_and_mu
from ..figures.latents.models import models_side_by_side
from ..figures.latents.traversals import traversal_effects, traversal_rolls
from ..figures.latents.uses import accuracy_by_kept, activation
from ..latent_audio import traversal_clips
from ..runs import Subject
from ..writing import counted, enumerated, written

Draw = Callable[[xr.Dataset, Sequence[xr.Dataset], str], Sequence[Illustration]]


def _drawn(probe: str, draw: Draw) -> Callable[[Subject, Sequence[Subject]], Sequence[Illustration]]:
    """Return what draws a subject's figures, beside its random networks."""

    def figures(subject: Subject, controls: Sequence[Subject]) -> Sequence[Illustration]:
        result = subject.result(probe)
        return [] if result is None else draw(result, subject.of_baselines(probe), subject.name)

    return figures


def _drawn_of_all(probe: str, draw: Draw) -> Callable[[Sequence[Subject]], Sequence[Illustration]]:
    """Return what draws the figures of every control."""
    figures = _drawn(probe, draw)
    return lambda controls: [one for control in controls for one in figures(control, ())]


# how many are active, and which


def _active(result: xr.Dataset) -> np.ndarray:
    """Return how many latents are active on the model's own samples, by each criterion."""
    return result.isel(material=0)["is_active"].sum("dimension").values


def _active_by(criterion: int) -> Value:
    return lambda result, stage: float(_active(result)[criterion])


def _filled(result: xr.Dataset, stage: str) -> float:
    own = result.isel(material=0)
    total = own["total_variance"].values[own["is_active"].values[0]]
    return float(np.median(total)) if total.size else np.nan


def _latents_about(subject: Subject) -> Iterator[str]:
    if (found := subject.result("latents")) is not None:
        bars = counted(subject.tree.attrs["steps"] // STEPS_PER_BAR, "bar")
        yield f"Melodies of {bars}, {counted(found.sizes['dimension'], 'latent dimension')}."
        yield f"What was encoded: {found.attrs['materials']}."


def _which_are_active(subject: Subject) -> Iterator[str]:
    if (found := subject.result("latents")) is None:
        return
    own = found.isel(material=0)
    counts, size = _active(found), own.sizes["dimension"]
    threshold = 1 - float(found.attrs["sigma_threshold"])
    sentence = (
        f"{counts[0]} of {counted(size, 'dimension')} ({100 * counts[0] / size:.0f} %) "
        f"{'is an active latent' if counts[0] == 1 else 'are active latents'}, by a mean sigma below "
        f"{threshold:g}; by variance of mu there {'is' if counts[1] == 1 else 'are'} {counts[1]}, by "
        f"divergence {counts[2]}."
    )
    if counts[0] or counts[1]:
        sentence += (
            f" Sigma and variance share {100 * float(own['agreement'][0, 1]):.0f} % of what either names."
        )
    at_tenth = own["count"].sel(threshold=0.1, method="nearest").values
    sentence += f" With 0.1 for each they are {', '.join(map(str, at_tenth))}."
    for random in subject.of_baselines("latents"):
        sentence += f" A random network has {enumerated([str(n) for n in _active(random)])}."
    yield sentence
    total, music = own["total_variance"].values, own["is_active"].values[0]
    if counts[0]:
        yield (
            f"Variance of mu and mean squared sigma add up to {np.median(total[music]):.2f} (median) over "
            f"active latents, from {total[music].min():.2f} to {total[music].max():.2f}"
            + (f", and to {np.median(total[~music]):.2f} over the others" if counts[0] < size else "")
            + "; 1 means that posteriors fill the prior."
        )


def _latents(found: xr.Dataset, random: Sequence[xr.Dataset], name: str) -> Sequence[Illustration]:
    return [sigma_and_mu(found, random, name), active_by_threshold(found, random, name)]


def _models_side_by_side(encoders: Sequence[Subject]) -> Iterator[Illustration]:
    probes = ("latents", "reconstruction", "features")
    models: dict[str, dict[str, xr.Dataset]] = {}
    times: Counter[str] = Counter()  # several runs may hold the same model
    for one in encoders:
        if found := {p: result for p in probes if (result := one.result(p)) is not None}:
            times[one.name] += 1
            models[f"{one.name} ({times[one.name]})" if times[one.name] > 1 else one.name] = found
    if len(models) > 1:
        yield models_side_by_side(models)


# what is lost without the others


def _accuracy(measure: str) -> Value:
    """Return what reads the accuracy with all dimensions, in one measure."""
    return lambda result, stage: float(
        result["accuracy"].sel(order="relevance", measure=measure).isel(kept=-1)
    )


def _rest_zeroed(kept: xr.Dataset) -> xr.Dataset:
    return kept.sel(order="relevance", measure="free-running", kept=kept.attrs["active_latents"])


def _what_is_lost(subject: Subject) -> Iterator[str]:
    if (found := subject.result("reconstruction")) is None:
        return
    rest = _rest_zeroed(found)
    loss, low, high = (100 * float(rest[name]) for name in ("loss_to_all", "loss_low", "loss_high"))
    said = [f"{written(_accuracy(m)(found, ''), 'percent')} {m}" for m in found["measure"].values]
    active = counted(int(found.attrs["active_latents"]), "active latent")
    yield (
        f"With all dimensions {', '.join(said)} ({found.attrs['n_melodies']} {found.attrs['material']}); "
        f"with all but the {active} zeroed it loses {loss:z.2f} percentage points"
        f"{_between(low, high, 'z.2f')}."
    )


def _reconstruction(found: xr.Dataset, random: Sequence[xr.Dataset], name: str) -> Sequence[Illustration]:
    return [accuracy_by_kept(found, name)]


# what they mean


def _largest(features: xr.Dataset, group: str, rank: int = 0) -> float:
    """Return the largest phik of a dimension with the features of a group."""
    values = features["phik"].isel(rank=rank).values[features["feature_group"].values == group]
    values = values[np.isfinite(values)]
    return float(values.max()) if values.size else np.nan


def _largest_in(group: str) -> Value:
    return lambda result, stage: _largest(result, group)


def _what_they_mean(subject: Subject) -> Iterator[str]:
    if (found := subject.result("features")) is None:
        return
    random = subject.of_baselines("features")
    for rank in range(min(2, found.sizes["rank"])):
        row = found.isel(rank=rank)
        if not row["phik"].notnull().any():
            continue
        best = row.isel(feature=int(np.nanargmax(row["phik"].values)))
        others = [float(one["phik"].isel(rank=rank).max()) for one in random]
        beside = f"; a random network's reaches {max(others):.2f}" if others else ""
        groups = [f"{group} {written(_largest(found, group, rank), '1')}" for group in GROUPS]
        yield (
            f"Dimension {rank + 1} in the order of relevance goes with {best['feature'].values} "
            f"({best['feature_group'].values}; phik {float(best['phik']):.2f}, corrected p "
            f"{float(best['p_corrected']):.3f}){beside}. By group: {', '.join(groups)}."
        )


def _features(found: xr.Dataset, random: Sequence[xr.Dataset], name: str) -> Sequence[Illustration]:
    return [phik_matrix(found, random, name)]


# what melodies excite, and what moving a latent does


def _what_is_excited(subject: Subject) -> Iterator[str]:
    found = subject.result("activation")
    if found is None or not found.attrs["active_latents"]:
        return
    at_one = found.sel(activity=1.0, method="nearest")
    said = []
    for name in found["material"].values:
        mean, low, high = (
            float(at_one[end].sel(material=name)) for end in ("active", "active_low", "active_high")
        )
        said.append(f"{name} {mean:.1f}{_between(low, high, '.1f')}")
    count = counted(int(found.attrs["active_latents"]), "active latent")
    yield f"Of {count}, those further than 1 from 0 in one melody: {', '.join(said)}."


def _activation(found: xr.Dataset, random: Sequence[xr.Dataset], name: str) -> Sequence[Illustration]:
    return [activation(found, random, name)]


def _what_moving_does(subject: Subject) -> Iterator[str]:
    if (found := subject.result("traversals")) is None:
        return
    is_unused = found["is_unused"].values
    verdicts = found["verdict"].values[~is_unused]
    moved = counted(verdicts.shape[0], "dimension")
    confirmed, contradicted = (int((verdicts == name).sum()) for name in ("confirmed", "contradicted"))
    one = verdicts.shape[0] == 1
    if together := confirmed + contradicted:
        sentence = (
            f"Moved one at a time, {moved} confirm{'s' * one} {confirmed} of {'its' if one else 'their'} "
            f"{counted(together, 'correlation')} with the feature {'it goes' if one else 'they go'} with "
            f"most in each group, and contradict{'s' * one} {contradicted}."
        )
    else:
        sentence = f"Of {moved} that {'was' if one else 'were'} moved none has a correlation to confirm."
    for unused in (found.isel(rank=i) for i in np.flatnonzero(is_unused)):
        stirred = int((unused["p_corrected"].values <= ALPHA).sum())
        sentence += (
            f" The least relevant dimension moves {stirred} of {counted(found.sizes['feature'], 'feature')} "
            f"and changes {100 * float(unused['changed'].max()):.1f} % of steps at most."
        )
    yield sentence


def _traversals(found: xr.Dataset, random: Sequence[xr.Dataset], name: str) -> Sequence[Illustration]:
    return [traversal_effects(found, name), traversal_rolls(found, name)]


def _moved_sounds(found: xr.Dataset) -> Sounds:
    caption = "The same melody, one dimension set to another value, all at one gain:"
    return Sounds(caption, traversal_clips(found))


def _between(low: float, high: float, form: str) -> str:
    """Write an interval in brackets; nothing where there is none, as over one piece."""
    return f" ({low:{form}} to {high:{form}})" if np.isfinite(low) else ""


LATENTS = Chapter(
    "latents",
    question="Which latents are active?",
    title="Active latents",
    answer=first_finding(_which_are_active),
    columns=(
        Column("Dimensions", "of the latent", "count", lambda result, stage: result.sizes["dimension"],
               is_compared=False),
        Column("Active latents", "dimensions whose mean sigma lies below the threshold, on the model's own "
               "samples", "count", _active_by(0)),
        Column("By variance", "dimensions whose mu varies by more than 0.01", "count", _active_by(1)),
        Column("By divergence", "dimensions that diverge from the prior by more than 0.01 nats", "count",
               _active_by(2)),
        Column("Information", "mean divergence of a melody's posterior from the prior, in nats, all "
               "dimensions together", "nats",
               lambda result, stage: float(result["divergence"].isel(material=0).sum())),
        Column("Fills prior", "median over active latents of variance of mu plus mean squared sigma; 1 if "
               "posteriors fill the prior", "1", _filled),
    ),
    about=_latents_about,
    findings=_which_are_active,
    figures=_drawn("latents", _latents),
    figures_of_controls=_drawn_of_all("latents", _latents),
    figures_of_several=_models_side_by_side,
)  # fmt: skip
RECONSTRUCTION = Chapter(
    "reconstruction",
    question="Are the active latents enough?",
    title="Dimensions kept",
    answer=first_finding(_what_is_lost),
    columns=(
        Column("Accuracy", "steps right, greedy and free-running, from the posterior's mean", "percent",
               _accuracy("free-running")),
        Column("Teacher-forced", "steps right with the true step before each given", "percent",
               _accuracy("teacher-forced")),
        Column("Onsets", "notes that begin where they should at their pitch, free-running", "percent",
               _accuracy("onsets")),
        Column("Rest zeroed", "change of accuracy, in percentage points, when all but the active latents are "
               "zeroed", "points", lambda result, stage: -float(_rest_zeroed(result)["loss_to_all"])),
    ),
    findings=_what_is_lost,
    figures=_drawn("reconstruction", _reconstruction),
    figures_of_controls=_drawn_of_all("reconstruction", _reconstruction),
)  # fmt: skip
FEATURES = Chapter(
    "features",
    question="What do latents mean?",
    title="What they mean",
    answer=first_finding(_what_they_mean),
    columns=tuple(
        Column(f"phik {group}", f"largest phik of the most relevant dimension with a {group} feature", "1",
               _largest_in(group))
        for group in GROUPS
    ),
    findings=_what_they_mean,
    figures=_drawn("features", _features),
    figures_of_controls=_drawn_of_all("features", _features),
)  # fmt: skip
ACTIVATION = Chapter(
    "activation",
    question="Which latents do melodies excite?",
    findings=_what_is_excited,
    figures=_drawn("activation", _activation),
    figures_of_controls=_drawn_of_all("activation", _activation),
)
TRAVERSALS = Chapter(
    "traversals",
    question="Does moving a latent do what its correlations promise?",
    answer=first_finding(_what_moving_does),
    findings=_what_moving_does,
    figures=_drawn("traversals", _traversals),
    figures_of_controls=_drawn_of_all("traversals", _traversals),
    sounds=_moved_sounds,
)
CHAPTERS = (LATENTS, RECONSTRUCTION, FEATURES, ACTIVATION, TRAVERSALS)
