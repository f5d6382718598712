"""Claims about chords, codes, waveform shape and removal."""

from __future__ import annotations

import numpy as np
import xarray as xr

from ..interventions.removal import OWN_ALONE
from ..statistics.resampling import pseudo_values
from .evidence import PerGroup, PerUnit
from .hypothesis import MACHINES_ON_MUSIC, Control, Hypothesis, measured
from .joint import Jointly, Part
from .questions import (
    DECIMATOR,
    ENVELOPE,
    LOUDNESS,
    MAGNITUDE,
    MIXED,
    PATCHES,
    PATCHES_MIXED,
    STFT,
    TEXTURE,
    TRACKER,
    guessing,
    presence_of,
)

BAND_CODEC, DOMINANT_CODEC = "control:band_codec", "control:dominant_codec"
IDENTITY, MU_LAW = "control:identity_codec", "control:mu_law_codec"
FLIPS = "signs of the distances from the threshold of the components that were played"


def chord_sum(run: xr.DataTree, node: str, stage: str) -> Jointly:
    """Share of a chord's response that the sum of its notes holds, of the chords of each root; and presence.

    Chords of one root share most of their notes: four of them are hardly more than one.
    """
    left = measured(run, node, "chord_composition", "sum_error", stage).values
    roots = run[node]["chord_composition"].to_dataset()["chord_root"].values
    there = np.isfinite(left)
    held = [1 - left[there & (roots == root)].mean() for root in np.unique(roots[there])]
    summed = PerUnit(np.clip(held, 0, 1), bounds=(0, 1))
    present = presence_of("chord")(run, node, stage)
    return Jointly((Part(summed, "above", 0.5), Part(present, "above", guessing(run, node, "chord"))))


def reuse(run: xr.DataTree, node: str, stage: str) -> PerUnit:
    """How much oftener each partial's codes of other contexts are there with it than without, from 0 to 1."""
    found, chance = (measured(run, node, "codes", name, stage).values for name in ("reuse", "reuse_chance"))
    there = np.isfinite(found) & np.isfinite(chance)
    beyond = found[there] + chance[there] - pseudo_values(chance[there])
    return PerUnit(np.clip(beyond, 0, 1), bounds=(0, 1))


def shape_preference(run: xr.DataTree, node: str, stage: str) -> PerGroup:
    """Waveform shape kept beyond what the frame's windowed spectrum keeps, mean of each group of sounds."""
    excess = measured(run, node, "waveform_shape", "shape_over_spectrum", stage).values
    group = run[node]["waveform_shape"].to_dataset()["sound_group"].values
    finite = np.isfinite(excess)
    return PerGroup([excess[finite & (group == g)].mean() for g in np.unique(group[finite])])


def specific_removal(run: xr.DataTree, node: str, stage: str) -> PerGroup:
    """How much more the partial falls than its neighbours, beyond what random planes of its energy do.

    Of each mixture; partials that are not transmitted count as 0 dB. What this cannot exclude: that encoder
    and decoder are but linear, which lets any partial be removed, whatever the latent means.
    """
    beyond = measured(run, node, "interventions", "beyond_db", stage, removal=OWN_ALONE).values
    mixture = run[node]["interventions"].to_dataset()["mixture"].values
    return PerGroup([beyond[mixture == m].mean() for m in np.unique(mixture)])


COMPOSITION_CLAIMS = (
    Hypothesis(
        "chords_are_sums_of_pitches",
        claim="For spectral similarity to support semantic similarity, the representation must make these "
        "components available in a stable and reusable way.",
        source_expects="refuted",
        statement="lesser margin of two: share of a chord's response that the sum of its notes' holds, above "
        "0.5; "
        "and proportion of chords found that were added to notes, above half-way to certainty",
        group="chord_composition",
        stage="latent",
        holds="above",
        threshold=0.0,
        justification="half-way between a linear stage (1) and a sum that foretells nothing (0); and half "
        "way from guessing to certainty: to the decimator every sum is right and every chord the same",
        null="roots, and groups with chords and notes of their own",
        controls=(Control(STFT, low=0.3), Control(DECIMATOR, high=-0.3), Control(TEXTURE, high=-0.3)),
        evidence=chord_sum,
        family=MACHINES_ON_MUSIC,
        alternative="a linear stage that keeps its chords apart passes, though it forms none",
        positive=(STFT, PATCHES, MIXED),
        negative=(DECIMATOR, TEXTURE, LOUDNESS),
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
        positive=(BAND_CODEC,),
        negative=(DOMINANT_CODEC, TEXTURE),
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
        threshold=0.2,
        justification="a third of what the nearest of 256 waveform patches gives; a windowed spectrum gives "
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
        alternative="a nonlinearity that is no pattern of shapes, but answers to a whole waveform alone",
        positive=(TEXTURE,),
        negative=(STFT, MAGNITUDE, MIXED, ENVELOPE, PATCHES, PATCHES_MIXED, TRACKER, DECIMATOR),
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
        family=MACHINES_ON_MUSIC,
        positive=(IDENTITY,),
        negative=(MU_LAW,),
        alternative="that the latent is linear, so that whatever is taken from it is missed in the sound",
    ),
)
