"""The alias map: at which output frequency the power of each tone appears."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.collections import QuadMesh

from ....probes.folding.folding import fold
from ...selecting import at_stage, stages_with
from ...writing import among_seeds, listed
from ..drawing import LABEL_SIZE, Illustration, canvas, frequency_axis, one_legend

FLOOR_DB = -40.0
WIDEST_OCTAVES = 1 / 8  # of a tone's column: tones are not evenly spread, and say nothing of the gaps
TOOTH_IN = 0.05  # the zig-zag is drawn where its teeth are at least as wide
PREDICTED = "#D55E00"  # Okabe & Ito's vermilion, apart from every colour of the map


def alias_map(aliasing: xr.Dataset, random: Sequence[xr.Dataset] = (), name: str = "") -> Illustration:
    """Draw output power over input and output frequency, with the fold that is predicted.

    Parameters
    ----------
    aliasing : xarray.Dataset
        Group "aliasing" of the encoder.
    random : sequence of xarray.Dataset
        The same of its random baselines; the first is drawn.
    name : str
        What the encoder is called.

    Notes
    -----
    Each tone has a column of its own, at most 1/8 octave wide, grey where no tone was played. The
    prediction is a line where its teeth are wide enough to be seen, dots at the tones above.
    """
    stages = stages_with(aliasing, "alias_map")
    columns = [("", aliasing), *((", random weights", r) for r in random[:1])]
    with canvas(0.95 + 1.9 * len(stages), f"{name}: where the power of a tone appears") as figure:
        grid = figure.subplots(len(stages), len(columns), squeeze=False, sharex=True, sharey="row")
        for row, stage in zip(grid, stages, strict=True):
            for axes, (note, probe) in zip(row, columns, strict=True):
                one = at_stage(probe, stage)
                mesh = _map(axes, one)
                _prediction(axes, one, 4.3 / len(columns))
                axes.set_title(f"{stage}{note}")
        for axes in grid[-1]:
            axes.set_xlabel("input frequency (Hz)")
        figure.supylabel("output frequency (Hz)", size=LABEL_SIZE)
        label = "power (dB re the tone's total)"
        figure.colorbar(mesh, ax=grid, label=label, location="bottom", aspect=40, pad=0.01)
        one_legend(figure)
    found = [_said(stage, aliasing, random) for stage in stages]
    return Illustration(
        "alias-map",
        "Alias map",
        figure,
        "Does a tone come out at the frequency at which its stage's frame rate must show it?",
        "Power of all channels together; what lies off the prediction was made by a nonlinearity. At the "
        f"predicted frequency lies, on average over tones: {listed(found)}.",
        f"Heat maps of the output power of {name} over input frequency and output frequency, one panel per "
        f"stage ({', '.join(stages)}), with the predicted zig-zag of folding over them.",
    )


def _said(stage: str, aliasing: xr.Dataset, random: Sequence[xr.Dataset]) -> str:
    share = _at_fold(at_stage(aliasing, stage))
    seeds = [_at_fold(at_stage(r, stage)) for r in random if stage in stages_with(r, "bank_share")]
    return f"{share:.2f} of the power at {stage}{among_seeds(seeds)}"


def _at_fold(one: xr.Dataset) -> float:
    return float(one["bank_share"].sel(component="fold").mean())


def _map(axes: Axes, one: xr.Dataset) -> QuadMesh:
    edges, share = tone_columns(one["frequency"].values, one["alias_map"].values)
    nyquist_hz, rows = float(one["nyquist_hz"]), one.sizes["output"]
    across = (np.arange(rows + 1) - 0.5) / (rows - 1) * nyquist_hz
    level = 10 * np.log10(np.maximum(share, 10 ** (FLOOR_DB / 10)))
    mesh = axes.pcolormesh(edges, across, level.T, vmin=FLOOR_DB, vmax=0.0, rasterized=True)
    frequency_axis(axes, "x", edges[0], edges[-1], narrow=True)
    axes.set_ylim(across[0], across[-1])  # rows of 0 and Nyquist are as high as the others
    axes.set_facecolor("#bdbdbd")
    axes.grid(False)
    return mesh


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


def _prediction(axes: Axes, one: xr.Dataset, width_in: float) -> None:
    frequency, rate = one["frequency"].values, 2 * float(one["nyquist_hz"])
    low, high = axes.get_xlim()
    seen = rate * width_in / (2 * np.log(2) * np.log2(high / low) * TOOTH_IN)  # Hz, up to which teeth are
    if low < seen:
        turns = np.arange(1, int(2 * min(seen, high) / rate) + 1) * rate / 2
        dense = np.union1d(np.geomspace(low, min(seen, high), 500), turns[turns > low])
        axes.plot(dense, fold(dense, rate), color=PREDICTED, lw=0.9, label="predicted fold")
    above = frequency > seen
    if above.any():
        axes.plot(
            frequency[above], one["predicted_fold"].values[above], "o", color=PREDICTED, ms=3.2, mew=0.7,
            mfc="none", label="the same at the tones played",
        )  # fmt: skip
