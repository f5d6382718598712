"""Claims about filters: how narrow they are, what they fold together, and how they share frequency out."""

from __future__ import annotations

import numpy as np
import xarray as xr

from ...encoders.kinds import stage_kind
from ..filters.bank import SPACINGS, on_scale
from ..folding.collapse import collapse_of_tones, in_groups
from ..statistics.resampling import by_neighbours, pseudo_values
from .evidence import PerGroup, PerUnit
from .exchanges import Association
from .hypothesis import MACHINES_ON_MUSIC, Control, Hypothesis, NoEvidence, measured
from .matching import Matching

STFT, GAMMATONE = "filterbank:stft", "filterbank:gammatone"
DECIMATOR, RECTIFIER = "control:decimator", "control:rectifier"
PATCHES, PATCHES_MIXED = "control:patches", "control:patches_mixed"
ONE_FOLD_HZ = 1e-3  # folds no further apart are one: frequencies are known to rounding
FEWEST_GAPS = 3
ONE_PLACE = 0.01  # of the mean gap: channels no further apart have one place
OCTAVES = (-10.0, 10.0)  # no filter is a thousand times narrower or wider than the ear's, or its stage's band


def erb_hz(frequency_hz: np.ndarray) -> np.ndarray:
    """Return the equivalent rectangular bandwidth of the ear's filter at a frequency.

    Source: Glasberg and Moore 1990, ``24.7 (4.37 f / 1000 + 1)``.

    Examples
    --------
    >>> round(float(erb_hz(np.array(1000.0))), 2)
    132.64
    """
    return 24.7 * (0.00437 * frequency_hz + 1)


def narrowness(run: xr.DataTree, node: str, stage: str) -> PerUnit:
    """Octaves from the ear's equivalent rectangular bandwidth to each channel's, at its best frequency."""
    bandwidth = measured(run, node, "tiling", "equivalent_noise_bandwidth", stage).values
    best = measured(run, node, "tiling", "best_frequency", stage).values
    return PerUnit(np.log2(bandwidth / erb_hz(best)), OCTAVES)


def share_of_nyquist(run: xr.DataTree, node: str, stage: str) -> PerUnit:
    """Octaves from the stage's Nyquist frequency to each channel's equivalent noise bandwidth."""
    return PerUnit(np.log2(measured(run, node, "tiling", "nyquist_share", stage).values), OCTAVES)


def power_at_the_fold(run: xr.DataTree, node: str, stage: str) -> PerGroup:
    """Share of tones' output power at their predicted fold, less that at the folds of the others.

    Of groups of neighbouring tones.
    """
    alias_map = measured(run, node, "aliasing", "alias_map", stage)  # [tone, output]
    nyquist = float(measured(run, node, "aliasing", "nyquist_hz", stage))
    folds = measured(run, node, "aliasing", "predicted_fold", stage).values / nyquist
    nearest = np.abs(alias_map["output"].values - folds[:, None]).argmin(1)
    return PerGroup(by_neighbours(Matching(alias_map.values[:, nearest, None]).per_unit))


def collapse_per_tone(run: xr.DataTree, node: str, stage: str) -> PerGroup:
    """How much more alike a tone is to those of its fold than others as far apart are.

    As `tonotopy.probes.folding.collapse`: of groups of neighbouring tones. Where no two tones share a fold, 0
    for all.
    """
    alike = measured(run, node, "aliasing", "similarity", stage).values.astype(float)
    folds = measured(run, node, "aliasing", "predicted_fold", stage)
    apart_hz = float(measured(run, node, "aliasing", "apart", stage))
    shared = np.abs(folds.values[:, None] - folds.values) < ONE_FOLD_HZ
    per_tone = collapse_of_tones(alike, shared, folds["frequency"].values, apart_hz)
    if not np.isfinite(per_tone).any():
        remark = str(measured(run, node, "aliasing", "remark", stage).values)
        raise NoEvidence(f"aliasing of {node} at {stage}: {remark}")
    return PerGroup(in_groups(per_tone))


def predicted_and_recovered(run: xr.DataTree, node: str, stage: str) -> Association:
    """Predictions of the strides for the partials of each signal, and what a readout recovers of them."""
    predicted = measured(run, node, "representability", "predicted", stage).values
    recovered = measured(run, node, "representability", "recovered", stage).values
    if remark := str(measured(run, node, "representability", "remark", stage).values):
        raise NoEvidence(f"representability of {node} at {stage}: {remark}")
    return Association(predicted, recovered)


