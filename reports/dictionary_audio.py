"""Features and steering one can hear: the clips that excite a feature most, and sounds before and after."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xarray as xr

from .audio import Clip, data_uri
from .figures.dictionaries.examples import FULL_SCALE, feature_name, label_name
from .figures.dictionaries.steered import steered_at

HIGHEST_RATE_HZ = 12_000  # a page holds many clips
MOST_S, MOST_STEERED_S = 90.0, 40.0  # of all clips of a chapter together: 2.9 and 1.3 MB
MOST_FEATURES = 8  # of a stage, however short clips are
CLIPS, PEAK = 2, 0.9


def feature_clips(labels: xr.Dataset, stages: Sequence[str]) -> list[Clip]:
    """Return the clips that excite features most, two a feature, of as many features as a page has room for.

    Parameters
    ----------
    labels : xarray.Dataset
        Group "labels" of an encoder.
    stages : sequence of str
        Whose features are played: as many of each stage.

    Returns
    -------
    clips : list of Clip
        16-bit mono; both of a feature at one gain.
    """
    rate = int(labels.attrs["sample_rate"])
    examples = labels["example"].values[:CLIPS]
    length_s = labels.sizes["sample"] / rate
    room = MOST_S / length_s / len(examples) / max(1, len(stages))
    most = int(np.clip(room, 1, MOST_FEATURES))
    found = []
    for stage in stages:
        one = labels.sel(stage=stage)
        for place in one["shown"].values[one["shown_feature"].values >= 0][:most]:
            at = one.sel(shown=place)
            title = f"{stage}, {feature_name(one, int(at['shown_feature']))}"
            sounds = at["example_sound"].sel(example=examples).values.astype(float) / FULL_SCALE
            found += playable([f"{title}, clip {n}" for n in examples], sounds, rate)
    return found


def steered_clips(steering: xr.Dataset, stages: Sequence[str]) -> list[Clip]:
    """Return what a model generates by itself, and that steered by features: as many as there is room for.

    Parameters
    ----------
    steering : xarray.Dataset
        Group "steering" of an encoder.
    stages : sequence of str
        Whose features are played: as many of each stage.

    Returns
    -------
    clips : list of Clip
        16-bit mono, all at one gain; none where nothing is steered by.
    """
    rate, dose = int(steering.attrs["sample_rate"]), float(steering.attrs["tested_dose"])
    most = max(1, int(MOST_STEERED_S * rate / steering.sizes["sample"] / max(1, len(stages))))
    labels, sounds = [], []
    for stage in stages:
        for one in steered_at(steering, stage)[:most]:
            if not sounds:
                labels.append("before: nothing is added")
                sounds.append(one["sound_before"].values)
            feature = f"feature {int(one['steered_feature'])}: {label_name(one)}"
            labels.append(f"after: {stage}, {feature}, dose {dose:g}")
            sounds.append(one["sound_after"].values)
    return playable(labels, np.array(sounds, float) / FULL_SCALE, rate) if sounds else []


def playable(labels: Sequence[str], sounds: np.ndarray, sample_rate: int) -> list[Clip]:
    """Encode sounds [n, T] for a page, at a rate of at most 12 kHz and at one gain."""
    rate = min(sample_rate, HIGHEST_RATE_HZ)
    loudest = float(np.abs(sounds).max(initial=0.0))
    gain = PEAK / loudest if loudest > 0 else 1.0
    return [
        Clip(label, data_uri(_resampled(gain * sound, sample_rate, rate), rate)[0])
        for label, sound in zip(labels, sounds, strict=True)
    ]


def _resampled(sound: np.ndarray, sample_rate: int, rate: int) -> np.ndarray:
    if rate == sample_rate:
        return sound
    import soxr

    return soxr.resample(sound, sample_rate, rate)
