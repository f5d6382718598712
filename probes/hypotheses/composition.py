"""Claims about components: whether partials, pitches and chords are separable, stable and reused."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import xarray as xr

from ..engine.grid import USUAL_DBFS
from ..engine.schema import subjects
from ..interventions.removal import OWN_ALONE
from ..statistics.resampling import pseudo_values
from .evidence import Evidence, PerUnit, Trend
from .hypothesis import Control, Hypothesis, NoEvidence, baselines, measured
from .matching import Matching

STFT, MAGNITUDE = "filterbank:stft", "filterbank:stft_magnitude"
DECIMATOR, TEXTURE = "control:decimator", "control:texture"
IDENTITY, MU_LAW = "control:identity_codec", "control:mu_law_codec"
USUAL_OTHERS = 4  # others that sound: about the middle, by ratio, of 1 to 32
DENSE = 32
HALF_WAY = "half-way between the STFT, to which a component is always itself (1), and the decimator (0)"
FLIPS = "signs of the distances from the threshold of the components that were played"
MARGIN = 0.1


def _condition(run: xr.DataTree, node: str, kind: str, density: int) -> int:
    """Return the condition of so many others, at the level nearest to -20 dBFS."""
    if "compositionality" not in run[node].children:
        raise NoEvidence(f"compositionality was not measured of {node}")
    probe = run[node]["compositionality"].to_dataset()
    there = (probe["component_kind"].values == kind) & (probe["density"].values == density)
    if not there.any():
        raise NoEvidence(f"compositionality of {node} has no {kind}s among {density} others")
    far = np.abs(probe["component_level_dbfs"].values - USUAL_DBFS)
    return int(np.where(there, far, np.inf).argmin())


def matched_planes(
    run: xr.DataTree, node: str, stage: str, kind: str = "partial", density: int = USUAL_OTHERS
) -> Matching:
    """Overlaps of the components' response planes between contexts."""
    condition = _condition(run, node, kind, density)
    overlap = measured(run, node, "compositionality", "overlap", stage).isel(condition=condition)
    if not overlap.notnull().any():
        raise NoEvidence(f"compositionality of {node} has no overlaps of {kind}s at {stage}")
    group = run[node]["compositionality"].to_dataset()
    return Matching(overlap.values, np.stack([group[f"{n}_context"].values for n in ("first", "second")], -1))


def stability_of(kind: str, density: int) -> Callable[[xr.DataTree, str, str], PerUnit]:
    """Return evidence of each component's index, resampled over contexts as well."""

    def index(run: xr.DataTree, node: str, stage: str) -> PerUnit:
        return matched_planes(run, node, stage, kind, density).of_units

    return index


def falling_stability(run: xr.DataTree, node: str, stage: str) -> Trend:
    """Each partial's index over the number of others, in doublings."""
    probe = run[node].children.get("compositionality")
    if probe is None:
        raise NoEvidence(f"compositionality was not measured of {node}")
    found = probe.to_dataset()
    of_partials = found["density"].values[found["component_kind"].values == "partial"]
    densities = [int(d) for d in np.unique(of_partials) if d > 0]
    if len(densities) < 3:
        raise NoEvidence(f"compositionality of {node} was measured at {len(densities)} densities")
    index = [matched_planes(run, node, stage, "partial", d).per_unit for d in densities]
    if len({len(one) for one in index}) > 1:
        raise NoEvidence(f"compositionality of {node} has other partials at other densities at {stage}")
    return Trend(np.stack(index, -1), np.log2(densities))


def beside_random_weights(run: xr.DataTree, node: str, stage: str) -> PerUnit:
    """Each partial's index less that in random networks of the same architecture, [networks, partials]."""
    others = baselines(run, node)
    if not others:
        raise NoEvidence(f"no random networks of {node} were measured")
    return _beside(run, node, others, stage)


def beside_other_encoders(run: xr.DataTree, node: str, stage: str) -> PerUnit:
    """Each partial's index less that in the other encoders, or their random networks, of the run."""
    family = run[node].attrs["of"] or node
    role = run[node].attrs["role"]
    others = [n for n, s in subjects(run, role).items() if (s.attrs["of"] or n) != family]
    if not others:
        raise NoEvidence("no other encoder was measured")
    return _beside(run, node, others, stage)


def _beside(run: xr.DataTree, node: str, others: list[str], stage: str) -> PerUnit:
    own, *theirs = (matched_planes(run, n, stage).per_unit for n in (node, *others))
    if any(len(one) != len(own) for one in theirs):
        raise NoEvidence(f"{node} and {', '.join(others)} were measured with different partials")
    return PerUnit(own - np.stack(theirs))


def chord_sum(run: xr.DataTree, node: str, stage: str) -> PerUnit:
    """Share of a chord's response that the sum of its notes' responses leaves, of the chords of each root."""
    return _by_root(run, node, measured(run, node, "chord_composition", "sum_error", stage))


def chord_likeness(run: xr.DataTree, node: str, stage: str) -> PerUnit:
    """Chance of a chord being more like its positions than like others, of the chords of each root."""
    return _by_root(run, node, measured(run, node, "chord_composition", "position_auc", stage))


