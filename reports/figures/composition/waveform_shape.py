"""Waveform shape or spectrum: which one frames keep together, by stage and by how far partials move."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import xarray as xr
from matplotlib.axes import Axes

from ...selecting import at_stage, stages_with
from ...writing import hertz, listed
from ..drawing import DARK, LABEL_SIZE, RANDOM, THIRD, TRAINED, Illustration, canvas, one_legend

REFERENCES = {"filterbank:stft_magnitude": "s", "filterbank:stft": "D"}  # drawn beside the encoder
COLUMNS = 2
MEASURE = "preference (1 = all waveform, -1 = all spectrum)"


def preference_by_stage(
    waveform: xr.Dataset,
    random: Sequence[xr.Dataset] = (),
    controls: Mapping[str, xr.Dataset] | None = None,
    name: str = "",
) -> Illustration:
    """Draw the preference of every stage with its interval, beside random weights and controls.

    Parameters
    ----------
    waveform : xarray.Dataset
        Group "waveform_shape" of the encoder.
    random : sequence of xarray.Dataset
        The same of its random baselines.
    controls : mapping of str to xarray.Dataset, optional
        The same of controls, by name; the spectrum and its magnitude are drawn.
    name : str
        What the encoder is called.
    """
    stages = stages_with(waveform, "preference")
    beside = {c: found for c, found in (controls or {}).items() if c in REFERENCES}
    labels = [*stages, *beside]
    with canvas(1.5 + 0.34 * len(labels), f"{name}: waveform shape or spectrum?") as figure:
        axes = figure.subplots()
        for y, stage in zip(range(len(labels), 0, -1), stages, strict=False):
            for seed in random:
                if stage in stages_with(seed, "preference"):
                    axes.plot(
                        _mean(at_stage(seed, stage)),
                        y - 0.22,
                        "x",
                        color=RANDOM,
                        ms=5,
                        label="random weights",
                    )
            one = at_stage(waveform, stage)
            _dot(axes, one, y, TRAINED, "o", name or "encoder")
            axes.plot(_under_window(one), y, "|", color=DARK, ms=13, mew=2, ls="none",
                      label="the waveform itself, under its window")  # fmt: skip
        for y, (control, own) in zip(range(len(beside), 0, -1), beside.items(), strict=True):
            _dot(axes, at_stage(own, str(own["stage"].values[0])), y, THIRD, REFERENCES[control], "control")
        axes.axvline(0, color="#777777", lw=0.9)
        axes.set_yticks(range(len(labels), 0, -1), [label.removeprefix("filterbank:") for label in labels])
        axes.set(xlim=(-1.05, 1.05), ylim=(0.4, len(labels) + 0.6), ylabel="stage, control")
        axes.set_xlabel(MEASURE)
        one_legend(figure)
    return Illustration(
        "waveform-shape",
        "Waveform shape",
        figure,
        "Does a frame keep together sounds of the same waveform there, or sounds of the same line spectrum?",
        "Two changes of one sound: other phases, the spectrum kept; and partials that move by an eighth of a "
        "turn within what the frame hears, the waveform kept. Right of 0 the former moves the frame more. "
        "Lines are 95 % intervals over sounds; the bar is what the waveform under the same window gives, as "
        "would a complete linear bank of that window. Preference, how long a frame hears, and the detuning: "
        f"{listed([_said(at_stage(waveform, s), s) for s in stages])}."
        + (" Random networks stand at an eighth of a turn within what they hear." if random else ""),
        f"Dots with intervals of the preference for waveform shape over spectrum for {name} at "
        f"{', '.join(stages)}, from -1 to 1" + (", with crosses for random networks." if random else "."),
    )


def preference_by_detuning(
    waveform: xr.Dataset, random: Sequence[xr.Dataset] = (), name: str = ""
) -> Illustration:
    """Draw the preference over the detuning, a panel per stage, beside the waveform under the same window.

    Parameters as in `preference_by_stage`.
    """
    stages = stages_with(waveform, "mean_preference")
    rows = -(-len(stages) // COLUMNS)
    with canvas(1.2 + 1.45 * rows, f"{name}: how far partials may move") as figure:
        grid = figure.subplots(rows, COLUMNS, squeeze=False, sharex=True, sharey=True)
        for axes, stage in zip(grid.flat, stages, strict=False):
            for seed in random:
                if stage in stages_with(seed, "mean_preference"):
                    _curve(axes, at_stage(seed, stage), RANDOM, "x", "random weights", 0.9)
            one = at_stage(waveform, stage)
            axes.plot(one["detuning"], _waveform_curve(one), "--", color=DARK, lw=1.1,
                      label="the waveform itself, under its window")  # fmt: skip
            axes.fill_between(one["detuning"], one["mean_preference_low"], one["mean_preference_high"],
                              color=TRAINED, alpha=0.25, lw=0)  # fmt: skip
            _curve(axes, one, TRAINED, "o", name or "encoder", 1.6)
            axes.axvline(float(one["reference_detuning"]), color="#777777", lw=0.9, ls=":")
            axes.axhline(0, color="#777777", lw=0.9)
            axes.set_title(stage)
        if len(stages) % COLUMNS:
            grid[-1, -1].set_axis_off()
        _detuning_axis(grid[0, 0], waveform["detuning"].values)
        for axes in grid[-1]:
            axes.set_xlabel("detuning (Hz)")
        figure.supylabel(MEASURE, size=LABEL_SIZE)
        one_legend(figure)
    return Illustration(
        "waveform-shape-detuning",
        "Waveform shape by detuning",
        figure,
        "How far may partials move before that changes a frame as much as other phases do?",
        "A small detuning keeps the waveform of any short time, so that every stage that hears phases is "
        "near 1 on the left; where it turns partials round within the frame no waveform is left to keep. A "
        "stage on the dashed line keeps what the waveform under its window keeps; below it, phases count for "
        "less than that, and at -1 for nothing. The dotted line marks an eighth of a turn. The two changes "
        "are equal at "
        f"{listed([_crossed(at_stage(waveform, s), s) for s in stages])}.",
        f"Curves of the preference over the detuning for {name}, one panel for each of {', '.join(stages)}.",
    )


def waveform_shape_of_controls(controls: Mapping[str, xr.Dataset]) -> Illustration:
    """Draw the preference of controls over the detuning, at their first stage.

    Parameters
    ----------
    controls : mapping of str to xarray.Dataset
        Group "waveform_shape" by name of the control.
    """
    with canvas(3.4, "Controls: waveform shape or spectrum?") as figure:
        axes = figure.subplots()
        colors, styles = (
            (TRAINED, THIRD, RANDOM, DARK, "#CC79A7", "#D55E00"),
            ("o-", "s--", "x-.", "D:", "^-", "v--"),
        )
        said = []
        for i, (name, found) in enumerate(controls.items()):
            one = at_stage(found, str(found["stage"].values[0]))
            look = {"color": colors[i % 6], "ms": 4.5, "lw": 1.3, "label": name}
            axes.plot(one["detuning"], one["mean_preference"], styles[i % 6], **look)
            said.append(f"{name} {_mean(one):z.2f}")
        axes.axhline(0, color="#777777", lw=0.9)
        axes.set(xlabel="detuning (Hz)", ylabel="preference (1 = all waveform)")
        _detuning_axis(axes, next(iter(controls.values()))["detuning"].values)
        one_legend(figure)
    return Illustration(
        "waveform-shape-controls",
        "Waveform shape, controls",
        figure,
        "What does the measurement say where the answer is known?",
        "Samples (decimator, rectifier) are 1 throughout, the magnitude spectrum near -1; linear banks and "
        "patches fall from 1 to 0 as the detuning nears the inverse of what their frames hear. At an eighth "
        f"of a turn: {listed(said)}.",
        f"Curves of the preference for waveform shape over the detuning for {', '.join(controls)}.",
    )


def _mean(one: xr.Dataset) -> float:
    return float(one["preference"].mean())


def _interval(one: xr.Dataset) -> tuple[float, float]:
    """Interval of the mean at the reference detuning, interpolated as the preference is."""
    x, at = np.log(one["detuning"].values), np.log(float(one["reference_detuning"]))
    low, high = (float(np.interp(at, x, one[f"mean_preference_{end}"].values)) for end in ("low", "high"))
    return low, high


def _waveform_curve(one: xr.Dataset) -> np.ndarray:
    """Preference that the waveform a frame hears has itself, mean over sounds; [detunings]."""
    scrambled, detuned = one["waveform_phase_distance"].values, one["waveform_detuning_distance"].values
    return np.nanmean((scrambled - detuned) / (scrambled + detuned), axis=-1)


def _under_window(one: xr.Dataset) -> float:
    at = np.log(float(one["reference_detuning"]))
    return float(np.interp(at, np.log(one["detuning"].values), _waveform_curve(one)))


def _dot(axes: Axes, one: xr.Dataset, y: float, color: str, marker: str, label: str) -> None:
    axes.plot(_interval(one), [y, y], color=color, lw=1.4)
    axes.plot(_mean(one), y, marker, color=color, ms=6, ls="none", label=label)


def _curve(axes: Axes, one: xr.Dataset, color: str, marker: str, label: str, width: float) -> None:
    axes.plot(
        one["detuning"], one["mean_preference"], color=color, marker=marker, ms=4, lw=width, label=label
    )


def _detuning_axis(axes: Axes, detuning_hz: np.ndarray) -> None:
    axes.set_xscale("log")
    shown = detuning_hz[1::2] if len(detuning_hz) > 4 else detuning_hz
    axes.set_xticks(shown, [f"{f:g}" for f in shown])
    axes.minorticks_off()
    axes.set_ylim(-1.08, 1.08)


def _said(one: xr.Dataset, stage: str) -> str:
    low, high = _interval(one)
    milliseconds = 1000 * float(one["window_duration"])
    return (
        f"{stage} {_mean(one):z.2f} ({low:z.2f} to {high:z.2f}), {milliseconds:.3g} ms, "
        f"{hertz(float(one['reference_detuning']))}"
    )


def _crossed(one: xr.Dataset, stage: str) -> str:
    crossover, most = float(one["crossover"]), float(one["detuning"].max())
    if np.isnan(crossover):
        return f"{stage} no detuning, since nothing changes it"
    return f"{stage} {'more than ' + hertz(most) if np.isinf(crossover) else hertz(crossover)}"
