"""Sparse dictionaries: how many features there are, how faithful they are, and how many mean something."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

import numpy as np
import xarray as xr

from ...probes.dictionaries.learning import FROZEN, TRAINED
from ..audio import Sounds
from ..chapter import Chapter, each_stage, first_finding
from ..columns import Column, Value, measured
from ..dictionary_audio import feature_clips
from ..figures import Illustration
from ..figures.dictionaries.classes import class_recovery, mean_recovery, measured_classes
from ..figures.dictionaries.examples import feature_examples
from ..figures.dictionaries.explained import COSTS, components_beside, explained_variance
from ..figures.dictionaries.funnel import KEPT, feature_funnel
from ..figures.dictionaries.labelled import SHUFFLED, factor_counts, label_counts, labels_by_factor
from ..figures.dictionaries.series import Beside, Series, drawn_stages, series_of
from ..figures.dictionaries.steered import is_decided
from ..runs import Subject
from ..selecting import stages_of
from ..writing import counted, enumerated, listed, written

MOST_DETAILED = 4  # stages that have a figure of their own
MOST_NAMED = 3  # factors that a sentence names
Draw = Callable[[xr.Dataset, Beside, str], Iterable[Illustration]]


def drawn(probe: str, draw: Draw) -> Callable[[Subject, Sequence[Subject]], Iterable[Illustration]]:
    """Return what draws a subject's figures, beside its baselines."""

    def figures(subject: Subject, controls: Sequence[Subject]) -> Iterable[Illustration]:
        result = subject.result(probe)
        return [] if result is None else draw(result, subject.by_kind(probe), subject.name)

    return figures


def drawn_of_all(probe: str, draw: Draw) -> Callable[[Sequence[Subject]], Iterable[Illustration]]:
    """Return what draws the figures of every control."""
    figures = drawn(probe, draw)
    return lambda controls: [one for control in controls for one in figures(control, ())]


def _read(variable: str, **labels: str) -> Value:
    """Return what reads a variable at a stage; NaN where it was not measured, or of no such dictionary."""

    def read(result: xr.Dataset, stage: str) -> float:
        there = variable in result and all(label in result[name].values for name, label in labels.items())
        return float(result[variable].sel({"stage": stage, **labels})) if there else np.nan

    return read


# how many features there are, and how faithful they are


def _components(result: xr.Dataset, stage: str) -> float:
    """Return what as many components explain as features are kept, between two numbers of them if need be."""
    beside = components_beside(result.sel(stage=stage))
    k = int(result["k"].sel(stage=stage))
    return float(np.interp(k, list(beside), list(beside.values()))) if beside else np.nan


def _surviving(definition: str) -> Value:
    return _read("funnel", variant=TRAINED, definition=definition, fate="surviving")


def _dictionaries_about(subject: Subject) -> Iterator[str]:
    if (found := subject.result("dictionaries")) is None:
        return
    yield f"Dictionaries: {found.attrs['dictionaries']}. Measured on {found.attrs['clips']}."


def _opening(subject: Subject, found: xr.Dataset) -> Iterator[str]:
    """Say how many features there are, how many mean something and how many steer, as far as measured."""
    stages = stages_of(found)
    counts = [int(found["n_features"].sel(stage=stage)) for stage in stages]
    if len(set(counts)) == 1:
        where = f"{'each of ' * (len(stages) > 1)}{enumerated(stages)}"
        yield f"There are {counted(counts[0], 'feature')} at {where}."
    else:
        each = [f"{counted(n, 'feature')} at {stage}" for n, stage in zip(counts, stages, strict=True)]
        yield f"There are {enumerated(each)}."
    if (labels := subject.result("labels")) is not None:
        yield f"Of these mean something: {listed(list(_meaningful(subject, labels)))}."
    if (steering := subject.result("steering")) is not None and (n := int(steering.attrs["n_steered"])):
        own, rivals = (int(steering.attrs[name]) for name in ("n_survive", "n_means_survive"))
        tried = f"Of {n} that {'was' if n == 1 else 'were'} steered by"
        if is_decided(steering):
            yield (
                f"{tried} {own or 'none'} {'steer' if own > 1 else 'steers'}; difference of means steers for "
                f"{rivals or 'none'}."
            )
        else:
            yield f"{tried} it is not decided whether any steers."


def _meaningful(subject: Subject, labels: xr.Dataset) -> Iterator[str]:
    """Write how many labels hold at each stage, with random weights in brackets if they were measured."""
    own, *others = series_of(labels, {"random": subject.of_baselines("labels")})
    for stage in stages_of(labels):
        random = [one.written("n_kept", stage, "count") for one in others if one.name != FROZEN]
        beside = "".join(f" ({text})" for text in random if text)
        yield f"{own.values('n_kept', stage)[0]:.0f} at {stage}{beside}"


