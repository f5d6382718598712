"""Waveform shape or spectrum: which one frames keep together, by stage and by how far partials move."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import xarray as xr
from matplotlib.axes import Axes

from ...selecting import at_stage, interval_of_mean, stages_with
from ...writing import hertz, listed
from ..drawing import DARK, LABEL_SIZE, RANDOM, THIRD, TRAINED, Illustration, canvas, one_legend

REFERENCES = {  # drawn beside the encoder
    "control:texture": "P",
    "filterbank:stft": "D",
    "filterbank:stft_magnitude": "s",
}
COLUMNS = 2
MEASURE = "preference (1 = all waveform, -1 = all spectrum)"


def shape_by_stage(
    waveform: xr.Dataset,
    random: Sequence[xr.Dataset] = (),
    controls: Mapping[str, xr.Dataset] | None = None,
    name: str = "",
) -> Illustration:
    """Draw shape over spectrum of every stage with its interval, beside random weights and controls.

    Parameters
    ----------
    waveform : xarray.Dataset
        Group "waveform_shape" of the encoder.
    random : sequence of xarray.Dataset
        The same of its random baselines.
    controls : mapping of str to xarray.Dataset, optional
        The same of controls, by name; those of `REFERENCES` are drawn.
    name : str
        What the encoder is called.
    """
    stages = stages_with(waveform, "shape_over_spectrum")
    beside = {c: (controls or {})[c] for c in REFERENCES if c in (controls or {})}
    labels = [*stages, *beside]
    with canvas(1.5 + 0.34 * len(labels), f"{name}: waveform shape or spectrum?") as figure:
        axes = figure.subplots()
        for y, stage in zip(range(len(labels), 0, -1), stages, strict=False):
            for seed in random:
                if stage in stages_with(seed, "shape_over_spectrum"):
                    axes.plot(_shape(at_stage(seed, stage))[0], y - 0.22, "x", color=RANDOM, ms=5,
                              label="random weights")  # fmt: skip
            _dot(axes, at_stage(waveform, stage), y, TRAINED, "o", name or "encoder")
        for y, (control, own) in zip(range(len(beside), 0, -1), beside.items(), strict=True):
            _dot(axes, at_stage(own, str(own["stage"].values[0])), y, THIRD, REFERENCES[control], "control")
        axes.axvline(0, color="#777777", lw=0.9)
        axes.set_yticks(range(len(labels), 0, -1), [label.partition(":")[2] or label for label in labels])
        axes.set(ylim=(0.4, len(labels) + 0.6), ylabel="stage, control")
        axes.set_xlabel("shape over spectrum (0 = windowed spectrum)")
        one_legend(figure)
    return Illustration(
        "waveform-shape",
        "Waveform shape",
        figure,
        "Does a frame keep waveforms together as wholes, beyond what the spectrum of its own window keeps?",
        "Any frame that keeps phases keeps together what has the same waveform, a complex spectrum too: that "
        "is 0 here. Such a spectrum also keeps an inverted sound (as its negative) and half of a sound whose "
        "other half has other phases; a pattern of waveform keeps neither, and lies right of 0, at most "
        "at 1. A magnitude spectrum keeps both whole: -1. Lines are 95 % intervals over groups of sounds. "
        "Shape over spectrum, and the duration of a frame: "
        f"{listed([_said(at_stage(waveform, s), s) for s in stages])}.",
        f"Dots with intervals of waveform shape over spectrum for {name} at {', '.join(stages)}, 0 being "
        "the windowed spectrum" + (", with crosses for random networks." if random else "."),
    )


def preference_by_detuning(
    waveform: xr.Dataset, random: Sequence[xr.Dataset] = (), name: str = ""
) -> Illustration:
    """Draw the preference over the detuning, a panel per stage, beside the waveform under the same window.

    Parameters as in `shape_by_stage`.
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
        "A small detuning keeps the waveform of any short time, so that every stage that keeps phases is "
        "near 1 on the left, a complex spectrum too; where it turns partials round within the frame no "
        "waveform is left to keep. A stage on the dashed line keeps what the waveform under its window "
        "keeps; below it, phases count for less than that, and at -1 for nothing. The dotted line marks an "
        "eighth of a turn. The two changes are equal at "
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
            said.append(f"{name} {_mean(one):z.2f} ({_shape(one)[0]:z.2f})")
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
        "patches fall from 1 to 0 as the detuning nears the inverse of their frames' duration: being near 1 "
        "tells that phases are kept, not that patterns are. At an eighth of a turn, with shape over spectrum "
        f"in brackets: {listed(said)}.",
        f"Curves of the preference for waveform shape over the detuning for {', '.join(controls)}.",
    )


def _mean(one: xr.Dataset) -> float:
    return float(one["preference"].mean())


def _shape(one: xr.Dataset) -> tuple[float, float, float]:
    """Mean of shape over spectrum over groups of sounds, and its interval."""
    values = one["shape_over_spectrum"].groupby(one["sound_group"]).mean().values
    values = values[np.isfinite(values)]
    return (float(values.mean()), *interval_of_mean(values))


def _waveform_curve(one: xr.Dataset) -> np.ndarray:
    """Preference that the waveform a frame hears has itself, mean over sounds; [detunings]."""
    scrambled, detuned = one["waveform_phase_distance"].values, one["waveform_detuning_distance"].values
    return np.nanmean((scrambled - detuned) / (scrambled + detuned), axis=-1)


def _dot(axes: Axes, one: xr.Dataset, y: float, color: str, marker: str, label: str) -> None:
    mean, low, high = _shape(one)
    axes.plot([low, high], [y, y], color=color, lw=1.4)
    axes.plot(mean, y, marker, color=color, ms=6, ls="none", label=label)


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
    mean, low, high = _shape(one)
    return f"{stage} {mean:z.2f} ({low:z.2f} to {high:z.2f}), {1000 * float(one['window_duration']):.3g} ms"


def _crossed(one: xr.Dataset, stage: str) -> str:
    crossover, most = float(one["crossover"]), float(one["detuning"].max())
    if np.isnan(crossover):
        return f"{stage} no detuning, since nothing changes it"
    return f"{stage} {'more than ' + hertz(most) if np.isinf(crossover) else hertz(crossover)}"
