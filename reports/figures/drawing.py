"""What the figures share: a style, a canvas, frequency axes, and a legend."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from textwrap import fill
from typing import Any, Literal

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.backend_bases import FigureCanvasBase
from matplotlib.backends.backend_agg import FigureCanvasAgg, RendererAgg
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator
from matplotlib.transforms import Bbox

from ..estimates import baseline_label
from ..selecting import five_numbers
from ..writing import counted

STYLE = Path(__file__).parent.parent / "style.mplstyle"
HINT = "hint:"  # begins the group id of what has a text to point at
LABEL_SIZE = 9.5  # of labels that several panels share
TITLE_CHARACTERS, LEGEND_CHARACTERS = 54, 75  # on a line
LINE_IN = 0.17  # of a title
WIDTH_IN = 5.2  # narrow on purpose: 9 pt at this width is still legible on a phone
TICKS_HZ = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 20_000]
# Okabe & Ito 2008: told apart by people with any colour vision; markers and line styles differ as well
TRAINED, RANDOM, THIRD, DARK = "#0072B2", "#E69F00", "#009E73", "#333333"
BASELINE_LOOKS = {"random": (RANDOM, "^"), "matched": ("#CC79A7", "v"), "permuted": ("#D55E00", "D")}


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
        What is drawn and how to read it; folded on a page.
    alt : str
        One sentence for those who do not see the figure.
    caption : str
        What one sees, one sentence.
    data : pandas.DataFrame, optional
        The numbers that are drawn, tidy, units in the headings; of a large figure its summary.
    """

    name: str
    title: str
    figure: Figure
    question: str
    reading: str
    alt: str
    caption: str
    data: pd.DataFrame | None = None


def hint(artist: Artist, text: str) -> None:
    """Give something drawn a text that a page shows where one points at it.

    Examples
    --------
    >>> from matplotlib.lines import Line2D
    >>> line = Line2D([0], [1])
    >>> hint(line, "0.82 (0.75 to 0.88)")
    >>> line.get_gid()
    'hint:0.82 (0.75 to 0.88)'
    """
    artist.set_gid(f"{HINT}{text}")


@cache
def _style() -> dict[Any, Any]:
    """Return all settings of the house's style, whatever those in force: matplotlib reads a file anew."""
    settings = matplotlib.rc_params_from_file(STYLE)
    return {name: value for name, value in settings.items() if name != "backend"}


def in_style(settings: Mapping[Any, Any] | None = None) -> AbstractContextManager[None]:
    """Return a context in which figures are made and saved in the house's style, but for some settings."""
    return matplotlib.rc_context({**_style(), **(settings or {})})


@contextmanager
def canvas(height_in: float, title: str, width_in: float = WIDTH_IN) -> Iterator[Figure]:
    """Yield an empty figure of the house's style; no state of pyplot is touched."""
    with in_style():
        lines = fill(title, TITLE_CHARACTERS)
        height_in += LINE_IN * lines.count("\n")
        figure = Figure(figsize=(width_in, height_in), layout="constrained")
        if title:
            figure.suptitle(lines, x=0.01, ha="left")
        yield figure
        lay_out(figure)


class _Measure(FigureCanvasBase):
    """A canvas on which nothing is drawn: it measures texts, and remembers those of all figures."""

    def get_renderer(self) -> RendererAgg:
        """Return what measures texts at the figure's resolution."""
        return _measure(self.figure.dpi)


@cache
def _measure(dpi: float) -> RendererAgg:
    return RendererAgg(1, 1, dpi)