def _by_root(run: xr.DataTree, node: str, of_chords: xr.DataArray) -> PerUnit:
    """Chords of one root share most of their notes: four of them are hardly more than one."""
    roots = run[node]["chord_composition"].to_dataset()["chord_root"].values
    finite = [(r, v) for r, v in zip(roots, of_chords.values, strict=True) if np.isfinite(v)]
    return PerUnit([np.mean([v for r, v in finite if r == root]) for root in sorted({r for r, _ in finite})])


def reuse(run: xr.DataTree, node: str, stage: str) -> PerUnit:
    """Share of codes that stay with each partial among other sounds, less what chance keeps."""
    same, different = (
        measured(run, node, "codes", f"agreement_{which}", stage) for which in ("same", "different")
    )
    return PerUnit(same.mean("codebook").values - pseudo_values(different.mean("codebook").values))


def shape_preference(run: xr.DataTree, node: str, stage: str) -> PerUnit:
    """Waveform shape kept beyond what the frame's windowed spectrum keeps, mean of each group of sounds."""
    excess = measured(run, node, "waveform_shape", "shape_over_spectrum", stage).values
    group = run[node]["waveform_shape"].to_dataset()["sound_group"].values
    finite = np.isfinite(excess)
    return PerUnit([excess[finite & (group == g)].mean() for g in np.unique(group[finite])])


def dense_readout(run: xr.DataTree, node: str, stage: str) -> PerUnit:
    """Chance of telling a dense mixture with each partial from one without."""
    return PerUnit(measured(run, node, "readout", "auc", stage, density=DENSE))


def specific_removal(run: xr.DataTree, node: str, stage: str) -> PerUnit:
    """How much more the partial falls than its neighbours, beyond what random planes of its energy do.

    Of each mixture; partials that are not transmitted count as 0 dB. What this cannot exclude: that encoder
    and decoder are but linear, which lets any partial be removed, whatever the latent means.
    """
    beyond = measured(run, node, "interventions", "beyond_db", stage, removal=OWN_ALONE).values
    mixture = run[node]["interventions"].to_dataset()["mixture"].values
    return PerUnit([beyond[mixture == m].mean() for m in np.unique(mixture)])


STABLE = (Control(STFT, low=0.99), Control(DECIMATOR, -0.01, 0.01), Control(TEXTURE, high=0.05))


def _stable_at(stage: str, name: str, claim: str) -> Hypothesis:
    return Hypothesis(
        name,
        claim=claim,
        source_expects="refuted",
        statement=f"index (stability less confusion) of a partial among {USUAL_OTHERS} others, mean over "
        "partials",
        group="compositionality",
        stage=stage,
        holds="above",
        threshold=0.5,
        justification=HALF_WAY,
        null=FLIPS,
        controls=STABLE,
        evidence=stability_of("partial", USUAL_OTHERS),
    )


def _architectural(name: str, than: str, evidence: Callable[[xr.DataTree, str, str], Evidence]) -> Hypothesis:
    return Hypothesis(
        name,
        claim="I chose these models to prove that the effects were architectural and not "
        "model-specific––they persist across task and scale.",
        source_expects="supported",
        statement=f"index of a partial among {USUAL_OTHERS} others less that in {than}, mean over partials",
        group="compositionality",
        stage="latent",
        holds="within",
        threshold=MARGIN,
        justification="a tenth of the way from the decimator to the STFT",
        null="signs of the partials' distances from either margin",
        controls=tuple(
            Control(c.encoder, c.low, c.high, stability_of("partial", USUAL_OTHERS)) for c in STABLE
        ),
        evidence=evidence,
    )


