"""Claims about the features of sparse dictionaries: discovered, interpretable, steering, ordered by depth."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

import numpy as np
import xarray as xr

from ..dictionaries.learning import FROZEN, PLANTED, TRAINED
from ..dictionaries.numbers import LEAST, MOST
from ..statistics.resampling import ALPHA
from .evidence import Evidence, PerGroup, PerUnit
from .excess import Excess, Ordering, PerLabel, Survival, Together
from .hypothesis import Control, Hypothesis, NoEvidence, baselines, measured
from .joint import Part
from .questions import FEWEST_DRAWS

SINGH = "Interpretable Concepts in Music Models"  # the family of the claims of Singh et al., arXiv 2505.18186
KINDS = ("random", "permuted")
DEFINITIONS = {"frames": "token_rate", "clips": "clip_rate"}
MARGIN = 0.01  # share of a dictionary's features
MARGIN_MCC = 0.1
FEWEST_DIRECTIONS = 399
ROUNDING = 1e-6  # re an effect: what differs by less is a tie, as where both reach the end of a scale
ALL_STAGES = "all stages"


def discovered(run: xr.DataTree, node: str, stage: str) -> Together:
    """Share of features that survive the funnel, beside random and permuted weights, by either definition."""
    parts, names = [], []
    own, trials = surviving_shares(run, node), _features(run, node, "dictionaries")
    for kind in _kinds(run, node):
        others = _beside(run, node, kind, "dictionaries")
        theirs = [surviving_shares(run, other) for other in others]
        for definition in DEFINITIONS:
            excess = Excess(own[definition], [one[definition] for one in theirs], trials)
            parts.append(Part(excess, "above", MARGIN))
            names.append(f"by {definition} beside {kind} weights")
    if not parts:
        raise NoEvidence(f"{node} has no weights to draw, so no random model stands beside it")
    return Together(tuple(parts), tuple(names))


def surviving_shares(run: xr.DataTree, node: str) -> dict[str, float]:
    """Return the share of a dictionary's features that survive the funnel, mean over stages, by definition.

    Features that are active at as many frames and on as many clips as another count once: they are copies of
    it, but for chance.
    """
    rates = {
        definition: measured(run, node, "dictionaries", name, variant=TRAINED).values
        for definition, name in DEFINITIONS.items()
    }
    both = np.stack(list(rates.values()), axis=-1)  # [S, M, 2]
    shares = {}
    for definition, values in rates.items():
        there = (values >= LEAST) & (values <= MOST)  # NaN, where a dictionary is smaller, is not
        counts = [len(np.unique(one[alive], axis=0)) for one, alive in zip(both, there, strict=True)]
        shares[definition] = float(np.mean(np.array(counts) / np.isfinite(values).sum(1)))
    return shares


def survivors(run: xr.DataTree, node: str, stage: str) -> PerUnit:
    """Share of all features that survive the funnel by the stricter definition, copies and all."""
    fates = measured(run, node, "dictionaries", "funnel", variant=TRAINED)
    shares = fates.sel(fate="surviving").values / fates.sum("fate").values  # [stages, definitions]
    return PerUnit([shares.mean(0).min()], bounds=(0, 1))


def interpretable(run: xr.DataTree, node: str, stage: str) -> Together:
    """Share of features whose label holds, and how well the best feature tells each class, beside others."""
    share, trials = kept_share(run, node), _features(run, node, "labels")
    shuffled = shuffled_share(run, node, stage).effect
    own, frozen = (_best_of_classes(run, node, variant) for variant in (TRAINED, FROZEN))
    parts = [
        Part(Excess(share, [shuffled], trials), "above", MARGIN),
        Part(PerGroup(own - frozen), "above", MARGIN_MCC),
    ]
    names = ["labels beside shuffled truths", "classes beside the frozen decoder"]
    for kind in _kinds(run, node):
        others = _beside(run, node, kind, "labels")
        excess = Excess(share, [kept_share(run, other) for other in others], trials)
        classes = own - np.stack([_best_of_classes(run, other, TRAINED) for other in others])
        parts += [Part(excess, "above", MARGIN), Part(PerGroup(_one_more(classes)), "above", MARGIN_MCC)]
        names += [f"{what} beside {kind} weights" for what in ("labels", "classes")]
    return Together(tuple(parts), tuple(names))


def kept_share(run: xr.DataTree, node: str) -> float:
    """Return the share of a dictionary's features whose label holds on other clips, mean over stages."""
    counts = measured(run, node, "labels", "n_kept", variant=TRAINED).values
    return float(counts.mean() / _features(run, node, "labels"))


