"""Folding: where the power of tones goes when a stage downsamples, and what can be had back."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import xarray as xr

from ...probes.engine.grid import USUAL_DBFS
from ..answers import Answer, Scale, at, beside_random
from ..chapter import Chapter, each_stage
from ..columns import has_power, measured
from ..estimates import Estimate
from ..figures import Illustration
from ..figures.folding.alias_map import alias_maps
from ..figures.folding.collapse import against_chance, collapse_by_stage, confusion_map, verdict
from ..figures.folding.invertibility import invertibility_by_stage
from ..figures.folding.ledger import ledger, ledger_by_level
from ..figures.folding.rejection import rejection
from ..figures.folding.representability import representability_scatter
from ..runs import Subject
from ..selecting import at_stage, stages_with
from ..writing import capitalised, counted, enumerated

FAINT = 0.01  # share of tones and channels below the floor that is worth a word
ONE_SOUND, NOTHING, TRIFLE = 0.9, 0.01, 0.1  # of collapse

AT_FOLD = measured(
    "bank_share", "At fold", "share of a tone's output power at its predicted fold", "1", np.mean, "fold",
    is_side_by_side=True,
)  # fmt: skip
SHIFT = measured(
    "bank_share", "Mean shift", "share that is a steady offset", "1", np.mean, "mean_shift",
    is_side_by_side=True,
)  # fmt: skip
GAIN = measured(
    "smallest_singular_value", "Smallest gain",
    "smallest singular value of the bank, 0 if it cannot be undone", "gain", np.max,
)  # fmt: skip
RANK = measured(
    "rank_share", "Rank", "share of singular values above zero", "1", np.max, is_side_by_side=True
)
PREDICTED = measured(
    "correlation", "Predicted",
    "correlation of what strides predict of a signal's partials with what a readout recovers", "1", np.max,
    is_side_by_side=True,
)  # fmt: skip


def _aliasing_about(subject: Subject) -> Iterator[str]:
    if (tones := subject.result("aliasing")) is None:
        return
    levels = [f"{level:g}" for level in np.atleast_1d(tones["level_dbfs"].values)]
    shown = f"; figures and tables show the level nearest to {USUAL_DBFS:g} dBFS" * (len(levels) > 1)
    count = counted(tones.sizes["frequency"], "coherent partial")
    yield f"Aliasing is measured with {count}, at {enumerated(levels)} dBFS{shown}."


def _folding(subject: Subject, tones: xr.Dataset, stage: str) -> Iterator[str]:
    if stage not in stages_with(tones, "bank_share"):
        return
    at_fold, shift = (column.beside_random(subject, "aliasing", stage) for column in (AT_FOLD, SHIFT))
    yield f"{at_fold} of a tone's output power lies where folding must put it, {shift} is a mean shift."
    one = at_stage(tones, stage)
    if np.isfinite(float(one["collapse"])) and float(one["n_sharing"]) > 0:
        yield f"Collapse is {verdict(one)}: {_meaning(one)}."


def _meaning(one: xr.Dataset) -> str:
    low, high = float(one["collapse_low"]), float(one["collapse_high"])
    if low > ONE_SOUND:
        return "tones of one fold are one sound"
    if low <= NOTHING:
        if max(-low, high) < TRIFLE:
            return "sharing a fold makes no difference"
        return "it is open whether sharing a fold makes a difference"
    chance, side = float(one["collapse_chance"]), against_chance(one)
    if not side and not max(chance - low, high - chance) < TRIFLE:  # nor where chance is not known
        return "it is open whether channels tell tones of one fold apart as well as others"
    compared = {-1: "better than", 0: "as well as", 1: "less well than"}[side]
    return f"channels tell tones of one fold apart {compared} others"


def _folds(subject: Subject) -> Answer | None:
    """Say whether tones that fold onto one frequency become one sound, at the deepest stage that folds."""
    if (tones := subject.result("aliasing")) is None:
        return None
    stages = [
        stage
        for stage in stages_with(tones, "collapse")
        if float(at_stage(tones, stage)["n_sharing"]) > 0 and np.isfinite(_collapse(tones, stage).value)
    ]
    if not stages:
        return None
    stage = "stack_end" if "stack_end" in stages else stages[-1]
    own, one = _collapse(tones, stage), at_stage(tones, stage)
    elsewhere = AT_FOLD.of(tones, stage)
    beside = {
        kind: [_collapse(seed, stage) for seed in seeds if stage in stages_with(seed, "collapse")]
        for kind, seeds in subject.by_kind("aliasing").items()
    }
    moved = (
        f"{100 * elsewhere:.0f} % of a tone's power comes out where folding must put it; "
        if np.isfinite(elsewhere)
        else ""
    )
    sentence = f"{at(stage)} {moved}{_meaning(one)} (collapse {own})."
    random = beside_random(beside, "1")
    sentence += f" {capitalised(random)}." if random else ""
    scale = Scale(1.0, 0.0, "one fold, one sound", "no matter what folds")
    return Answer(stage, sentence, f"{_meaning(one)} (collapse {own})", random, own, scale, beside)


def _collapse(tones: xr.Dataset, stage: str) -> Estimate:
    one = at_stage(tones, stage)
    return Estimate(*(float(one[f"collapse{end}"]) for end in ("", "_low", "_high")))


def _aliasing_cautions(one: xr.Dataset) -> Iterator[str]:
    if "bank_share" not in one or not one["bank_share"].notnull().any():
        return
    cells = one.sizes["channel"] * one.sizes["frequency"]
    faint = int(one["n_below_floor"])
    if faint >= FAINT * cells:
        yield (
            f"{faint} of {cells} responses of a channel to a tone lie below the floor and have no ledger of "
            "their own"
        )
    coincident = int(one["coincident"].values.astype(bool).any(-1).sum())
    if coincident:
        yield (
            f"for {coincident} of {one.sizes['frequency']} tones two predicted frequencies are one; the "
            "power there is counted for the lower harmonic"
        )
    if not np.isfinite(float(one["collapse"])) or not float(one["n_sharing"]):
        yield verdict(one)


def _aliasing(subject: Subject, controls: Sequence[Subject]) -> Iterator[Illustration]:
    tones, random = subject.result("aliasing"), subject.of_baselines("aliasing")
    if tones is None or not stages_with(tones, "bank_share"):
        return
    pairs = subject.result("intermodulation"), subject.of_baselines("intermodulation")
    yield alias_maps(tones, random, subject.name)
    yield ledger(tones, random, subject.name, *pairs)
    if stages_with(tones, "level_effect"):
        yield ledger_by_level(tones, random, subject.name)
    yield confusion_map(tones, random, subject.name)
    if stages_with(tones, "collapse"):
        yield collapse_by_stage(tones, random, subject.name)
    if stages_with(tones, "bank_rejection"):
        yield rejection(tones, random, subject.name)


def _undone(subject: Subject, bank: xr.Dataset, stage: str) -> Iterator[str]:
    value = GAIN.of(bank, stage)
    if not np.isfinite(value):
        return
    can = f"can be undone (smallest gain {value:.2g})" if value > 0 else "cannot be undone"
    one, what = at_stage(bank, stage), "as a linear bank"
    if str(one["method"].values) == "jacobian":
        what += f", its Jacobian at silence, which errs by {float(one['linearisation_error']):.2g},"
    rank = RANK.beside_random(subject, "invertibility", stage)
    yield f"{what} it {can}; {rank} of its singular values are above zero."


def _invertibility_cautions(one: xr.Dataset) -> Iterator[str]:
    remark = str(one["remark"].values)
    if remark and has_power(one):
        found = "no singular values"
        if str(one["method"].values) == "jacobian":
            found = "singular values are of the linearisation"
        yield f"{found} ({remark})"


def _invertibility(subject: Subject, controls: Sequence[Subject]) -> Iterator[Illustration]:
    bank = subject.result("invertibility")
    if bank is not None and stages_with(bank, "largest_singular_value"):
        yield invertibility_by_stage(bank, subject.of_baselines("invertibility"), subject.name)


def _recovered(subject: Subject, sounds: xr.Dataset, stage: str) -> Iterator[str]:
    if np.isfinite(PREDICTED.of(sounds, stage)):
        one = at_stage(sounds, stage)
        low, high, p = (float(one[f"correlation_{n}"]) for n in ("low", "high", "p"))
        yield (
            "what the strides predict of a signal's partials correlates with what a readout recovers by "
            f"{PREDICTED.beside_random(subject, 'representability', stage)}, interval {low:z.2f} to "
            f"{high:z.2f}, p {p:.3f}."
        )


def _representability_cautions(one: xr.Dataset) -> Iterator[str]:
    if remark := str(one["remark"].values):
        yield f"no correlation of predicted and recovered partials ({remark})"
    if "recovered" in one and (unread := int((one["n_partials"] == 0).sum())):
        yield (
            f"{unread} of {one.sizes['signal']} signals {'has' if unread == 1 else 'have'} no partials and "
            "no values: recordings that are silent, or too short for the encoder's window"
        )


def _representability(subject: Subject, controls: Sequence[Subject]) -> Iterator[Illustration]:
    sounds = subject.result("representability")
    if sounds is not None and stages_with(sounds, "recovered"):
        yield representability_scatter(sounds, subject.of_baselines("representability"), subject.name)


ALIASING = Chapter(
    "aliasing",
    question="What folds when it downsamples?",
    answer=_folds,
    columns=(
        AT_FOLD,
        measured("null_share", "Fold by chance", "the same at the folds of the other tones", "1", np.mean,
                 is_compared=False),
        SHIFT,
        measured("bank_share", "Rest", "share that no prediction claims", "1", np.mean, "rest"),
        measured("level_effect", "Level", "share that changes its part from the lowest to the highest level",
                 "1", np.max),
        measured("bank_rejection", "Rejection", "response above the stage's Nyquist frequency re below",
                 "level", np.max),
        measured("collapse", "Collapse",
                 "how much more alike tones that share a fold are than others as far apart", "1", np.max,
                 is_side_by_side=True),
        measured("collapse_chance", "Coll. by chance", "collapse if channels answered to both as to others",
                 "1", np.max, is_compared=False),
    ),
    about=_aliasing_about,
    findings=each_stage("aliasing", _folding),
    cautions=_aliasing_cautions,
    figures=_aliasing,
    panels={("bank_share", "fold"): "power at the fold"},
)  # fmt: skip
INTERMODULATION = Chapter(  # its figure is the ledger of aliasing
    "intermodulation",
    question="What do two tones make together?",
    columns=(
        measured("bank_share", "Intermod.", "share of intermodulation when two tones play", "1", np.mean,
                 "intermodulation"),
    ),
)  # fmt: skip
INVERTIBILITY = Chapter(
    "invertibility",
    question="Can the sound be had back in spite of folding?",
    columns=(
        GAIN,
        RANK,
        measured("channels_per_hop", "Channels / hop", "below 1 no bank can be undone", "1", np.max,
                 is_compared=False),
    ),
    findings=each_stage("invertibility", _undone),
    cautions=_invertibility_cautions,
    figures=_invertibility,
)  # fmt: skip
REPRESENTABILITY = Chapter(
    "representability",
    question="Do the strides alone foretell which partials survive?",
    columns=(
        PREDICTED,
        measured("partial_correlation", "Given density", "the same given the number of partials", "1",
                 np.max),
    ),
    findings=each_stage("representability", _recovered),
    cautions=_representability_cautions,
    figures=_representability,
    panels={("recovered", ""): "partials recovered"},
)  # fmt: skip
CHAPTERS = (ALIASING, INTERMODULATION, INVERTIBILITY, REPRESENTABILITY)
