"""Waveform shape or spectrum: which one frames keep together, by stage and by how far partials move."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import xarray as xr
from matplotlib.axes import Axes

from ...selecting import at_stage, interval_of_mean, spread, stages_with
from ..drawing import (
    DARK,
    LABEL_SIZE,
    RANDOM,
    THIRD,
    TRAINED,
    Illustration,
    canvas,
    hint,
    one_legend,
    seeds_label,
)
from ..panels import (
    MOST_ROWS,
    MOST_STAGES,
    axes_or_new,
    by_network,
    mean_of,
    panel_rows,
    panels,
    shortened,
    stage_rows,
)

REFERENCES = {  # drawn beside the encoder
    "control:texture": "P",
    "filterbank:stft": "D",
    "filterbank:stft_magnitude": "s",
}
MEASURE = "preference (1 = all waveform, -1 = all spectrum)"


def waveform_shape(
    data: xr.Dataset,
    *,
    random: Sequence[xr.Dataset] = (),
    controls: Mapping[str, xr.Dataset] | None = None,
    name: str = "encoder",
    ax: Axes | None = None,
) -> Axes:
    """Draw shape over spectrum of every stage with its interval: 0 is what a windowed spectrum keeps.

    Parameters
    ----------
    data : xarray.Dataset
        Of the probe "waveform_shape".
    random : sequence of xarray.Dataset
        The same of random networks.
    controls : mapping of str to xarray.Dataset, optional
        The same of controls, by name; the texture, the STFT and its magnitude are drawn.
    name : str
        What the encoder is called in the legend.
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure's if left out.

    Returns
    -------
    ax : matplotlib.axes.Axes

    Examples
    --------
    >>> from tonotopy.encoders import load
    >>> from tonotopy.probes import Session
    >>> from tonotopy.probes import waveform_shape as measure
    >>> waveform_shape(measure(Session(load("control:texture")))).get_xlabel()
    'shape over spectrum (0 = windowed spectrum)'
    """
    stages = stages_with(data, "shape_over_spectrum")
    beside = {c: (controls or {})[c] for c in REFERENCES if c in (controls or {})}
    labels = [*stages, *beside]
    y = stage_rows(labels)
    with axes_or_new(ax, 1.5 + 0.34 * len(labels)) as axes:
        for stage, place in zip(stages, y, strict=False):
            _dot(axes, at_stage(data, stage), place, TRAINED, "o", name, stage)
        seeds = [
            (_shape(at_stage(seed, stage))[0], place - 0.22)
            for stage, place in zip(stages, y, strict=False)
            for seed in random
            if stage in stages_with(seed, "shape_over_spectrum")
        ]
        if seeds:
            axes.plot(*np.transpose(seeds), "x", color=RANDOM, ms=5, label="random weights")
        for place, (control, own) in zip(y[len(stages) :], beside.items(), strict=True):
            one = at_stage(own, str(own["stage"].values[0]))
            _dot(axes, one, place, THIRD, REFERENCES[control], "control", control)
        axes.axvline(0, color="#777777", lw=0.9)
        axes.set_yticks(y, [shortened(label.partition(":")[2] or label) for label in labels])
        axes.set(ylim=(0.4, len(labels) + 0.6))
        axes.set_xlabel("shape over spectrum (0 = windowed spectrum)")
        return axes


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
    with canvas(1.5 + 0.34 * (len(stages) + len(beside)), f"{name}: waveform shape or spectrum?") as figure:
        waveform_shape(waveform, random=random, controls=beside, name=name or "encoder", ax=figure.subplots())
        one_legend(figure)
    rows = [_row(stage, at_stage(waveform, stage), random) for stage in stages]
    rows += [_row(control, at_stage(own, str(own["stage"].values[0]))) for control, own in beside.items()]
    return Illustration(
        "waveform-shape",
        "Waveform shape",
        figure,
        "Does a frame keep waveforms together as wholes, beyond what the spectrum of its own window keeps?",
        "Any frame that keeps phases keeps together what has the same waveform, a complex spectrum too: that "
        "is 0 here, and a magnitude spectrum is at -1. A pattern of waveform, which keeps neither an "
        "inverted sound nor half of one, lies right of 0, at most at 1. Lines are 95 % intervals.",
        f"Dots with intervals of waveform shape over spectrum for {name} at {', '.join(stages)}, 0 being "
        "the windowed spectrum" + (", with crosses for random networks." if random else "."),
        "Right of 0 a stage keeps whole waveforms together, beyond what its window's spectrum keeps.",
        pd.DataFrame(rows),
    )


def preference_by_detuning(
    waveform: xr.Dataset, random: Sequence[xr.Dataset] = (), name: str = ""
) -> Illustration:
    """Draw the preference over the detuning, a panel per stage, beside the waveform under the same window.

    Parameters as in `shape_by_stage`.
    """
    stages = [str(s) for s in spread(np.array(stages_with(waveform, "mean_preference")), MOST_STAGES)]
    with canvas(1.3 + 1.5 * panel_rows(len(stages)), f"{name}: how far partials may move") as figure:
        grid = panels(figure, len(stages), "detuning (Hz)")
        for axes, stage in zip(grid, stages, strict=True):
            one = at_stage(waveform, stage)
            axes.fill_between(one["detuning"], one["mean_preference_low"], one["mean_preference_high"],
                              color=TRAINED, alpha=0.25, lw=0)  # fmt: skip
            axes.plot(one["detuning"], one["mean_preference"], "o-", color=TRAINED, ms=4, lw=1.6,
                      label=name or "encoder")  # fmt: skip
            if seeds := _preferences(random, stage):
                axes.plot(one["detuning"], mean_of(seeds, one["mean_preference"].values), "-.", color=RANDOM,
                          lw=1.2, label=seeds_label(len(seeds)))  # fmt: skip
            axes.plot(one["detuning"], _waveform_curve(one), "--", color=DARK, lw=1.1,
                      label="the waveform itself, under its window")  # fmt: skip
            axes.axvline(float(one["reference_detuning"]), color="#777777", lw=0.9, ls=":",
                         label="an eighth of a turn")  # fmt: skip
            axes.axhline(0, color="#777777", lw=0.9)
            axes.set_title(shortened(stage, 16))
        _detuning_axis(grid[0], waveform["detuning"].values, 5 if len(stages) < 3 else 3)
        figure.supylabel(MEASURE if panel_rows(len(stages)) > 1 else "preference (1)", size=LABEL_SIZE)
        one_legend(figure)
    return Illustration(
        "waveform-shape-detuning",
        "Waveform shape by detuning",
        figure,
        "How far may partials move before that changes a frame as much as other phases do?",
        "A small detuning keeps the waveform of any short time, so that every stage that keeps phases is "
        "near 1 on the left, a complex spectrum too. A stage on the dashed line keeps what the waveform "
        "under its window keeps; below it, phases count for less than that, and at -1 for nothing.",
        f"Curves of the preference over the detuning for {name}, one panel for each of {', '.join(stages)}.",
        "Where a curve crosses 0, moving partials that far changes a frame as much as other phases do.",
        pd.DataFrame([row for stage in stages for row in _curve_rows(waveform, random, stage)][:MOST_ROWS]),
    )


def waveform_shape_of_controls(controls: Mapping[str, xr.Dataset]) -> Illustration:
    """Draw the preference of controls over the detuning, at their first stage.

    Parameters
    ----------
    controls : mapping of str to xarray.Dataset
        Group "waveform_shape" by name of the control.
    """
    rows = []
    with canvas(1.0 + 1.25 * panel_rows(len(controls)), "Controls: waveform shape or spectrum?") as figure:
        grid = panels(figure, len(controls), "detuning (Hz)")
        for axes, (name, found) in zip(grid, controls.items(), strict=True):
            one = at_stage(found, str(found["stage"].values[0]))
            axes.plot(one["detuning"], one["mean_preference"], "o-", color=TRAINED, ms=3.5, lw=1.3)
            axes.axhline(0, color="#777777", lw=0.9)
            axes.set_title(shortened(name.partition(":")[2] or name, 19), fontsize=8.5)
            rows += [
                {"control": name, "detuning (Hz)": float(hertz), "preference": float(value),
                 "preference at an eighth of a turn": _mean(one), "shape over spectrum": _shape(one)[0]}
                for hertz, value in zip(one["detuning"].values, one["mean_preference"].values, strict=True)
            ]  # fmt: skip
        _detuning_axis(grid[0], next(iter(controls.values()))["detuning"].values, 3)
        figure.supylabel("preference (1 = all waveform)", size=LABEL_SIZE)
    return Illustration(
        "waveform-shape-controls",
        "Waveform shape, controls",
        figure,
        "What does the measurement say where the answer is known?",
        "Samples (decimator, rectifier) are 1 throughout, the magnitude spectrum near -1; linear banks and "
        "patches fall from 1 to 0 as the detuning nears the inverse of their frames' duration. Being near 1 "
        "tells that phases are kept, not that patterns are.",
        f"Curves of the preference for waveform shape over the detuning for {', '.join(controls)}.",
        "The preference of controls whose answer is known: 1 is all waveform, -1 all spectrum.",
        pd.DataFrame(rows[:MOST_ROWS]),
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


def _dot(axes: Axes, one: xr.Dataset, y: float, color: str, marker: str, label: str, called: str) -> None:
    mean, low, high = _shape(one)
    axes.plot([low, high], [y, y], color=color, lw=1.4)
    (point,) = axes.plot(mean, y, marker, color=color, ms=6, ls="none", label=label)
    hint(point, f"{called}: {mean:z.2f} ({low:z.2f} to {high:z.2f})")


def _preferences(random: Sequence[xr.Dataset], stage: str) -> list[np.ndarray]:
    there = [seed for seed in random if stage in stages_with(seed, "mean_preference")]
    return [at_stage(seed[["mean_preference"]], stage)["mean_preference"].values for seed in there]


def _detuning_axis(axes: Axes, detuning_hz: np.ndarray, most: int) -> None:
    axes.set_xscale("log")
    shown = detuning_hz[1::2] if len(detuning_hz) > 4 else detuning_hz
    shown = spread(shown, most)
    axes.set_xticks(shown, [f"{f:g}" for f in shown])
    axes.minorticks_off()
    axes.set_ylim(-1.08, 1.08)


def _row(called: str, one: xr.Dataset, random: Sequence[xr.Dataset] = ()) -> dict[str, object]:
    mean, low, high = _shape(one)
    there = [at_stage(r, called) for r in random if called in stages_with(r, "shape_over_spectrum")]
    return {
        "stage or control": called, "shape over spectrum": mean, "low (95 %)": low, "high (95 %)": high,
        "frame (ms)": 1000 * float(one["window_duration"]), **by_network([_shape(r)[0] for r in there]),
    }  # fmt: skip


def _curve_rows(waveform: xr.Dataset, random: Sequence[xr.Dataset], stage: str) -> list[dict[str, object]]:
    one, seeds = at_stage(waveform, stage), _preferences(random, stage)
    under = _waveform_curve(one)
    crossover = float(one["crossover"])
    return [
        {
            "stage": stage, "detuning (Hz)": float(hertz),
            **{f"preference{end}": float(one[f"mean_preference{key}"][i]) for end, key in
               (("", ""), (", low (95 %)", "_low"), (", high (95 %)", "_high"))},
            "waveform under its window": float(under[i]), **by_network([seed[i] for seed in seeds]),
            "equal at (Hz)": crossover,
        }
        for i, hertz in enumerate(one["detuning"].values)
    ]  # fmt: skip