def shuffled_share(run: xr.DataTree, node: str, stage: str) -> PerUnit:
    """Share of features whose label holds where truths are shuffled, mean over stages."""
    counts = measured(run, node, "labels", "n_kept_shuffled").values
    return PerUnit([counts.mean() / _features(run, node, "labels")], bounds=(0, 1))


def _best_of_classes(run: xr.DataTree, node: str, variant: str) -> np.ndarray:
    """Return Matthews' correlation of the best feature of each class, mean over stages: [classes].

    That of a factor's two classes is one number: telling one is telling the other.
    """
    found = measured(run, node, "labels", "mcc", variant=variant).values.mean(0)
    factor = run[node]["labels"].to_dataset()["class_factor"].values
    units = []
    for name in dict.fromkeys(factor.tolist()):
        of_it = found[factor == name]
        units.append(of_it.mean(keepdims=True) if len(of_it) == 2 else of_it)
    return np.concatenate(units)


def _one_more(rows: np.ndarray) -> np.ndarray:
    """Spread the means of draws [draws, units] as if the model beside them were one draw more.

    The variance of a mean over R draws becomes that of a further draw about it, ``1 + 1 / R`` draws' worth.
    """
    means = rows.mean(1, keepdims=True)
    return rows + (np.sqrt(len(rows) + 1) - 1) * (means - means.mean())


def steering(run: xr.DataTree, node: str, stage: str) -> Survival:
    """Share of the features of each label that are beyond random directions, and the least corrected p.

    Raises
    ------
    NoEvidence
        If nothing is steered by, directions are fewer than 399, or one feature alone could not survive.
    """
    p, labels = _steered(run, node)
    about = run[node]["steering"].attrs
    if float(about["least_p"]) > 1 / (1 + FEWEST_DIRECTIONS):
        raise NoEvidence(
            f"features of {node} are ranked among fewer than {FEWEST_DIRECTIONS} random directions "
            f"(least p {float(about['least_p']):.2g})"
        )
    if float(about["least_p"]) * len(p) > ALPHA:
        raise NoEvidence(f"steering of {node}: {about.get('remark') or 'no feature alone could survive'}")
    corrected = measured(run, node, "steering", "p_holm").values[_there(run, node)]
    return Survival(_by_label(p <= ALPHA, labels), float(corrected.min()))


def as_means(run: xr.DataTree, node: str, stage: str) -> PerLabel:
    """Share of the features of each label that change more than the difference of means does, ties half."""
    _, labels = _steered(run, node)
    effect, rival = (
        measured(run, node, "steering", name).values[_there(run, node)] for name in ("effect", "effect_means")
    )
    tie = np.isclose(effect, rival, rtol=ROUNDING, atol=0)
    return PerLabel(_by_label(np.where(tie, 0.5, effect > rival), labels), bounds=(0, 1))


def _steered(run: xr.DataTree, node: str) -> tuple[np.ndarray, np.ndarray]:
    """Return p of all features that are steered by, and what they are labelled."""
    if "steering" in run[node].children and not run[node]["steering"].attrs.get("n_steered", 1):
        raise NoEvidence(f"steering of {node}: {run[node]['steering'].attrs.get('remark', 'no feature')}")
    p, there = measured(run, node, "steering", "p").values, _there(run, node)
    label, factor = (measured(run, node, "steering", n).values[there] for n in ("label", "label_factor"))
    return p[there], np.array([f"{one}: {other}" for one, other in zip(factor, label, strict=True)])


