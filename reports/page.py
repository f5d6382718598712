"""What a page is made of: sections within sections, each with sentences, tables, pictures and sounds."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import jinja2
import matplotlib
from markupsafe import Markup
from matplotlib.figure import Figure
from PIL import Image

from .audio import Sounds
from .figures import Illustration
from .figures.drawing import STYLE

TEMPLATES = Path(__file__).parent / "templates"


@dataclass(frozen=True)
class Cell:
    """What stands in a grid; the mark places a number "above" or "below" random networks, or flags it."""

    text: str
    mark: str = ""
    note: str = ""
    is_strong: bool = False


@dataclass(frozen=True)
class Line:
    """A line of a grid: its first cell heads it, `look` is a class of the style sheet."""

    cells: Sequence[Cell | str]
    look: str = ""


@dataclass(frozen=True)
class Grid:
    """A table as it stands in the page.

    Parameters
    ----------
    caption : str
    headings : sequence of (str, str)
        Each with what is said where one points at it; none for names and values.
    lines : sequence of Line
    look : str
        Class of the style sheet: "numbers", "checks", "verdicts" or "facts".
    """

    caption: str
    headings: Sequence[tuple[str, str]]
    lines: Sequence[Line]
    look: str


@dataclass(frozen=True)
class Picture:
    """An illustration as it stands in the page."""

    id: str
    source: str
    width: int
    height: int
    question: str
    reading: str
    alt: str


@dataclass(frozen=True)
class Section:
    """A part of a page, shown in the order of its fields; whatever is empty is not shown.

    Parameters
    ----------
    id : str
        What links lead to; empty for a part that the contents leave out.
    title : str
    opening : str
        A paragraph.
    sentences : sequence of str
        A list.
    grids : sequence of Grid
    terms : sequence of (str, str)
        Words and what they mean: a paragraph, or a list that opens where there is a `summary`.
    summary : str
        Of the terms.
    pictures : sequence of Picture
    sounds : Sounds, optional
    sections : sequence of Section
    closing : str
        A paragraph.
    is_panel : bool
        Whether it stands on a panel: what is to be read first.
    """

    id: str = ""
    title: str = ""
    opening: str = ""
    sentences: Sequence[str] = ()
    grids: Sequence[Grid] = ()
    terms: Sequence[tuple[str, str]] = ()
    summary: str = ""
    pictures: Sequence[Picture] = ()
    sounds: Sounds | None = None
    sections: Sequence[Section] = ()
    closing: str = ""
    is_panel: bool = False


def pictured(drawn: Illustration, prefix: str, dpi: int) -> Picture:
    """Draw an illustration for a page, its identifier after a prefix."""
    width, height = drawn.figure.get_size_inches() * 96
    source = image_uri(drawn.figure, dpi)
    return Picture(
        f"{prefix}-{drawn.name}",
        source,
        round(width),
        round(height),
        drawn.question,
        drawn.reading,
        drawn.alt,
    )


def image_uri(figure: Figure, dpi: int) -> str:
    """Encode a figure as a data URI: PNG with a palette, a third of the size of full colour."""
    with matplotlib.rc_context(fname=STYLE):
        pixels = io.BytesIO()
        figure.savefig(pixels, format="png", dpi=dpi)
    packed = io.BytesIO()
    Image.open(pixels).convert("RGB").quantize(256, dither=Image.Dither.NONE).save(
        packed, "png", optimize=True
    )
    return "data:image/png;base64," + base64.b64encode(packed.getvalue()).decode()


def render(title: str, lead: Sequence[str], sections: Sequence[Section]) -> str:
    """Write a page as HTML."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES), autoescape=True, undefined=jinja2.StrictUndefined
    )
    # the style sheet holds quotation marks and must not be escaped; it is ours
    css = Markup((TEMPLATES / "page.css").read_text(encoding="utf-8"))
    return environment.get_template("page.html").render(title=title, lead=lead, sections=sections, css=css)
