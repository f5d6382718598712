"""Interventions: what a sound becomes once its latent is changed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import xarray as xr

from ...probes.interventions.removal import EQUAL_ALONE, OWN_ALONE, OWN_AMONG_OTHERS
from ..answers import Scale
from ..audio import Clip, Sounds, data_uri
from ..chapter import Chapter
from ..columns import as_judged, measured
from ..estimates import Estimate
from ..figures import Illustration
from ..figures.interventions.interventions import dose_response, intervention_spectra
from ..judged_answers import judged_answer, side
from ..runs import Subject
from ..selecting import stages_with

AUDIBLE_DB = 6.0  # where the hypothesis has its threshold too
MOST_LOST = 1 / 3  # of all trials; more are worth a word


def _interventions(subject: Subject, controls: Sequence[Subject]) -> Iterator[Illustration]:
    found = subject.result("interventions")
    if found is not None and stages_with(found, "reference_db"):
        yield dose_response(found, subject.of_baselines("interventions"), subject.name)
        yield intervention_spectra(found, subject.name)


def decoded(interventions: xr.Dataset) -> Sounds:
    """Take the sounds of an intervention as they were decoded.

    Parameters
    ----------
    interventions : xarray.Dataset
        Group "interventions" of an encoder.

    Returns
    -------
    sounds : Sounds
        The mixture, the mixture without one partial in three ways; all at one gain.
    """
    rate = int(interventions.attrs["sample_rate"])
    frequency = float(interventions["removed_frequency"].isel(trial=interventions.attrs["clip_trial"]))
    sounds = interventions["sound"].values.astype(float)
    sounds = sounds / max(1.0, float(np.abs(sounds).max()))
    labels = [f"{frequency:.0f} Hz: {clip}" for clip in interventions["clip"].values]
    clips = [Clip(label, data_uri(sound, rate)[0]) for label, sound in zip(labels, sounds, strict=True)]
    return Sounds("As it was decoded, all at one gain:", clips)


def _lost(one: xr.Dataset) -> Iterator[str]:
    trials = one.sizes["trial"]
    if int(one["lost"]) > MOST_LOST * trials:
        yield (
            f"{int(one['lost'])} of {trials} partials have no level in the decoded sound that could change; "
            "what is removed beyond random planes counts them as 0 dB"
        )


def _removal(removed: Estimate) -> tuple[str, str]:
    """Say whether a partial can be taken out."""
    return {
        1: "a partial can be taken out and its neighbours stay",
        0: "it is open whether a partial can be taken out while its neighbours stay",
        -1: "a partial can not be taken out while its neighbours stay",
    }[side(removed, AUDIBLE_DB)], "falls more than its neighbours and than by random planes"


INTERVENTIONS = Chapter(
    "interventions",
    question="Can a partial be taken out of the latent?",
    answer=judged_answer(
        "removable_partials", Scale(0.0, 30.0, "as random planes", "gone", "level"), _removal
    ),
    columns=(
        measured("specific_db", "Specific", "by how much more a partial falls than its neighbours when its "
                 "plane is removed", "level", pick=OWN_AMONG_OTHERS),
        measured("specific_db", "Alone", "the same with its plane measured alone", "level", pick=OWN_ALONE),
        measured("specific_db", "Random plane", "the same with random planes of the energy of that measured "
                 "alone", "level", is_compared=False, pick=EQUAL_ALONE),
        as_judged("removable_partials", "Beyond random", "the plane measured alone less random ones; what is "
                  "not transmitted counts as 0", "level"),
        measured("lost", "Lost", "removals without a level to change", "count"),
    ),
    cautions=_lost,
    figures=_interventions,
    sounds=decoded,
)  # fmt: skip
CHAPTERS = (INTERVENTIONS,)
