"""Claims about components by the four questions: presence, stability, access and place."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

import numpy as np
import xarray as xr

from ..engine.grid import USUAL_DBFS, USUAL_OTHERS
from ..engine.schema import baseline_kind, subjects
from ..statistics.finite import finite_mean
from .evidence import Evidence, PerGroup, Trend
from .hypothesis import MACHINES_ON_MUSIC, Control, Hypothesis, NoEvidence, baselines, measured
from .joint import Jointly, Part

STFT, MAGNITUDE, LOG = "filterbank:stft", "filterbank:stft_magnitude", "filterbank:stft_log"
TRACKER, ENVELOPE = "filterbank:log_tracker", "filterbank:gammatone_envelope"
TEMPLATE, CHROMA, MIXED = "filterbank:harmonic_template", "filterbank:chroma", "filterbank:stft_mixed"
PATCHES, WAVEFORM, PATCHES_MIXED = "control:patches", "control:waveform", "control:patches_mixed"
DECIMATOR, LOUDNESS, TEXTURE = "control:decimator", "control:loudness", "control:texture"
SIGN_HASH, PERMUTED, TWO_BANDS = "control:sign_hash", "control:permuted", "control:two_bands"
TRIALS = 2  # contexts of a component in a group
DENSE = 16
ARCHITECTURAL = (
    "I chose these models to prove that the effects were architectural and not model-specific––they persist "
    "across task and scale."
)
FEWEST_DRAWS = 2  # random networks that a trained one is held against
BANDS = 4  # of neighbouring components, in which profiles are compared
MARGIN = 0.1
REDRAWN = "groups, each with components and contexts of its own"
HALF_WAY = "half-way between the decimator, to which all components are one (0), and certainty (1)"


def by_group(
    run: xr.DataTree,
    node: str,
    group: str,
    variable: str,
    stage: str,
    kind: str = "partial",
    **labels: object,
) -> np.ndarray:
    """Return what groups gave, the last axis, of the condition that stands for a kind of component."""
    values = measured(run, node, group, variable, stage, **labels)
    if "condition" in values.dims:
        probe = run[node][group].to_dataset()
        there = np.flatnonzero(probe["component_kind"].values == kind)
        if not len(there):
            raise NoEvidence(f"{group} of {node} has no {kind}s")
        values = values.isel(condition=int(there[0]))
    found = values.values
    return found[..., np.isfinite(found.reshape(-1, found.shape[-1])).all(0)]


def presence_of(kind: str, variable: str = "proportion") -> Callable[[xr.DataTree, str, str], PerGroup]:
    """Return evidence of how many components are found that were added."""

    def found(run: xr.DataTree, node: str, stage: str) -> PerGroup:
        values = by_group(run, node, "presence", f"{variable}_by_group", stage, kind)
        several = run[node]["presence"].to_dataset()["component_label"]
        labels = (
            several.values if several.ndim == 1 else several.values[_kinds(run, node, "presence").index(kind)]
        )
        return PerGroup(values, trials=TRIALS * int((labels != "").sum()))

    return found


def _kinds(run: xr.DataTree, node: str, group: str) -> list[str]:
    return [str(kind) for kind in np.atleast_1d(run[node][group].to_dataset()["component_kind"].values)]


def guessing(run: xr.DataTree, node: str, kind: str) -> float:
    """Return the proportion half-way between guessing and certainty."""
    chance = np.atleast_1d(run[node]["presence"].to_dataset()["chance"].values)
    return (1 + float(chance[_kinds(run, node, "presence").index(kind)])) / 2


def stable_trace(kind: str) -> Callable[[xr.DataTree, str, str], Jointly]:
    """Return evidence that components keep their trace in other contexts, and that it is theirs alone."""

    def stable(run: xr.DataTree, node: str, stage: str) -> Jointly:
        values = by_group(run, node, "stability", "containment_by_group", stage, kind)
        contained = PerGroup(values, ends=(0, 1))
        found = presence_of(kind, "transferable")(run, node, stage)
        return Jointly((Part(contained, "above", 0.5), Part(found, "above", guessing(run, node, kind))))

    return stable


def found_in_any_position(run: xr.DataTree, node: str, stage: str) -> PerGroup:
    """Proportion of chords that are found by their planes in another position."""
    return presence_of("chord", "transferable")(run, node, stage)


def falling_stability(run: xr.DataTree, node: str, stage: str) -> Trend:
    """Containment of each group of partials over the number of others, in doublings, at equal total level."""
    values = measured(run, node, "stability", "containment_by_group", stage)
    probe = run[node]["stability"].to_dataset()
    if "condition" not in values.dims:
        raise NoEvidence(f"stability of {node} was measured at one density")
    usual = (probe["component_kind"].values == "partial") & (
        probe["component_level_dbfs"].values == USUAL_DBFS
    )
    at = np.flatnonzero(usual & (probe["density"].values > 0))
    if len(at) < 3:
        raise NoEvidence(f"stability of {node} was measured at {len(at)} densities")
    return Trend(values.isel(condition=at).values.T, np.log2(probe["density"].values[at]))


def readable(run: xr.DataTree, node: str, stage: str, density: int = DENSE) -> PerGroup:
    """Chance that a readout finds a partial in a mixture, of the order that reads better."""
    values = by_group(run, node, "access", "auc_by_group", stage, density=density)  # [orders, groups]
    return PerGroup(values[values.mean(-1).argmax()], ends=(0, 1))


def falling_access(run: xr.DataTree, node: str, stage: str) -> Trend:
    """Find the AUC of each group over the number of partials in a mixture, in doublings."""
    values = by_group(run, node, "access", "auc_by_group", stage)  # [orders, densities, groups]
    density = run[node]["access"].to_dataset()["density"].values
    return Trend(values[values[:, density == USUAL_OTHERS + 1].mean((1, 2)).argmax()].T, np.log2(density))


def placed(run: xr.DataTree, node: str, stage: str) -> PerGroup:
    """Place of partials."""
    return PerGroup(by_group(run, node, "place", "place_by_group", stage), ends=(0, 1))


def unreadable_as_matched(run: xr.DataTree, node: str, stage: str) -> Jointly:
    """Lack of access, and its profile over frequency beside each random network of the same scale."""
    others = baselines(run, node, "matched")
    if len(others) < FEWEST_DRAWS:
        raise NoEvidence(f"{len(others)} random networks of {node} at its own scale: one draw is no baseline")
    return _alike(run, node, others, stage)


def unreadable_as_others(run: xr.DataTree, node: str, stage: str) -> Jointly:
    """Lack of access, and its profile over frequency beside each of the other encoders of the run."""
    of = subjects(run)[node]
    others = [
        n
        for n, s in subjects(run, of.attrs["role"]).items()
        if (s.attrs["of"] or n) != (of.attrs["of"] or node) and baseline_kind(s) == baseline_kind(of)
    ]
    if not others:
        raise NoEvidence("no other encoder was measured")
    return _alike(run, node, others, stage)


def _alike(run: xr.DataTree, node: str, others: list[str], stage: str) -> Jointly:
    """Whether partials cannot be read, and no more nor less than in each other, in every band."""
    lacking = Part(readable(run, node, stage, USUAL_OTHERS + 1), "below", 0.75)
    own, *theirs = (_banded(run, n, stage) for n in (node, *others))
    if any(one.shape != own.shape for one in theirs):
        raise NoEvidence(f"{node} and {', '.join(others)} were measured with different partials")
    apart = [band for one in theirs for band in own - one]  # of every other and band: [groups]
    return Jointly((lacking, *(Part(PerGroup(band), "within", MARGIN) for band in apart)))


def _banded(run: xr.DataTree, node: str, stage: str) -> np.ndarray:
    """Quadratic access to partials in mixtures of five, by band of neighbouring partials: [bands, groups]."""
    values = measured(
        run, node, "access", "auc_of_each", stage, order="quadratic", density=USUAL_OTHERS + 1
    )  # [components, groups], of partials alone where nothing else was measured
    if "condition" in values.dims:
        values = values.isel(condition=_kinds(run, node, "access").index("partial"))
    each = values.values[np.isfinite(values.values).any(1)]
    return np.stack([finite_mean(band.T) for band in np.array_split(each, BANDS)])


def _claim(
    name: str,
    claim: str,
    source_expects: Literal["supported", "refuted"],
    statement: str,
    group: str,
    holds: Literal["above", "below", "within"],
    threshold: float,
    justification: str,
    alternative: str,
    evidence: Callable[[xr.DataTree, str, str], Evidence],
    positive: tuple[str, ...],
    negative: tuple[str, ...],
    controls: tuple[Control, ...] = (),
    stage: str = "latent",
) -> Hypothesis:
    return Hypothesis(
        name, statement, evidence, holds, threshold, stage, group, claim, source_expects, justification,
        REDRAWN, controls, family=MACHINES_ON_MUSIC, alternative=alternative, positive=positive,
        negative=negative,
    )  # fmt: skip


TRACES = (STFT, MAGNITUDE, LOG, ENVELOPE, PATCHES, WAVEFORM, MIXED)
NO_TRACES = (DECIMATOR, LOUDNESS, TEXTURE, TWO_BANDS, SIGN_HASH, PERMUTED)
PRESENT = (Control(STFT, low=0.93, evidence=presence_of("partial")),
           Control(DECIMATOR, high=0.12, evidence=presence_of("partial")))  # fmt: skip
READ = (Control(MAGNITUDE, low=0.9, evidence=readable), Control(DECIMATOR, 0.44, 0.56, evidence=readable))
CONTAINED = (Control(STFT, low=0.4), Control(DECIMATOR, high=-0.35), Control(TEXTURE, high=-0.35))


def _stable_at(stage: str, name: str, claim: str) -> Hypothesis:
    return _claim(
        name,
        claim,
        "refuted",
        "lesser margin of two: containment of a partial's trace in its plane of another context, "
        "above 0.5; and "
        "proportion of partials found by planes of another context, above half-way to certainty",
        "stability",
        "above",
        0.0,
        f"of both, {HALF_WAY}: containment alone is 1 where all traces are alike",
        "a representation that is linear, or nearly so at this level, keeps traces without having formed any",
        stable_trace("partial"),
        TRACES,
        NO_TRACES,
        CONTAINED,
        stage,
    )


QUESTION_CLAIMS = (
    _claim(
        "partials_are_present",
        "These representations contain internal narrowband components, but they cannot reliably "
        "expose them as "
        "independently accessible or stable substructures.",
        "supported",
        "proportion of partials found that were added to a mixture, of 16",
        "presence",
        "above",
        0.53,
        HALF_WAY,
        "any encoder that loses little, raw samples among them, has all partials present",
        presence_of("partial"),
        (*TRACES, SIGN_HASH, PERMUTED),
        (DECIMATOR, LOUDNESS, TEXTURE, TWO_BANDS),
        PRESENT,
    ),
    _stable_at(
        "first_layer",
        "stable_partials_first_layer",
        "If different filters consistently responded to specific frequency regions, then components such as "
        "partials could be represented as stable patterns of activation.",
    ),
    _stable_at(
        "stack_end",
        "stable_partials_stack_end",
        "If oscillatory primitives exist in the encoder, this is perhaps the most promising candidate.",
    ),
    _stable_at(
        "latent",
        "stable_partials_latent",
        "But unlike latent auditory representations—which preserve access to the narrowband components "
        "within the holistic texture, so these can be grouped into objects—latent encoder representations do "
        "not, in general, behave compositionally.",
    ),
    _stable_at(
        "quantized",
        "stable_partials_quantized",
        "If oscillatory structures have been stabilized earlier, this stage could preserve or recombine them "
        "into higher-level representations.",
    ),
    _claim(
        "partials_have_a_place",
        "They are free to overlap and respond to correlated patterns, which encourages entangled "
        "representations rather than a clean decomposition into independent frequency-localized elements.",
        "refuted",
        "place of partials: few channels, the same in every context",
        "place",
        "above",
        0.5,
        "half-way between a random basis (0) and a filterbank (1)",
        "the axes of a latent may be rotated at no cost: no place does not mean no structure",
        placed,
        (STFT, MAGNITUDE, LOG, TRACKER, ENVELOPE),
        (PATCHES, PATCHES_MIXED, MIXED, TEXTURE, DECIMATOR, SIGN_HASH, PERMUTED),
        (Control(STFT, low=0.9), Control(TEXTURE, high=0.1)),
    ),
    _claim(
        "stability_falls_with_density",
        "Second, even if these components are well preserved, deep filters generally lack the selectivity to "
        "tease them apart, and this problem scales with signal density.",
        "supported",
        "slope of containment over doublings of the number of others, all together as loud as four",
        "stability",
        "below",
        -0.02,
        "a tenth over the five doublings from 1 to 32; at linear stages nothing depends on context (0)",
        "contexts of many partials are less alike one another than those of few",
        falling_stability,
        (),
        (STFT, PATCHES, MIXED),
        (Control(STFT, -0.01, 0.01), Control(DECIMATOR, -0.01, 0.01)),
    ),
    _claim(
        "access_falls_with_density",
        "Second, even if these components are well preserved, deep filters generally lack the selectivity to "
        "tease them apart, and this problem scales with signal density.",
        "supported",
        "slope of the AUC of readouts over doublings of the number of partials, from 2 to 16 at "
        "constant level",
        "access",
        "below",
        -0.05,
        "three times what a short-time spectrum loses, whose lines begin to overlap",
        "partials that were never to be read cannot become less so: read it beside readable partials",
        falling_access,
        (MIXED, PATCHES_MIXED),
        (STFT, MAGNITUDE, TRACKER, DECIMATOR, LOUDNESS),
        (Control(MAGNITUDE, low=-0.03), Control(DECIMATOR, -0.03, 0.03)),
    ),
    _claim(
        "readable_partials",
        "As a result, those components are not reliably available for grouping into higher-order "
        "objects like "
        "pitches or chords.",
        "refuted",
        f"AUC of a readout, linear or quadratic, that tells whether a partial is among {DENSE}, "
        "trained on 3 to 8",
        "access",
        "above",
        0.75,
        "half-way between guessing (0.5) and certainty (1)",
        "a readout of a higher order, or trained on more, may find what these do not",
        readable,
        (STFT, MAGNITUDE, LOG, TRACKER),
        (PATCHES, WAVEFORM, DECIMATOR, LOUDNESS, TEXTURE, SIGN_HASH, PERMUTED, TWO_BANDS),
        (Control(MAGNITUDE, low=0.9), Control(DECIMATOR, 0.44, 0.56)),
    ),
    _claim(
        "pitch_is_a_stable_direction",
        "This would make pitch a stable direction in activation space, which could combine with "
        "others to form "
        "more complex structures such as chords.",
        "refuted",
        "as stable partials, of harmonic notes whose envelope varies from context to context",
        "stability",
        "above",
        0.0,
        f"of both, {HALF_WAY}",
        "planes of stable partials are planes of stable pitches: the STFT, which knows no pitch, has both",
        stable_trace("pitch"),
        (STFT, TEMPLATE, PATCHES),
        (DECIMATOR, TEXTURE, TWO_BANDS, SIGN_HASH, PERMUTED),
        (Control(STFT, low=0.3), Control(DECIMATOR, high=-0.35), Control(TEXTURE, high=-0.35)),
    ),
    _claim(
        "chords_keep_across_positions",
        "Human perception handles this variability by forming equivalence classes: similar but non-identical "
        "oscillatory mixtures are largely assigned to the same perceptual object",
        "refuted",
        "proportion of chords found by their planes in another inversion or voicing, of nine",
        "presence",
        "above",
        0.55,
        "half-way between guessing (1/9) and certainty",
        "positions of a chord have partials in common, which a map of partials finds as well",
        found_in_any_position,
        (CHROMA,),
        (DECIMATOR, TEXTURE, TWO_BANDS, LOUDNESS),
        (Control(DECIMATOR, high=0.25), Control(TEXTURE, high=0.3)),
    ),
    _claim(
        "architectural",
        ARCHITECTURAL,
        "supported",
        "least margin of: AUC of readouts in mixtures of five, below 0.75 (the effect is there); and its "
        "difference from random networks at the trained scale, in each of four bands of frequency, "
        "within 0.1",
        "access",
        "above",
        0.0,
        "a fifth of the way from guessing to certainty",
        "that training and random weights fail alike does not tell that they fail for one reason",
        unreadable_as_matched,
        (),
        (),
        READ,
    ),
    _claim(
        "same_across_encoders",
        ARCHITECTURAL,
        "supported",
        "the same beside each other encoder of the run",
        "access",
        "above",
        0.0,
        "a fifth of the way from guessing to certainty",
        "encoders that fail alike need not fail for one reason",
        unreadable_as_others,
        (),
        (),
        READ,
    ),
)
