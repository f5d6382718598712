"""What the figures share: a style, frequency axes, and how channels are chosen and ordered."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import matplotlib
import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

STYLE = Path(__file__).parent.parent / "style.mplstyle"
LEVEL_DBFS = -20.0  # of what figures show where several levels were played
OTHERS = 4  # in the company of a component, where several densities were played
LABEL_SIZE = 9.5  # of labels that several panels share
WIDTH_IN = 5.2  # narrow on purpose: 9 pt at this width is still legible on a phone
TICKS_HZ = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 20_000]
# Okabe & Ito 2008: told apart by people with any colour vision; markers and line styles differ as well
TRAINED, RANDOM, THIRD, DARK = "#0072B2", "#E69F00", "#009E73", "#333333"


@dataclass(frozen=True)
class Illustration:
    """A figure and what it says.

    Parameters
    ----------
    name : str
        Short identifier.
    title : str
    figure : matplotlib.figure.Figure
    question : str
        The question that the figure answers, one sentence.
    reading : str
        What is drawn, and numbers computed from the data.
    alt : str
        One sentence for those who do not see the figure.
    """

    name: str
    title: str
    figure: Figure
    question: str
    reading: str
    alt: str


@contextmanager
def canvas(height_in: float, title: str) -> Iterator[Figure]:
    """Yield an empty figure of the house's style; no state of pyplot is touched."""
    with matplotlib.rc_context(fname=STYLE):
        figure = Figure(figsize=(WIDTH_IN, height_in), layout="constrained")
        figure.suptitle(title, x=0.01, ha="left")
        yield figure
        figure.draw_without_rendering()
        figure.set_layout_engine(
            "none"
        )  # it is laid out now, in this style; saving need not do it again, twice


def at_stage(probe: xr.Dataset, stage: str) -> xr.Dataset:
    """Return one stage of a probe without padding channels, at the level that `at_level` chooses."""
    one = at_level(probe).sel(stage=stage)
    return one.isel(channel=slice(0, int(one["n_channels"]))) if "channel" in one.dims else one


def at_level(probe: xr.Dataset) -> xr.Dataset:
    """Return a probe at one level: of several the nearest to -20 dBFS, at which the other probes play."""
    if "level" not in probe.dims:
        return probe
    return probe.isel(level=int(np.abs(probe["level_dbfs"].values - LEVEL_DBFS).argmin()))


def of_kind(result: xr.Dataset, kind: str = "partial") -> xr.Dataset:
    """Return the condition that stands for a kind of component in compositionality.

    Among four others at -20 dBFS, or what comes nearest.
    """
    there = result["component_kind"].values == kind
    far = np.abs(result["component_level_dbfs"].values - LEVEL_DBFS)
    off = far + np.abs(result["density"].values - OTHERS)
    return result.isel(condition=int(np.where(there, off, np.inf).argmin()))


def stages_with(probe: xr.Dataset, variable: str) -> list[str]:
    """Return the stages at which `variable` was measured, from shallow to deep."""
    if variable not in probe:
        return []
    return [str(s) for s in probe["stage"].values if at_stage(probe, str(s))[variable].notnull().any()]


def ranked(best: np.ndarray) -> np.ndarray:
    """Return the channels that respond, in order of their best frequency."""
    order = np.argsort(best, kind="stable")  # NaN last
    return order[: np.isfinite(best).sum()]


def spread(items: np.ndarray, count: int) -> np.ndarray:
    """Return at most `count` of `items`, evenly spread, ends included."""
    if len(items) <= count:
        return items
    return items[np.linspace(0, len(items) - 1, count).round().astype(int)]


def hertz(frequency_hz: float) -> str:
    """Write a frequency with its unit.

    Examples
    --------
    >>> hertz(82.4), hertz(1234.0)
    ('82.4 Hz', '1.23 kHz')
    """
    if not np.isfinite(frequency_hz):
        return "unknown"
    if frequency_hz < 999.5:
        return f"{frequency_hz:.3g} Hz"
    return f"{frequency_hz / 1000:.3g} kHz"


def frequency_axis(
    axes: Axes, which: Literal["x", "y"], low_hz: float, high_hz: float, label: str = "", narrow: bool = False
) -> None:
    """Make an axis logarithmic in Hz, with ticks where people look for them; decades only if `narrow`."""
    high_hz = next(
        (tick for tick in TICKS_HZ if high_hz < tick < 1.01 * high_hz), high_hz
    )  # show a tick just missed
    axis = axes.xaxis if which == "x" else axes.yaxis
    (axes.set_xscale if which == "x" else axes.set_yscale)("log")
    (axes.set_xlim if which == "x" else axes.set_ylim)(low_hz, high_hz)
    inside = [f for f in TICKS_HZ if low_hz * 0.999 <= f <= high_hz * 1.001]
    decades = [f for f in inside if str(f).startswith("1")]
    ticks = decades if (narrow or len(inside) > 8) and len(decades) > 1 else inside
    axis.set_major_locator(FixedLocator(ticks if len(ticks) > 1 else [low_hz, high_hz]))
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(FuncFormatter(lambda f, _: f"{f / 1000:g}k" if f >= 1000 else f"{f:.4g}"))
    if label:
        axis.set_label_text(label)


def bin_edges(frequency_hz: np.ndarray) -> np.ndarray:
    """Return the edges, [n + 1], of cells around frequencies [n], half-way on a logarithmic scale."""
    logarithm = np.log(frequency_hz)
    middle = (logarithm[1:] + logarithm[:-1]) / 2
    if len(middle) == 0:
        return frequency_hz[0] * np.array([0.97, 1.03])
    return np.exp([2 * logarithm[0] - middle[0], *middle, 2 * logarithm[-1] - middle[-1]])


def level_db(response: np.ndarray, floor_db: float) -> np.ndarray:
    """Level re the highest value along the last axis, in dB, no lower than `floor_db`."""
    peak = np.nanmax(response, axis=-1, keepdims=True)
    share = response / np.where(peak > 0, peak, np.nan)
    return 20 * np.log10(np.maximum(share, 10 ** (floor_db / 20)))


def among_seeds(values: Sequence[float], places: int = 2) -> str:
    """Write the range of what random networks give, nothing without any.

    Examples
    --------
    >>> among_seeds([0.1, 0.3, float("nan")]), among_seeds([])
    (' (random 0.10 to 0.30)', '')
    """
    finite = [v for v in values if np.isfinite(v)]
    if not finite:
        return ""
    low, high = f"{min(finite):z.{places}f}", f"{max(finite):z.{places}f}"
    return f" (random {low if low == high else f'{low} to {high}'})"


def one_legend(figure: Figure, columns: int = 2) -> None:
    """Put one legend for all panels below them; what several panels name stands there once."""
    known = {}
    for axes in figure.axes:
        for handle, label in zip(*axes.get_legend_handles_labels(), strict=True):
            known.setdefault(label, handle)
    if known:
        figure.legend(known.values(), known.keys(), loc="outside lower center", ncols=columns)


def listed(parts: Sequence[str]) -> str:
    """Join what was found at several stages into one sentence's end."""
    return "; ".join(parts)
