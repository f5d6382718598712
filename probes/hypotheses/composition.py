"""Claims about components: whether partials, pitches and chords are separable, stable and reused."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import xarray as xr

from ..engine.grid import USUAL_DBFS
from ..engine.schema import subjects
from ..interventions.removal import OWN_ALONE, RANDOM_ENERGY
from ..statistics.resampling import pseudo_values
from .evidence import Evidence, PerGroup, PerUnit, Trend
from .hypothesis import MACHINES_ON_MUSIC, Control, Hypothesis, NoEvidence, baselines, measured
from .matching import Matching

STFT, MAGNITUDE = "filterbank:stft", "filterbank:stft_magnitude"
DECIMATOR, TEXTURE = "control:decimator", "control:texture"
BAND_CODEC, DOMINANT_CODEC = "control:band_codec", "control:dominant_codec"
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


def stability_of(kind: str, density: int) -> Callable[[xr.DataTree, str, str], PerGroup]:
    """Return evidence of each component's index, resampled over contexts as well."""

    def index(run: xr.DataTree, node: str, stage: str) -> PerGroup:
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


def beside_random_weights(run: xr.DataTree, node: str, stage: str) -> PerGroup:
    """Each partial's index less that in random networks of the same architecture, [networks, partials]."""
    others = baselines(run, node)
    if not others:
        raise NoEvidence(f"no random networks of {node} were measured")
    return _beside(run, node, others, stage)


def beside_other_encoders(run: xr.DataTree, node: str, stage: str) -> PerGroup:
    """Each partial's index less that in the other encoders, or their random networks, of the run."""
    family = run[node].attrs["of"] or node
    role = run[node].attrs["role"]
    others = [n for n, s in subjects(run, role).items() if (s.attrs["of"] or n) != family]
    if not others:
        raise NoEvidence("no other encoder was measured")
    return _beside(run, node, others, stage)


def _beside(run: xr.DataTree, node: str, others: list[str], stage: str) -> PerGroup:
    own, *theirs = (matched_planes(run, n, stage).per_unit for n in (node, *others))
    if any(len(one) != len(own) for one in theirs):
        raise NoEvidence(f"{node} and {', '.join(others)} were measured with different partials")
    return PerGroup(own - np.stack(theirs))


def chord_sum(run: xr.DataTree, node: str, stage: str) -> PerGroup:
    """Share of a chord's response that the sum of its notes' responses leaves, of the chords of each root."""
    return _by_root(run, node, measured(run, node, "chord_composition", "sum_error", stage))


def chord_likeness(run: xr.DataTree, node: str, stage: str) -> PerGroup:
    """Chance of a chord being more like its positions than like others, of the chords of each root."""
    return _by_root(run, node, measured(run, node, "chord_composition", "position_auc", stage))


def _by_root(run: xr.DataTree, node: str, of_chords: xr.DataArray) -> PerGroup:
    """Chords of one root share most of their notes: four of them are hardly more than one."""
    roots = run[node]["chord_composition"].to_dataset()["chord_root"].values
    finite = [(r, v) for r, v in zip(roots, of_chords.values, strict=True) if np.isfinite(v)]
    return PerGroup([np.mean([v for r, v in finite if r == root]) for root in sorted({r for r, _ in finite})])


def reuse(run: xr.DataTree, node: str, stage: str) -> PerGroup:
    """How much oftener each partial's codes of other contexts are there with it than without."""
    found, chance = (measured(run, node, "codes", name, stage).values for name in ("reuse", "reuse_chance"))
    return PerGroup(found + chance - pseudo_values(chance))


def shape_preference(run: xr.DataTree, node: str, stage: str) -> PerUnit:
    """Waveform shape kept beyond what the frame's windowed spectrum keeps, mean of each group of sounds."""
    excess = measured(run, node, "waveform_shape", "shape_over_spectrum", stage).values
    group = run[node]["waveform_shape"].to_dataset()["sound_group"].values
    finite = np.isfinite(excess)
    return PerGroup([excess[finite & (group == g)].mean() for g in np.unique(group[finite])])


