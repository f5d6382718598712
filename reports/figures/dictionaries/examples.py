"""Features one can look at: what each is labelled, and when it is active in the clips that excite it most."""

from __future__ import annotations

import numpy as np
import pandas as pd
import xarray as xr
from matplotlib.axes import Axes

from ...writing import counted
from ..drawing import TRAINED, Illustration, canvas
from ..panels import shortened

ROW_IN = 0.8
ROW, GAP = 3.2, 0.08  # a row, in units of its largest value; between clips, as a share of one
COLUMNS_OF_SOUND = 260  # of an envelope: about one a pixel
WAVE = "#9A9A9A"
FULL_SCALE = 32_767
TINY, BASE = 1e-9, 0.05
LONGEST = 80  # of a title, in characters


def feature_examples(result: xr.Dataset, stage: str, name: str = "") -> Illustration:
    """Draw when features are active in the clips that excite them most, over the waveform.

    Parameters
    ----------
    result : xarray.Dataset
        Group "labels" of the encoder.
    stage : str
        At which a feature is shown.
    name : str
        What the encoder is called.
    """
    one = result.sel(stage=stage)
    shown = [int(place) for place in one["shown"].values[one["shown_feature"].values >= 0]]
    rate, examples = float(result.attrs["sample_rate"]), one.sizes["example"]
    seconds = one.sizes["sample"] / rate if "sample" in one.sizes else one["example_sound"].shape[-1] / rate
    starts = np.arange(examples) * (1 + GAP) * seconds
    with canvas(
        0.95 + ROW_IN * len(shown), f"{name}, {shortened(stage)}: when features are active"
    ) as figure:
        axes = figure.subplots()
        for row, place in enumerate(shown):
            _row(axes, one.sel(shown=place), rate, starts, -ROW * row)
            title = feature_title(one, int(one["shown_feature"].sel(shown=place)))
            axes.text(0, -ROW * row + 1.3, title, fontsize=7.5, va="bottom")
        axes.set(xlim=(0, starts[-1] + seconds), ylim=(-ROW * (len(shown) - 1) - 1.1, 1.9), yticks=[])
        axes.grid(False)
        axes.spines["left"].set_visible(False)
        ticks = [(start + at, f"{at:.2g}") for start in starts for at in (0.0, seconds / 2)]
        axes.set_xticks(*zip(*ticks, strict=True), fontsize=7.5)
        axes.set_xlabel("s, in each of the clips that excite it most")
    return Illustration(
        f"feature-examples-{stage}",
        "When features are active",
        figure,
        f"What do the clips have in common that excite a feature at {stage} most, and when is it active?",
        "Above the waveform of each clip (grey) the feature over its frames, from 0 to the largest value of "
        "the row. The title gives the label, its score on other clips with its 95 % interval, and what the "
        "best of all features scores by chance.",
        f"Activations over time of {counted(len(shown), 'feature')} at {stage} of {name}, above the "
        f"waveforms of the {examples} clips that excite each most.",
        "Each row is a feature, above the waveforms of the clips that excite it most.",
        pd.DataFrame([_numbers(one, place) for place in shown]),
    )


def feature_title(one: xr.Dataset, feature: int) -> str:
    """Write number, label, score and null of a feature at a stage, on a line; a long label is cut.

    Parameters
    ----------
    one : xarray.Dataset
        Group "labels" at a stage.
    feature : int
    """
    at = one.sel(feature=feature)
    score, low, high, null = (float(at[n]) for n in ("score", "score_low", "score_high", "baseline"))
    ends = f" ({low:z.2f} to {high:z.2f})" if np.isfinite([low, high]).all() else ""
    measure = str(at["measure"].values)
    scores = f" – {measure} {score:z.2f}{ends}, by chance {null:z.2f}"
    name = f"{feature}: {label_name(at)}"
    room = LONGEST - len(scores)
    return (name if len(name) <= room else f"{name[: room - 1]}…") + scores


def feature_name(one: xr.Dataset, feature: int) -> str:
    """Write number and label of a feature: "feature 12: register low"."""
    return f"feature {feature}: {label_name(one.sel(feature=feature))}"


def label_name(one: xr.Dataset) -> str:
    """Write the label of one feature, after its factor where it does not name that itself.

    Examples
    --------
    >>> label_name(xr.Dataset({"label": "low", "label_factor": "register"}))
    'register low'
    >>> label_name(xr.Dataset({"label": "lower f0", "label_factor": "f0"}))
    'lower f0'
    """
    factor, label = str(one["label_factor"].values), str(one["label"].values)
    return label if factor in label else f"{factor} {label}"


def _row(axes: Axes, at: xr.Dataset, rate: float, starts: np.ndarray, base: float) -> None:
    """Draw a feature over the waveforms of its clips, side by side; as pixels in a vector file."""
    most = max(float(at["example_firing"].max()), TINY)
    for start, example in zip(starts, at["example"].values, strict=True):
        one = at.sel(example=example)
        sound = one["example_sound"].values.astype(float) / FULL_SCALE
        low, high = _envelope(sound)
        loudest = max(float(np.abs(sound).max()), TINY)
        times = start + np.linspace(0, len(sound) / rate, len(low))
        axes.fill_between(times, base - 0.55 + 0.5 * low / loudest, base - 0.55 + 0.5 * high / loudest,
                          color=WAVE, lw=0.3, rasterized=True)  # fmt: skip
        firing = np.nan_to_num(one["example_firing"].values)
        edges = start + np.arange(len(firing) + 1) * float(one["hop"]) / rate
        height = base + BASE + np.clip(firing, 0, None) / most
        axes.stairs(height, edges, baseline=base + BASE, fill=True, color=TRAINED, alpha=0.35, lw=0,
                    rasterized=True)  # fmt: skip
        axes.stairs(height, edges, baseline=None, color=TRAINED, lw=0.9, rasterized=True)


def _envelope(sound: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the lowest and highest sample of each of a few hundred stretches."""
    pieces = np.array_split(sound, min(COLUMNS_OF_SOUND, len(sound)))
    return np.array([piece.min() for piece in pieces]), np.array([piece.max() for piece in pieces])


def _numbers(one: xr.Dataset, place: int) -> dict[str, object]:
    """Return what the title of a row says, and the largest value in each clip."""
    feature = int(one["shown_feature"].sel(shown=place))
    at = one.sel(feature=feature)
    clips = {
        f"largest in clip {example}": float(one["example_firing"].sel(shown=place, example=example).max())
        for example in one["example"].values
    }
    return {
        "feature": feature, "label": label_name(at), "measure": str(at["measure"].values),
        "score": float(at["score"]), "low (95 %)": float(at["score_low"]),
        "high (95 %)": float(at["score_high"]), "by chance": float(at["baseline"]), **clips,
    }  # fmt: skip
