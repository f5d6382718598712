"""The alias map: at which output frequency the power of each tone appears."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xarray as xr
from matplotlib.axes import Axes

from ....probes.folding.folding import fold
from ...selecting import at_stage, spread, stage_with, stages_with
from ..drawing import LABEL_SIZE, Illustration, canvas, frequency_axis, one_legend
from ..panels import MOST_STAGES, axes_or_new, by_network, shortened
from ..tables import Row, thinned

FLOOR_DB = -40.0
WIDEST_OCTAVES = 1 / 8  # of a tone's column: tones are not evenly spread, and say nothing of the gaps
TOOTH_IN = 0.05  # the zig-zag is drawn where its teeth are at least as wide
POWER = "power (dB re the tone's total)"
PREDICTED = "#D55E00"  # Okabe & Ito's vermilion, apart from every colour of the map


def alias_map(data: xr.Dataset, *, stage: str | None = None, ax: Axes | None = None) -> Axes:
    """Draw output power over input and output frequency, with the fold that is predicted.

    Parameters
    ----------
    data : xarray.Dataset
        Of the probe "aliasing".
    stage : str, optional
        The last one that has such a map if left out.
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new figure's if left out.

    Returns
    -------
    ax : matplotlib.axes.Axes
        Its mesh holds power in dB re the tone's total, from -40 dB.

    Raises
    ------
    InputError
        If the stage has no such map.

    Notes
    -----
    Each tone has a column of its own, at most 1/8 octave wide, grey where no tone was played. The
    prediction is a line where its teeth are wide enough to be seen, dots at the tones above.

    Examples
    --------
    >>> from tonotopy.encoders import load
    >>> from tonotopy.probes import aliasing
    >>> from tonotopy.probes.engine.session import Session
    >>> alias_map(aliasing(Session(load("control:decimator")))).get_xlabel()
    'input frequency (Hz)'
    """
    one = stage_with(data, "alias_map", stage)
    edges, share = tone_columns(one["frequency"].values, one["alias_map"].values)
    nyquist_hz, rows = float(one["nyquist_hz"]), one.sizes["output"]
    across = (np.arange(rows + 1) - 0.5) / (rows - 1) * nyquist_hz
    level = 10 * np.log10(np.maximum(share, 10 ** (FLOOR_DB / 10)))
    with axes_or_new(ax) as axes:
        mesh = axes.pcolormesh(edges, across, level.T, vmin=FLOOR_DB, vmax=0.0, rasterized=True)
        frequency_axis(axes, "x", edges[0], edges[-1], "input frequency (Hz)", narrow=True)
        axes.set_ylim(across[0], across[-1])  # rows of 0 and Nyquist are as high as the others
        axes.set(title=shortened(str(one["stage"].values)), ylabel="output frequency (Hz)")
        axes.set_facecolor("#bdbdbd")
        axes.grid(False)
        _prediction(axes, one)
        if ax is None:
            axes.figure.colorbar(mesh, ax=axes, label=POWER)
    return axes


def alias_maps(aliasing: xr.Dataset, random: Sequence[xr.Dataset] = (), name: str = "") -> Illustration:
    """Draw where the power of tones appears at every stage, beside one random network.

    Parameters
    ----------
    aliasing : xarray.Dataset
        Group "aliasing" of the encoder.
    random : sequence of xarray.Dataset
        The same of its random baselines; the first is drawn.
    name : str
        What the encoder is called.
    """
    stages = [str(s) for s in spread(np.array(stages_with(aliasing, "alias_map")), MOST_STAGES)]
    beside = [r for r in random[:1] if set(stages) <= set(stages_with(r, "alias_map"))]
    with canvas(1.2 + 1.7 * len(stages), f"{name}: where the power of a tone appears") as figure:
        grid = figure.subplots(len(stages), 1 + len(beside), squeeze=False, sharex=True, sharey="row")
        for row, stage in zip(grid, stages, strict=True):
            for axes, probe in zip(row, [aliasing, *beside], strict=True):
                alias_map(probe, stage=stage, ax=axes)
                axes.set(xlabel="", ylabel="")
                if probe is not aliasing:
                    axes.set_title("random weights")
        for axes in grid[-1]:
            axes.set_xlabel("input frequency (Hz)")
        figure.supylabel("output frequency (Hz)", size=LABEL_SIZE)
        mesh = grid[0, 0].collections[0]
        figure.colorbar(mesh, ax=grid, label=POWER, location="bottom", aspect=40, pad=0.01)
        one_legend(figure)
    return Illustration(
        "alias-map",
        "Alias map",
        figure,
        "Does a tone come out at the frequency at which its stage's frame rate must show it?",
        "Power of all channels together, a column a tone; what lies off the prediction was made by a "
        "nonlinearity. Where the zig-zag is too fine to be drawn, rings mark it at the tones played.",
        f"Heat maps of the output power of {name} over input frequency and output frequency, one panel per "
        f"stage ({', '.join(stages)}), with the predicted zig-zag of folding over them.",
        "Bright where a tone's power comes out: on the red prediction it has folded as the frame rate "
        "demands.",
        thinned([_tones(aliasing, random, stage) for stage in stages]),
    )


def _tones(aliasing: xr.Dataset, random: Sequence[xr.Dataset], stage: str) -> list[Row]:
    """Return where each tone must come out, and how much of it does, beside the mean over tones."""
    one = at_stage(aliasing, stage)
    seeds = [at_stage(r, stage) for r in random if stage in stages_with(r, "bank_share")]
    means = {"mean over tones (share)": float(_at_fold(one).mean())}
    among = by_network([float(_at_fold(seed).mean()) for seed in seeds])
    means |= {f"mean, {who} (share)": value for who, value in among.items()}
    columns = (one["frequency"].values, one["predicted_fold"].values, _at_fold(one).values)
    return [
        {
            "stage": stage, "input frequency (Hz)": float(hz), "predicted fold (Hz)": float(fold_hz),
            "power at the fold (share)": float(share), **means,
        }
        for hz, fold_hz, share in zip(*columns, strict=True)
    ]  # fmt: skip


def _at_fold(one: xr.Dataset) -> xr.DataArray:
    return one["bank_share"].sel(component="fold")


def tone_columns(frequency_hz: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the edges [2 n] of a column for each tone, and values [2 n - 1, ...] with NaN in the gaps.

    Examples
    --------
    >>> edges, values = tone_columns(np.array([100.0, 200.0]), np.array([[1.0], [2.0]]))
    >>> edges.round().tolist(), values[:, 0].tolist()
    ([96.0, 104.0, 192.0, 209.0], [1.0, nan, 2.0])
    """
    octave = np.log2(frequency_hz)
    half = np.minimum(np.diff(octave) / 2, WIDEST_OCTAVES / 2)
    below = np.concatenate([[WIDEST_OCTAVES / 2], half])
    above = np.concatenate([half, [WIDEST_OCTAVES / 2]])
    edges = np.exp2(np.column_stack([octave - below, octave + above]).ravel())
    spaced = np.full((2 * len(values) - 1, *values.shape[1:]), np.nan)
    spaced[::2] = values
    return np.maximum.accumulate(edges), spaced  # rounding must not let neighbours overlap


def _prediction(axes: Axes, one: xr.Dataset) -> None:
    frequency, rate = one["frequency"].values, 2 * float(one["nyquist_hz"])
    low, high = axes.get_xlim()
    width_in = axes.get_window_extent().width / axes.figure.dpi
    seen = rate * width_in / (2 * np.log(2) * np.log2(high / low) * TOOTH_IN)  # Hz, up to which teeth are
    if low < seen:
        turns = np.arange(1, int(2 * min(seen, high) / rate) + 1) * rate / 2
        dense = np.union1d(np.geomspace(low, min(seen, high), 200), turns[turns > low])
        axes.plot(dense, fold(dense, rate), color=PREDICTED, lw=0.9, label="predicted fold")
    above = frequency > seen
    if above.any():
        axes.plot(
            frequency[above], one["predicted_fold"].values[above], "o", color=PREDICTED, ms=3.2, mew=0.7,
            mfc="none", label="the same at the tones played",
        )  # fmt: skip
