"""Features one can look at: what each is labelled, and when it is active in the clips that excite it most."""

from __future__ import annotations

import numpy as np
import xarray as xr
from matplotlib.axes import Axes

from ...writing import counted
from ..drawing import TRAINED, Illustration, canvas

ROW_IN = 0.86
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
    with canvas(0.95 + ROW_IN * len(shown), f"{name}, {stage}: when features are active") as figure:
        grid = figure.subplots(len(shown), examples, squeeze=False, sharex=True)
        for row, place in zip(grid, shown, strict=True):
            at = one.sel(shown=place)
            most = max(float(at["example_firing"].max()), TINY)
            for axes, example in zip(row, at["example"].values, strict=True):
                _panel(axes, at.sel(example=example), rate, most)
            title = feature_title(one, int(at["shown_feature"]))
            over_all = row[0].text(0, 1.04, title, transform=row[0].transAxes, fontsize=7.5)
            over_all.set_in_layout(False)  # it runs over all panels; an empty title keeps its height
            row[-1].set_title(" ", fontsize=7.5)
        for axes, example in zip(grid[-1], one["example"].values, strict=True):
            axes.set_xlabel(f"s (clip {example})")
    return Illustration(
        f"feature-examples-{stage}",
        "When features are active",
        figure,
        f"What do the clips have in common that excite a feature at {stage} most, and when is it active?",
        "A row a feature: above the waveform of each clip (grey) the feature over its frames, from 0 to the "
        "largest value of the row. The title gives the label, its score on clips that it was not made from "
        "with its 95 % interval, and what the best of all features scores by chance. Shown are labels that "
        "hold, those of least p first and every label once before any comes twice.",
        f"Activations over time of {counted(len(shown), 'feature')} at {stage} of {name}, above the "
        f"waveforms of the {examples} clips that excite each most.",
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


def _panel(axes: Axes, at: xr.Dataset, rate: float, most: float) -> None:
    sound = at["example_sound"].values.astype(float) / FULL_SCALE
    seconds = len(sound) / rate
    low, high = _envelope(sound)
    loudest = max(float(np.abs(sound).max()), TINY)
    times = np.linspace(0, seconds, len(low))
    axes.fill_between(times, 0.5 * low / loudest - 0.55, 0.5 * high / loudest - 0.55, color=WAVE, lw=0.3)
    firing = np.nan_to_num(at["example_firing"].values)
    edges = np.arange(len(firing) + 1) * float(at["hop"]) / rate
    height = BASE + np.clip(firing, 0, None) / most
    axes.stairs(height, edges, baseline=BASE, fill=True, color=TRAINED, alpha=0.35, lw=0)
    axes.stairs(height, edges, baseline=None, color=TRAINED, lw=0.9)
    axes.set(xlim=(0, seconds), ylim=(-1.1, 1.25), yticks=[])
    axes.grid(False)
    axes.spines["left"].set_visible(False)
    axes.tick_params(labelsize=7.5, length=2)


def _envelope(sound: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the lowest and highest sample of each of a few hundred stretches."""
    pieces = np.array_split(sound, min(COLUMNS_OF_SOUND, len(sound)))
    return np.array([piece.min() for piece in pieces]), np.array([piece.max() for piece in pieces])
