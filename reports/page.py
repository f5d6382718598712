"""What a page is made of: sections within sections, each with sentences, tables, pictures and sounds."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import jinja2
from markupsafe import Markup

from .audio import Sounds
from .drawn import png_of, svg_of
from .figures import Illustration
from .tiles import Tile
from .writing import DASH

MOST_LINES = 60  # of a figure's numbers that a page shows; the file holds all
TEMPLATES = Path(__file__).parent / "templates"


@dataclass(frozen=True)
class Cell:
    """What stands in a grid; the mark places a number "above" or "below" random networks, or flags it."""

    text: str
    mark: str = ""
    note: str = ""
    is_strong: bool = False
    href: str = ""


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
        Class of the style sheet: "numbers", "checks", "verdicts", "data" or "facts".
    """

    caption: str
    headings: Sequence[tuple[str, str]]
    lines: Sequence[Line]
    look: str


@dataclass(frozen=True)
class Picture:
    """An illustration as it stands in the page: an SVG element or an image, with its numbers.

    Parameters
    ----------
    id, question, caption, reading, alt : str
    svg : Markup, optional
    source : str
        Data URI of an image, where there is no SVG.
    width, height : int
        Pixels.
    grid : Grid, optional
        The numbers.
    csv : str
        The same as a data URI.
    look : str
        Class of the style sheet: "wide", "narrow" for one of two that stand for each other.
    """

    id: str
    question: str
    caption: str
    reading: str
    alt: str
    svg: Markup | None
    source: str
    width: int
    height: int
    grid: Grid | None = None
    csv: str = ""
    look: str = ""


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
    closing : str
        A paragraph below it.
    tiles : sequence of Tile
    grids : sequence of Grid
    terms : sequence of (str, str)
        Words and what they mean.
    pictures : sequence of Picture
        The first as it is; further ones open on demand.
    sounds : Sounds, optional
    sections : sequence of Section
    folded : str
        What one opens it by; the section is open where this is empty.
    is_panel : bool
        Whether it stands on a panel: what is to be read first.
    """

    id: str = ""
    title: str = ""
    opening: str = ""
    sentences: Sequence[str] = ()
    closing: str = ""
    tiles: Sequence[Tile] = ()
    grids: Sequence[Grid] = ()
    terms: Sequence[tuple[str, str]] = ()
    pictures: Sequence[Picture] = ()
    sounds: Sounds | None = None
    sections: Sequence[Section] = ()
    folded: str = ""
    is_panel: bool = False


def pictured(drawn: Illustration, prefix: str, dpi: int, look: str = "") -> Picture:
    """Draw an illustration for a page, its identifier after a prefix."""
    width, height = drawn.figure.get_size_inches() * 96
    name = f"{prefix}-{drawn.name}"
    svg = svg_of(drawn.figure, name, dpi)
    grid, csv = _numbers(drawn) if drawn.data is not None and len(drawn.data) else (None, "")
    return Picture(
        id=name,
        question=drawn.question,
        caption=drawn.caption,
        reading=drawn.reading,
        alt=drawn.alt,
        svg=svg,
        source="" if svg else png_of(drawn.figure, dpi),
        width=round(width),
        height=round(height),
        grid=grid,
        csv=csv,
        look=look,
    )


def _numbers(drawn: Illustration) -> tuple[Grid, str]:
    """Return the numbers of an illustration as a table, its head where it is long, and as a file."""
    assert drawn.data is not None
    table = drawn.data
    lines = [Line([_written(value) for value in row]) for row in table.head(MOST_LINES).values.tolist()]
    more = f", the first {MOST_LINES} of {len(table)} lines" if len(table) > MOST_LINES else ""
    grid = Grid(f"{drawn.title}{more}", [(str(name), "") for name in table.columns], lines, "data")
    csv = base64.b64encode(table.to_csv(index=False).encode()).decode()
    return grid, f"data:text/csv;charset=utf-8;base64,{csv}"


def _written(value: object) -> str:
    """Write what stands in a table of numbers."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value)
    return DASH if value != value else f"{value:.4g}" if isinstance(value, float) else f"{value:,}"


def render(title: str, sections: Sequence[Section]) -> str:
    """Write a page as HTML: the first section, the contents, then all others."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES), autoescape=True, undefined=jinja2.StrictUndefined
    )
    # the style sheet holds quotation marks and must not be escaped; it is ours
    css = Markup((TEMPLATES / "page.css").read_text(encoding="utf-8"))
    return environment.get_template("page.html").render(title=title, sections=sections, css=css)