def _there(run: xr.DataTree, node: str) -> np.ndarray:
    return np.isfinite(run[node]["steering"].to_dataset()["p"].values)


def _by_label(values: np.ndarray, labels: np.ndarray) -> np.ndarray:
    return np.array([values[labels == one].mean() for one in np.unique(labels)])


def ordered_by_depth(run: xr.DataTree, node: str, stage: str) -> Ordering:
    """How far apart layers are, and how much the shares of features with a label of each factor differ."""
    counts = measured(run, node, "labels", "n_by_factor", variant=TRAINED)  # [stages, factors]
    names = [str(one) for one in counts["stage"].values]
    if len(names) < 3:
        raise NoEvidence(f"labels of {node} were made at {', '.join(names)}: an order needs 3 layers")
    shares = counts.values / _features(run, node, "labels")
    if not shares.any():
        raise NoEvidence(f"no label of {node} holds on other clips, at any layer")
    ends = [re.search(r"\d+$", name) for name in names]
    depth = [int(end.group()) if end and all(ends) else i for i, end in enumerate(ends)]
    return Ordering(depth, np.linalg.norm(shares[:, None] - shares, axis=-1))


def _kinds(run: xr.DataTree, node: str) -> tuple[str, ...]:
    """Return the kinds of weights that an encoder is held against; none where there are none to draw."""
    return () if run[node].attrs.get("weights_source") == "none" else KINDS


def _beside(run: xr.DataTree, node: str, kind: str, group: str) -> list[str]:
    """Return the baselines of a kind, if they are two or more and their dictionaries are of one size."""
    others = [one for one in baselines(run, node, kind) if group in run[one].children]
    if len(others) < FEWEST_DRAWS:
        because = run[node].attrs.get("not_drawn", "")
        raise NoEvidence(
            f"{group} of {len(others)} models with {kind} weights stand beside {node}: "
            f"at least {FEWEST_DRAWS} are needed" + (f" ({because})" if because else "")
        )
    own = _settings(run, node, group)
    for other in others:
        if (theirs := _settings(run, other, group)) != own:
            raise NoEvidence(f"{group} of {node} and {other} are of other settings: {own} and {theirs}")
    return others


def _settings(run: xr.DataTree, node: str, group: str) -> str:
    """Return what dictionaries must have in common to be compared, in words."""
    found = run[node][group].to_dataset()
    stages = ", ".join(str(one) for one in found["stage"].values)
    each = [
        f"{name} {', '.join(map(str, np.unique(found[name].values)))}"
        for name in ("n_features", "k", "n_clips")
        if name in found
    ]
    if "known_class" in found:
        each.append(f"{found.sizes['known_class']} classes")
    return "; ".join([f"{found.sizes['feature']} features at {stages}", *each])


def _features(run: xr.DataTree, node: str, group: str) -> int:
    if group not in run[node].children:
        raise NoEvidence(f"{group} was not measured of {node}")
    return int(run[node][group].sizes["feature"])


def _claim(
    name: str,
    claim: str,
    statement: str,
    group: str,
    threshold: float,
    justification: str,
    null: str,
    controls: Sequence[Control],
    evidence: Callable[[xr.DataTree, str, str], Evidence],
    alternative: str,
    positive: tuple[str, ...] = (),
) -> Hypothesis:
    return Hypothesis(
        name, statement, evidence, "above", threshold, ALL_STAGES, group, claim, "supported", justification,
        null, controls, family=SINGH, alternative=alternative, positive=positive,
    )  # fmt: skip