def unevenness(run: xr.DataTree, node: str, stage: str) -> PerUnit:
    """How far each gap between neighbouring best frequencies is off the mean gap, re the latter.

    On that of four scales on which it is least.
    """
    best = measured(run, node, "tiling", "best_frequency", stage).values
    best = np.sort(best[np.isfinite(best)])
    if len(best) <= FEWEST_GAPS:
        raise NoEvidence(f"{node} has {len(best)} channels that respond at {stage}")
    off = []
    for scale in SPACINGS:
        gaps = np.diff(_places(on_scale(best, scale)))
        if gaps.sum() > 0:
            off.append(np.abs(gaps / gaps.mean() - 1))
    if not off:
        raise NoEvidence(f"all channels of {node} have one best frequency at {stage}")
    return PerUnit(min(off, key=np.mean))


def _places(best: np.ndarray) -> np.ndarray:
    """Return where channels lie, rising, those that share a place once: sine and cosine of one frequency."""
    gaps = np.diff(best)
    return best[np.concatenate([[True], gaps > ONE_PLACE * gaps.mean()])]


def overlap_of_channels(run: xr.DataTree, node: str, stage: str) -> PerGroup:
    """Mean squared overlap of each channel with the others, re that of kernels drawn at random."""
    length = float(measured(run, node, "tiling", "receptive_field", stage))
    kind = str(measured(run, node, "tiling", "kind", stage).values)
    if not stage_kind(kind).is_linear or not np.isfinite(length):
        raise NoEvidence(f"{stage} of {node} is no bank of kernels")
    gram = measured(run, node, "tiling", "gram", stage).values.astype(float)
    there = np.isfinite(np.diag(gram))
    squared = np.square(gram[there][:, there])
    if len(squared) < 2:
        raise NoEvidence(f"{node} has {len(squared)} channel at {stage}")
    return PerGroup(pseudo_values((squared.sum(1) - np.diag(squared)) / (len(squared) - 1) * length))