def _how_many(subject: Subject) -> Iterator[str]:
    if (found := subject.result("dictionaries")) is not None:
        yield " ".join(_opening(subject, found))
        yield from each_stage("dictionaries", _how_faithful)(subject)


def _how_faithful(subject: Subject, found: xr.Dataset, stage: str) -> Iterator[str]:
    one = found.sel(stage=stage, variant=TRAINED)
    features = int(one["n_features"])
    frames, clips = (int(_surviving(d)(found, stage)) for d in ("frames", "clips"))
    yield (
        f"{frames:,} of {counted(features, 'feature')} ({written(frames / features, 'share')}) "
        f"{'is' if frames == 1 else 'are'} active on {KEPT} of frames, {clips:,} "
        f"({written(clips / features, 'share')}) on as large a share of clips."
    )
    if np.isfinite(own := float(one["explained_variance"])):
        beside = [
            f"{counted(k, 'principal component')} {value:.3f}" for k, value in components_beside(one).items()
        ]
        others = series_of(found, {"random": subject.of_baselines("dictionaries")})[1:]
        for who, ends in _ranges(others, "explained_variance", stage):
            beside.append(f"{who} {' to '.join(dict.fromkeys(f'{value:.3f}' for value in ends))}")
        yield f"The dictionary explains {own:.3f} of the variance; {enumerated(beside)}."
    if "recovered" in one and (undefined := _undefined(one)):
        yield f"Recovered cross-entropy is undefined for {enumerated(undefined)}, which cost hardly anything."
    match, random = float(one["seeds_cosine"]), float(one["random_cosine"])
    if round(match, 2) <= round(random, 2):
        yield (
            f"Features match those of another seed no better than random directions do: mean cosine "
            f"{match:.2f}, random {random:.2f}."
        )


def _undefined(one: xr.Dataset) -> list[str]:
    """Return what of the ablations, in words, costs so little that nothing can be recovered."""
    return [COSTS[str(a)] for a in one["ablation"].values if np.isnan(one["recovered"].sel(ablation=a))]


def _ranges(series: Sequence[Series], variable: str, stage: str) -> Iterator[tuple[str, tuple[float, float]]]:
    for each in series:
        if len(values := each.values(variable, stage)):
            yield each.name, (float(values.min()), float(values.max()))


def _dictionaries(found: xr.Dataset, beside: Beside, name: str) -> Sequence[Illustration]:
    return [feature_funnel(found, beside, name), explained_variance(found, beside, name)]


# how many mean something


def _labels_about(subject: Subject) -> Iterator[str]:
    if (found := subject.result("labels")) is None:
        return
    yield f"Features are labelled on {found.attrs['clips']}, {found.attrs['permutations']} permutations."
    if found.attrs["left_out"]:
        yield f"Not labelled by: {found.attrs['left_out']}."


def _how_many_mean_something(subject: Subject, found: xr.Dataset, stage: str) -> Iterator[str]:
    own, *others = series_of(found, subject.by_kind("labels"))
    kept = int(own.values("n_kept", stage)[0])
    shuffled = float(found["n_kept_shuffled"].sel(stage=stage))
    beside = {**dict(_ranges(others, "n_kept", stage)), SHUFFLED: (shuffled, shuffled)}
    said = [f"{who} {_between(*ends)}" for who, ends in beside.items()]
    yield (
        f"{kept or 'no'} {'feature has' if kept == 1 else 'features have'} a label that holds on clips that "
        f"it was not made from; beside it {enumerated(said)}."
    )
    if kept and (as_many := [who for who, (_, most) in beside.items() if most >= kept]):
        yield f"That is no more than with {enumerated(as_many)}."
    if kept:
        counts, named = factor_counts(found.sel(stage=stage, variant=TRAINED)), []
        for factor, count in list(counts.items())[:MOST_NAMED]:
            named.append(f"{factor} {count}")
        yield f"{'By factor' if len(named) == len(counts) else 'Most by factor'}: {', '.join(named)}."
    yield from _what_others_say(found.sel(stage=stage))


def _what_others_say(one: xr.Dataset) -> Iterator[str]:
    """Count the labels that labelers beside known truth give, and those of them that hold."""
    if "other_label" not in one:
        return
    for labeler in one["labeler"].values:
        own = one.sel(labeler=labeler)
        if given := int((own["other_label"] != "").sum()):
            kept = int(own["other_is_kept"].sum())
            yield f"Of {counted(given, 'label')} by {labeler} {kept or 'none'} hold{'s' * (kept < 2)}."


