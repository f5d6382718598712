"""Figures as they stand in a page: drawn once, as SVG where that stays small, else as PNG."""

from __future__ import annotations

import base64
import html
import io
import re
from functools import cache
from typing import Literal

import numpy as np
from markupsafe import Markup
from matplotlib.backends.backend_mixed import MixedModeRenderer
from matplotlib.backends.backend_svg import RendererSVG
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.textpath import text_to_path
from PIL import Image

from .figures.drawing import HINT, in_style

USUAL_DPI = 144
LARGEST_SVG, SMALL_SVG = 250_000, 80_000  # characters; a PNG is smaller, but drawn after the SVG in vain
MOST_POINTS = 6_000  # of lines and areas, above which an SVG is not even tried
POINTS = 72  # to the inch, as lengths are in an SVG
IDLE_DIGITS = re.compile(r"(\.\d\d)\d+")
FONTS = "'DejaVu Sans', Verdana, sans-serif"  # Verdana is as wide


def svg_of(figure: Figure, prefix: str, dpi: int = USUAL_DPI) -> Markup | None:
    """Write a figure as an `svg` element, with what one points at as titles; None if it would be large.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
    prefix : str
        Put before every identifier in it, since a page holds several figures.
    dpi : int
        Of a PNG in its place; below the usual one the page must become smaller.
    """
    if _points(figure) > MOST_POINTS:
        return None
    with in_style({"svg.fonttype": "none"}):
        text = _file(figure)
    if len(text) > (LARGEST_SVG if dpi >= USUAL_DPI else SMALL_SVG):
        return None
    return Markup(
        _embedded(text[text.index("<svg") :], figure, prefix)
    )  # matplotlib has escaped what is drawn


class _Writer(RendererSVG):
    """Writes an SVG file; a text is measured once for all figures."""

    def get_text_width_height_descent(
        self, s: str, prop: FontProperties, ismath: bool | Literal["TeX"]
    ) -> tuple[float, float, float]:
        return _extent(s, prop, ismath)


@cache
def _extent(text: str, font: FontProperties, is_math: bool | Literal["TeX"]) -> tuple[float, float, float]:
    return text_to_path.get_text_width_height_descent(text, font, is_math)


def _file(figure: Figure) -> str:
    """Return what `savefig` would write as an SVG file."""
    file, (width, height), dpi = io.StringIO(), figure.get_size_inches(), figure.dpi
    about = {"Date": None, "Creator": None}
    writer = _Writer(POINTS * width, POINTS * height, file, image_dpi=round(dpi), metadata=about)
    figure.dpi = POINTS
    try:
        renderer = MixedModeRenderer(figure, width, height, dpi, writer)
        figure.draw(renderer)  # type: ignore[arg-type]  # it stands for one
        renderer.finalize()
    finally:
        figure.dpi = dpi
    return file.getvalue()


def _embedded(text: str, figure: Figure, prefix: str) -> str:
    """Make an SVG file an element among others: no identifier twice, no style of its own, no idle digits."""
    text = re.sub(r"<(metadata|style)[ >].*?</\1>", "", text, flags=re.S)
    text = re.sub(rf"<g id=([\"']){HINT}(.*?)\1>", lambda m: f"<g><title>{_hint(m[2])}</title>", text)
    used = set(re.findall(r"(?:#)([\w.-]+)", text))
    text = re.sub(r' id="([^"]*)"', lambda m: f' id="{prefix}-{m[1]}"' if m[1] in used else "", text)
    text = re.sub(r'(xlink:href="#|url\(#)', rf"\1{prefix}-", text)
    text = re.sub(r"<[^/>][^>]*>", lambda m: IDLE_DIGITS.sub(r"\1", " ".join(m[0].split())), text)
    text = re.sub(r">\s+<", "><", text).replace("'DejaVu Sans'", FONTS)
    width, height = (round(float(size) * 96) for size in figure.get_size_inches())
    wide, high = (72 * float(size) for size in figure.get_size_inches())
    start = f'<svg viewBox="0 0 {wide:g} {high:g}" width="{width}" height="{height}" '
    return start + 'role="img">' + text[text.index(">") + 1 :]


def _hint(text: str) -> str:
    """Return a hint as it stands in a title; matplotlib may or may not have escaped it."""
    return html.escape(html.unescape(text), quote=False)


def _points(figure: Figure) -> int:
    """Count what would be written point by point."""
    found = 0
    for axes in figure.axes:
        found += sum(np.size(line.get_xdata()) for line in axes.lines if not line.get_rasterized())
        for collection in axes.collections:
            if not collection.get_rasterized():
                offsets = collection.get_offsets()
                paths = sum(np.shape(path.vertices)[0] for path in collection.get_paths())
                found += max(paths, np.shape(offsets)[0])
    return found


def png_of(figure: Figure, dpi: int) -> str:
    """Encode a figure as a data URI: PNG with a palette, a third of the size of full colour."""
    with in_style():
        pixels = io.BytesIO()
        figure.savefig(pixels, format="png", dpi=dpi)
    packed = io.BytesIO()
    Image.open(pixels).convert("RGB").quantize(256, dither=Image.Dither.NONE).save(
        packed, "png", optimize=True
    )
    return "data:image/png;base64," + base64.b64encode(packed.getvalue()).decode()