def dense_readout(run: xr.DataTree, node: str, stage: str) -> PerUnit:
    """Chance of telling a dense mixture with each partial from one without."""
    return PerUnit(measured(run, node, "readout", "auc", stage, density=DENSE), (0, 1))


def specific_removal(run: xr.DataTree, node: str, stage: str) -> PerGroup:
    """How much more the partial falls than its neighbours, beyond what random planes of equal energy do."""
    specific = measured(run, node, "interventions", "specific_db", stage)
    beyond = specific.sel(removal=OWN_ALONE) - specific.sel(removal=RANDOM_ENERGY)
    mixture = run[node]["interventions"].to_dataset()["mixture"].values
    there = beyond.notnull().values
    each = [beyond.values[there & (mixture == m)] for m in np.unique(mixture)]
    return PerGroup([one.mean() for one in each if len(one)])


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
        family=MACHINES_ON_MUSIC,
        alternative="that directions of little energy, which count as much as all others, decide",
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
        family=MACHINES_ON_MUSIC,
        alternative="that random networks differ by the scale they answer at, not by their lack of training",
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
        family=MACHINES_ON_MUSIC,
        alternative="that planes are told apart by a trace far below what any later layer could use",
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
        family=MACHINES_ON_MUSIC,
        alternative="that stability falls with the mixture's level, which rises with the number of others",
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
        family=MACHINES_ON_MUSIC,
        alternative="that a readout which is not linear, or trained on dense mixtures, gives another answer",
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
        family=MACHINES_ON_MUSIC,
        alternative="that its stable trace is hidden by weak directions, which count as much as strong ones",
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
        family=MACHINES_ON_MUSIC,
        alternative="that any linear stage passes, whatever becomes of components in it",
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
        family=MACHINES_ON_MUSIC,
        alternative="that chords are told apart by notes that their positions have in common",
    ),
    Hypothesis(
        "codes_are_reused",
        claim="But even then, these could not be semantically equated to pitches within mixtures, because "
        "the model has no way of discretizing pieces of mixtures.",
        source_expects="refuted",
        statement="share of codes that a partial has in other contexts, too, less that of other partials "
        "there, of the codebook or number of codebooks for which this is largest in those contexts, mean "
        "over partials (not excluded: that combinations of later codebooks alone name a partial)",
        group="codes",
        stage="codes",
        holds="above",
        threshold=0.5,
        justification="half-way between codes that depend on all that sounds (0) and those of which one "
        "codebook belongs to the partial (1)",
        null=FLIPS,
        controls=(
            Control(BAND_CODEC, low=0.9),
            Control(DOMINANT_CODEC, high=0.3),
            Control(TEXTURE, high=0.1),
        ),
        evidence=reuse,
        family=MACHINES_ON_MUSIC,
        alternative="that few codes are in use at all, or that parallel codebooks divide a partial",
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
        family=MACHINES_ON_MUSIC,
        alternative="that windowed spectra prefer shape too: scrambled phases move energy in time",
    ),
    Hypothesis(
        "removable_partials",
        claim="we may continue struggling to steer seemingly basic things like partials, and the "
        "higher-order structures that compose from them",
        source_expects="refuted",
        statement="dB by which a partial falls more than its neighbours when the plane it has alone is "
        "taken from the latent, beyond what a random plane of equal energy does, mean over mixtures",
        group="interventions",
        stage="latent",
        holds="above",
        threshold=6.0,
        justification="half the amplitude, which is plainly audible",
        null="signs of the mixtures' distances from the threshold",
        controls=(),
        evidence=specific_removal,
        family=MACHINES_ON_MUSIC,
        alternative="that the latent is linear, so that whatever is taken from it is missed in the sound",
    ),
    _architectural("architectural", "its random networks", beside_random_weights),
    _architectural("same_across_encoders", "the other encoders of the run", beside_other_encoders),
)