def _between(low: float, high: float) -> str:
    return " to ".join(dict.fromkeys(written(end, "count") for end in (low, high)))


def _labels(found: xr.Dataset, beside: Beside, name: str) -> Iterator[Illustration]:
    yield label_counts(found, beside, name)
    if found.sizes["factor"]:
        yield labels_by_factor(found, beside, name)
    for stage in drawn_stages(found, MOST_DETAILED):
        if (found["shown_feature"].sel(stage=stage) >= 0).any():
            yield feature_examples(found, stage, name)
    for stage in drawn_stages(found, MOST_DETAILED):
        if measured_classes(found, stage):
            yield class_recovery(found, stage, beside, name)


def _counts_of_labels(found: xr.Dataset, beside: Beside, name: str) -> Sequence[Illustration]:
    return [label_counts(found, beside, name)]


def _exciting_clips(found: xr.Dataset) -> Sounds | None:
    clips = feature_clips(found, drawn_stages(found, MOST_DETAILED))
    caption = "Clips that excite the first of these features most, those of a feature at one gain:"
    return Sounds(caption, clips) if clips else None


def _mean(measure: str) -> Value:
    return lambda result, stage: mean_recovery(result.sel(stage=stage, variant=TRAINED), measure)


DICTIONARIES = Chapter(
    "dictionaries",
    question="How many features are there, and how faithful are they?",
    title="Sparse dictionaries",
    columns=(
        measured("n_features", "Features", "of the dictionary", "count", is_compared=False),
        measured("k", "k", "features kept of a frame", "count", is_compared=False),
        Column("L0", "features active at a frame, on average", "number", _read("l0", variant=TRAINED)),
        Column("Explained", "share of variance that the dictionary explains", "number",
               _read("explained_variance", variant=TRAINED)),
        Column("Components", "share that k principal components explain; between the next numbers of them "
               "where k was not measured", "number", _components),
        Column("Frozen decoder", "share that a dictionary explains whose decoder stays random", "number",
               _read("explained_variance", variant=FROZEN), is_compared=False),
        Column("Recovered (zero)", "share of the cross-entropy that zeros cost which reconstructed "
               "activations recover", "percent", _read("recovered", variant=TRAINED, ablation="zero")),
        Column("Recovered (mean)", "the same of what mean activations cost", "percent",
               _read("recovered", variant=TRAINED, ablation="mean")),
        Column("Unused", "features that are never active", "share", _read("unused_share", variant=TRAINED)),
        Column("Surviving (frames)", f"features active on {KEPT} of frames", "count",
               _surviving("frames")),
        Column("Surviving (clips)", f"features active on {KEPT} of clips", "count",
               _surviving("clips")),
        measured("seeds_cosine", "Seeds", "mean cosine of features matched with those of another seed", "1"),
        measured("random_cosine", "Random", "the same between random directions", "1", is_compared=False),
    ),
    about=_dictionaries_about,
    findings=_how_many,
    figures=drawn("dictionaries", _dictionaries),
    figures_of_controls=drawn_of_all("dictionaries", _dictionaries),
)  # fmt: skip
LABELS = Chapter(
    "labels",
    question="How many features mean something?",
    title="What features mean",
    answer=first_finding(each_stage("labels", _how_many_mean_something)),
    columns=(
        measured("n_clips", "Clips", "that features are labelled on", "count", is_compared=False),
        Column("Beyond null", "features beyond the null on the clips that labels are made from", "count",
               _read("n_beyond", variant=TRAINED)),
        Column("Kept", "features whose label holds on the other clips", "count",
               _read("n_kept", variant=TRAINED)),
        Column("Frozen decoder", "the same with a decoder that stays random", "count",
               _read("n_kept", variant=FROZEN), is_compared=False),
        Column("Shuffled", "the same with shuffled truths", "count", _read("n_kept_shuffled"),
               is_compared=False),
        Column("F1", "mean over classes of the best feature's F1, on clips it was not chosen on", "1",
               _mean("f1")),
        Column("Chance F1", "that F1 with shuffled truths", "1", _read("chance_f1"), is_compared=False),
        Column("MCC", "mean Matthews correlation of the same", "1", _mean("mcc")),
        Column("Chance MCC", "the correlation with shuffled truths", "1", _read("chance_mcc"),
               is_compared=False),
    ),
    about=_labels_about,
    findings=each_stage("labels", _how_many_mean_something),
    figures=drawn("labels", _labels),
    figures_of_controls=drawn_of_all("labels", _counts_of_labels),
    sounds=_exciting_clips,
)  # fmt: skip
CHAPTERS = (DICTIONARIES, LABELS)