EXCHANGED_MODELS = "the model is one more draw of the models beside it"
STEERED = (Control(PLANTED, low=0.3, evidence=steering),)  # the level's alone are a third
CONCEPT_CLAIMS = (
    _claim(
        "discovered_features",
        "The authors introduce a multi-stage pipeline that applies sparse autoencoders to transformer-based "
        "music generators (MusicGen) to extract interpretable features from residual stream activations "
        "without supervision.",
        "least margin of four: share of features, copies counted once, that are active on 0.01 to 0.25 of "
        "all frames, or of all clips, less that of random and of permuted weights, each above "
        f"{MARGIN:g}; mean over layers",
        "dictionaries",
        0.0,
        f"{MARGIN:g} of the features is the share that Singh et al. keep of all at their widest setting; "
        "of the planted dictionary all survive",
        EXCHANGED_MODELS,
        (Control(PLANTED, low=0.95, evidence=survivors),),
        discovered,
        "that survivors mean nothing, which rates do not tell, or that a dictionary that is given has learnt "
        "from more frames than those beside it",
    ),
    _claim(
        "interpretable_features",
        "The authors develop an automated evaluation system that combines generative labeling using "
        "multimodal language models, classifier-based labeling with pretrained audio models, and CLAP-based "
        "semantic alignment to label and validate thousands of discovered features without manual "
        "annotation.",
        "least margin of: share of features whose label holds on clips it was not made from, less that with "
        f"shuffled truths, random and permuted weights, above {MARGIN:g}; and Matthews' correlation of the "
        "best feature of a class on such clips, less that of a frozen decoder, random and permuted weights, "
        f"above {MARGIN_MCC:g}, mean over classes; both mean over layers",
        "labels",
        0.0,
        f"{MARGIN:g} of the features is the share that Singh et al. keep of all at their widest setting; "
        f"{MARGIN_MCC:g} is a tenth of the way from shuffled truths (0) to the planted dictionary (1). A "
        "frozen decoder gives labels to nearly all features of the planted stream, but worse ones",
        f"{EXCHANGED_MODELS}; classes of clips",
        (Control(PLANTED, low=0.3), Control(PLANTED, high=0.05, evidence=shuffled_share)),
        interpretable,
        "that features are of what goes along with a label, or that a dictionary that is given has learnt "
        "from more frames than those beside it",
        (PLANTED,),
    ),
    _claim(
        "steering_features",
        "The authors show that discovered features can be used to steer model generation by adding scaled "
        "feature vectors to the residual stream during inference, establishing practical utility for "
        "controllable music generation beyond interpretability.",
        f"share of steered features whose effect has a p of at most {ALPHA:g} among random directions of "
        "equal norm, mean over labels; supported only if one survives correction over all features as well",
        "steering",
        ALPHA,
        f"{ALPHA:g} is what chance gives; of the planted features, a third of each kind, those of the level "
        "pass, those of pitch barely, and those of timbre not: at so high a dose many directions do as much",
        "whose direction an effect is: a feature's, or a random one's",
        STEERED,
        steering,
        "that any direction which tells the label apart steers as well, the difference of means first of all",
        (PLANTED,),
    ),
    _claim(
        "steering_beyond_means",
        "establishing practical utility for controllable music generation beyond interpretability",
        "share of steered features whose effect is greater than that of the difference of means of their "
        "label, at equal norm, ties counted half, mean over labels",
        "steering",
        0.5,
        "of two directions that steer equally well either wins half of the time",
        "signs of the differences",
        STEERED,
        as_means,
        "that neither steers, see steering features; and in the planted stream the difference of means "
        "steers as well as the planted directions or better, so that to lose does not make features wrong",
    ),
    _claim(
        "depth_orders_features",
        "An MLP predicts a feature's layer of origin: 50.3 % (MusicGen Large), 40.5 % (Small), chance 20 %",
        "rank correlation, over pairs of layers, of how far apart they are with how much the shares of "
        "features with a label of each factor differ",
        "labels",
        0.0,
        "0 is what layers in any order give",
        "which layer is how deep",
        (Control(PLANTED, high=0.05, evidence=shuffled_share),),
        ordered_by_depth,
        "that a random model orders its layers as well, by the size of its activations alone",
    ),
)