COMPOSITION_CLAIMS = (
    Hypothesis(
        "partials_leave_traces",
        claim="These representations contain internal narrowband components, but they cannot reliably expose "
        "them as independently accessible or stable substructures.",
        source_expects="supported",
        statement=f"index of partials among {USUAL_OTHERS} others",
        group="compositionality",
        stage="latent",
        holds="above",
        threshold=0.0,
        justification="0 is what planes give that tell nothing of which partial sounds",
        null="which partial a plane belongs to, within every context",
        controls=(Control(STFT, low=0.99), Control(DECIMATOR, -0.01, 0.01)),
        evidence=matched_planes,
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
    Hypothesis(
        "stability_falls_with_density",
        claim="Second, even if these components are well preserved, deep filters generally lack the "
        "selectivity to tease them apart, and this problem scales with signal density.",
        source_expects="supported",
        statement="slope of a partial's index over doublings of the number of others, mean over partials",
        group="compositionality",
        stage="latent",
        holds="below",
        threshold=-0.02,
        justification="a tenth of the index over the five doublings from 1 to 32; at linear stages nothing "
        "depends on context (0)",
        null="the numbers of others, exchanged for all partials alike, since their contexts are the same",
        controls=(Control(STFT, -0.01, 0.01), Control(DECIMATOR, -0.01, 0.01)),
        evidence=falling_stability,
    ),
    Hypothesis(
        "readable_partials",
        claim="As a result, those components are not reliably available for grouping into higher-order "
        "objects like pitches or chords.",
        source_expects="refuted",
        statement=f"chance that a linear readout, trained on sparse mixtures, tells a mixture of {DENSE} "
        "partials with a partial from one without, mean over partials",
        group="readout",
        stage="latent",
        holds="above",
        threshold=0.75,
        justification="half-way between guessing (0.5) and certainty (1)",
        null=FLIPS,
        controls=(Control(MAGNITUDE, low=0.85), Control(DECIMATOR, high=0.6)),
        evidence=dense_readout,
    ),
    Hypothesis(
        "pitch_is_a_stable_direction",
        claim="This would make pitch a stable direction in activation space, which could combine with others "
        "to form more complex structures such as chords.",
        source_expects="refuted",
        statement=f"index of a harmonic note, its envelope varied, among {USUAL_OTHERS} others, mean over "
        "notes",
        group="compositionality",
        stage="latent",
        holds="above",
        threshold=0.5,
        justification=HALF_WAY,
        null=FLIPS,
        controls=(Control(STFT, low=0.9), Control(DECIMATOR, -0.01, 0.01), Control(TEXTURE, high=0.05)),
        evidence=stability_of("pitch", USUAL_OTHERS),
    ),
    Hypothesis(
        "chords_are_sums_of_pitches",
        claim="For spectral similarity to support semantic similarity, the representation must make these "
        "components available in a stable and reusable way.",
        source_expects="refuted",
        statement="share of a chord's response that the sum of its notes' responses leaves, mean over chords "
        "(necessary for composition, not sufficient: linear stages, the decimator too, leave nothing)",
        group="chord_composition",
        stage="latent",
        holds="below",
        threshold=0.5,
        justification="half-way between a linear stage (0) and a sum that foretells nothing (1)",
        null="signs of the roots' distances from the threshold",
        controls=(Control(STFT, high=0.01), Control(TEXTURE, low=1.0)),
        evidence=chord_sum,
    ),
    Hypothesis(
        "chords_keep_across_positions",
        claim="Human perception handles this variability by forming equivalence classes: similar but "
        "non-identical oscillatory mixtures are largely assigned to the same perceptual object",
        source_expects="refuted",
        statement="chance that a chord is more like its inversions and voicings than like other chords in "
        "its position, mean over chords",
        group="chord_composition",
        stage="latent",
        holds="above",
        threshold=0.75,
        justification="half-way between chance (0.5) and always (1)",
        null="signs of the roots' distances from the threshold",
        controls=(Control(STFT, low=0.85), Control(DECIMATOR, high=0.6)),
        evidence=chord_likeness,
    ),
    Hypothesis(
        "codes_are_reused",
        claim="But even then, these could not be semantically equated to pitches within mixtures, because "
        "the model has no way of discretizing pieces of mixtures.",
        source_expects="refuted",
        statement="share of codes that a partial keeps among other sounds, less that of different partials, "
        "mean over codebooks and partials",
        group="codes",
        stage="codes",
        holds="above",
        threshold=0.5,
        justification="half of the tokens stay with the partial",
        null=FLIPS,
        controls=(Control(TEXTURE, high=0.1),),
        evidence=reuse,
    ),
    Hypothesis(
        "waveform_shape_over_spectrum",
        claim="Ultimately, the analysis suggests that encoders across tasks and scale learn latent vectors "
        "that correspond to coarse, recurring patterns of local waveform shape.",
        source_expects="supported",
        statement="similarity that frames keep with the same waveform less that with the same spectrum, each "
        "re what the windowed spectrum of the same frame keeps, mean over groups of sounds (1 only whole "
        "waveforms count, 0 as the windowed spectrum, -1 as its magnitude)",
        group="waveform_shape",
        stage="latent",
        holds="above",
        threshold=0.25,
        justification="half of what the nearest of 256 waveform patches gives; a windowed spectrum gives "
        "0, since it keeps waveforms and their parts alike",
        null="signs of the groups' distances from the threshold",
        controls=(
            Control(TEXTURE, low=0.3),
            Control(STFT, -0.05, 0.05),
            Control(MAGNITUDE, high=-0.9),
            Control(DECIMATOR, -0.05, 0.05),
        ),
        evidence=shape_preference,
    ),
    Hypothesis(
        "removable_partials",
        claim="we may continue struggling to steer seemingly basic things like partials, and the "
        "higher-order structures that compose from them",
        source_expects="refuted",
        statement="dB by which a partial falls more than its neighbours when the plane it has alone is taken "
        "from the latent, beyond what random planes do that hold as much energy, mean over mixtures; 0 where "
        "the decoder does not transmit the partial",
        group="interventions",
        stage="latent",
        holds="above",
        threshold=6.0,
        justification="half the amplitude: less than that leaves a partial that is plainly audible; raw "
        "samples give 50 and more, and bent by the mu law 2",
        null="signs of the mixtures' distances from the threshold",
        controls=(Control(IDENTITY, low=20.0), Control(MU_LAW, high=6.0)),
        evidence=specific_removal,
    ),
    _architectural("architectural", "its random networks", beside_random_weights),
    _architectural("same_across_encoders", "the other encoders of the run", beside_other_encoders),
)