def lay_out(figure: Figure) -> None:
    """Lay a figure out now, in the style in force; saving need not do it again.

    Nothing is drawn for it, texts are measured once for all figures, spines not at all, as they end where
    their axes do, labels without text are not kept clear of ticks, and what stands around axes is measured
    once although the layout goes through them twice.
    """
    engine = figure.get_layout_engine()
    if engine is None or not figure.axes:
        return
    _Measure(figure)
    for axes in figure.axes:
        for spine in axes.spines.values():
            spine.set_in_layout(False)
        for axis in (axes.xaxis, axes.yaxis):
            if not axis.get_label_text():
                axis.set_label_coords(0, 0)  # else ticks are measured again wherever it is placed
        if axes.get_aspect() == "auto" and axes.get_box_aspect() is None:  # else it depends on its size
            vars(axes)["get_tightbbox"] = _measured_once(axes)
    try:
        engine.execute(figure)
    finally:
        FigureCanvasAgg(figure)
        for axes in figure.axes:
            vars(axes).pop("get_tightbbox", None)
    figure.set_layout_engine(None)  # "none" would leave one, for which saving draws everything twice


def _measured_once(axes: Axes) -> Callable[..., Bbox | None]:
    """Return what stands in for the axes' `get_tightbbox`: after the first time it moves with the axes."""
    measure, around = axes.get_tightbbox, []

    def get_tightbbox(*arguments: Any, **options: Any) -> Bbox | None:
        inside = axes.get_position(original=True).transformed(axes.figure.transFigure)
        place = np.array(inside.extents)
        if not around:
            box = measure(*arguments, **options)
            if box is None:
                return None
            around.append(np.array(box.extents) - place)
        return Bbox.from_extents(*(place + around[0]))

    return get_tightbbox


def logarithmic(axes: Axes, which: Literal["x", "y"], base: int = 10) -> None:
    """Make an axis logarithmic; not again if it is shared: it is set for all that share it."""
    if (axes.xaxis if which == "x" else axes.yaxis).get_scale() != "log":
        (axes.set_xscale if which == "x" else axes.set_yscale)("log", base=base)


def frequency_axis(
    axes: Axes, which: Literal["x", "y"], low_hz: float, high_hz: float, label: str = "", narrow: bool = False
) -> None:
    """Make an axis logarithmic in Hz, with ticks where people look for them; decades only if `narrow`."""
    high_hz = next(
        (tick for tick in TICKS_HZ if high_hz < tick < 1.01 * high_hz), high_hz
    )  # show a tick just missed
    axis = axes.xaxis if which == "x" else axes.yaxis
    logarithmic(axes, which)
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


def one_legend(figure: Figure, columns: int = 2) -> None:
    """Put one legend for all panels below them; what several panels name stands there once."""
    known = {}
    for axes in figure.axes:
        for handle, label in zip(*axes.get_legend_handles_labels(), strict=True):
            known.setdefault(label, handle)
    if known:
        longest = max(map(len, known))
        room = LEGEND_CHARACTERS * figure.get_size_inches()[0] / WIDTH_IN
        columns = max(1, min(columns, int(room / (longest + 7))))
        figure.legend(known.values(), known.keys(), loc="outside lower center", ncols=columns)


def seeds_label(count: int, kind: str = "random") -> str:
    """Name the networks of a legend that are baselines.

    Examples
    --------
    >>> seeds_label(1), seeds_label(3, "permuted")
    ('random weights, 1 seed', 'permuted weights, 3 seeds')
    """
    return f"{baseline_label(kind)}, {counted(count, 'seed')}"


def baseline_look(kind: str) -> tuple[str, str]:
    """Return the colour and marker of a kind of baseline."""
    return BASELINE_LOOKS.get(kind, (DARK, "P"))


def box(axes: Axes, values: np.ndarray, y: float, color: str, label: str) -> None:
    """Draw a lying box plot of what is finite: the middle half, whiskers from 5 to 95 %, the median dark."""
    values = values[np.isfinite(values)]
    if not len(values):
        return
    low, quarter, middle, three, high = five_numbers(values)
    axes.bxp(
        [{"whislo": low, "q1": quarter, "med": middle, "q3": three, "whishi": high}],
        positions=[y], widths=0.3, orientation="horizontal", manage_ticks=False, showfliers=False,
        showcaps=False, patch_artist=True, label=[label],
        boxprops={"facecolor": color, "edgecolor": "none", "alpha": 0.85},
        whiskerprops={"color": color, "lw": 1.2}, medianprops={"color": DARK, "lw": 1.8},
    )  # fmt: skip