FILTER_CLAIMS = (
    Hypothesis(
        "narrowband_first_layer",
        claim="It is natural to look for partials here: first-layer filters interact directly with the raw "
        "waveform, and their outputs are hierarchically transformed throughout the encoder, which could "
        "allow partials to compose vertically into more complex features.",
        source_expects="refuted",
        statement="octaves from the ear's bandwidth (ERB) to a first-layer channel's equivalent noise "
        "bandwidth, at its best frequency, mean over channels",
        group="tiling",
        stage="first_layer",
        holds="below",
        threshold=0.0,
        justification="the ear, which isolates partials, is the source's measure of a narrow filter",
        null="signs of the channels' distances from the threshold",
        controls=(Control(GAMMATONE, -0.05, 0.05), Control(DECIMATOR, low=5.0)),
        evidence=narrowness,
        positive=(STFT,),
        negative=(PATCHES,),
        family=MACHINES_ON_MUSIC,
        alternative="that channels which were pruned or never respond are the narrow ones",
    ),
    Hypothesis(
        "selective_stack_end",
        claim="Although deep convolutional filters can exhibit narrowband sensitivity in principle, their "
        "selectivity is limited relative to the effective bandwidth of the downsampled signal.",
        source_expects="refuted",
        statement="octaves from the stage's Nyquist frequency to a channel's equivalent noise bandwidth, "
        "mean over channels",
        group="tiling",
        stage="stack_end",
        holds="below",
        threshold=0.0,
        justification="a channel wider than its Nyquist frequency hears several folds as one",
        null="signs of the channels' distances from the threshold",
        controls=(Control(STFT, -0.15, 0.0), Control(DECIMATOR, low=8.0)),
        evidence=share_of_nyquist,
        positive=(STFT,),
        negative=(PATCHES,),
        family=MACHINES_ON_MUSIC,
        alternative="that channels select sums of tones, or loud ones, and not single quiet tones",
    ),
    Hypothesis(
        "predictable_aliasing",
        claim="Narrowband oscillatory components may be attenuated or aliased, and if they are aliased, "
        "distinct frequencies can collapse into shared representations.",
        source_expects="supported",
        statement="share of a tone's output power at the fold that the strides predict, less that at the "
        "folds of other tones, mean over tones",
        group="aliasing",
        stage="stack_end",
        holds="above",
        threshold=0.5,
        justification="half-way between the rectifier, which moves all power elsewhere (0: no more than "
        "frequencies dealt at random would find there), and a linear stage (1)",
        null="signs of the distances of groups of neighbouring tones from the threshold",
        controls=(Control(DECIMATOR, low=0.9), Control(RECTIFIER, -0.05, 0.05)),
        positive=(DECIMATOR,),
        negative=(RECTIFIER,),
        evidence=power_at_the_fold,
        family=MACHINES_ON_MUSIC,
        alternative="that power moves to the fold at the level played and elsewhere at others",
    ),
    Hypothesis(
        "predictable_representability",
        claim="original narrowband components from different kinds of signals are preserved unequally under "
        "harsh aliasing (I show that this representability is predictable from the interaction of the "
        "signal and the architecture design)",
        source_expects="supported",
        statement="rank correlation, over signals, of what the strides predict of their partials with what "
        "a linear readout recovers",
        group="representability",
        stage="stack_end",
        holds="above",
        threshold=0.0,
        justification="0 is what predictions dealt at random give",
        null="which signal a prediction belongs to",
        controls=(Control(DECIMATOR, low=0.8),),
        evidence=predicted_and_recovered,
        positive=(DECIMATOR,),
        family=MACHINES_ON_MUSIC,
        alternative="that signals called easy are easy at any stage, as those of few partials are",
    ),
    Hypothesis(
        "alias_collapse",
        claim="if they are aliased, distinct frequencies can collapse into shared representations",
        source_expects="supported",
        statement="how much more alike tones of one fold are than other tones as far apart, 1 for one sound, "
        "by amplitude and phase over channels, whatever their basis, mean over tones (not excluded: that "
        "what holds little of the energy tells them apart)",
        group="aliasing",
        stage="stack_end",
        holds="above",
        threshold=0.5,
        justification="half-way between the STFT, whose channels tell all tones of a fold apart (0), and the "
        "decimator, to which a fold is one sound (1); of channels that have nothing to do with one another "
        "two are enough to stay at it (by chance N of them give 1/N: collapse_chance)",
        null="signs of the distances of groups of neighbouring tones from the threshold",
        controls=(Control(STFT, -0.02, 0.02), Control(DECIMATOR, low=0.99)),
        positive=(DECIMATOR,),
        negative=(STFT,),
        evidence=collapse_per_tone,
        family=MACHINES_ON_MUSIC,
        alternative="that what holds little of a pattern's energy tells tones of one fold apart",
    ),
    Hypothesis(
        "uneven_tiling",
        claim="Third, learned filters do not appear to form an orthogonal or evenly spaced basis.",
        source_expects="supported",
        statement="distance of a gap between neighbouring best frequencies from the mean gap, re the latter, "
        "mean over gaps, on the scale (linear, log, mel, ERB) on which it is least",
        group="tiling",
        stage="first_layer",
        holds="above",
        threshold=1 / np.e,
        justification="half-way between even spacing (0) and places thrown at random (2/e)",
        null="signs of the gaps' distances from the threshold",
        controls=(Control(GAMMATONE, high=0.1),),
        evidence=unevenness,
        positive=(PATCHES_MIXED,),
        negative=(STFT,),
        family=MACHINES_ON_MUSIC,
        alternative="that the channels are a draw from an even tiling of which most were not trained",
    ),
    Hypothesis(
        "superposition",
        claim="They are free to overlap and respond to correlated patterns, which encourages entangled "
        "representations rather than a clean decomposition into independent frequency-localized elements.",
        source_expects="supported",
        statement="mean squared cosine of a first-layer kernel with the others, times the kernels' length, "
        "mean over channels",
        group="tiling",
        stage="first_layer",
        holds="above",
        threshold=1.0,
        justification="1 is what kernels drawn at random have; less than (J - L)/(J - 1), Welch's bound, "
        "no J kernels of L samples can",
        null="signs of the channels' distances from the threshold",
        controls=(Control(STFT, high=1.0), Control(GAMMATONE, low=5.0)),
        evidence=overlap_of_channels,
        positive=(GAMMATONE,),
        negative=(STFT, PATCHES),
        family=MACHINES_ON_MUSIC,
        alternative="that kernels overlap because they are long and smooth, whatever they were trained for",
    ),
)
