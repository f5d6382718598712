"""What every page is made of: pictures, sounds, where a run came from, and the template."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2
import matplotlib
import xarray as xr
from markupsafe import Markup
from matplotlib.figure import Figure
from PIL import Image

from ..probes.engine.schema import ROLES, subjects
from .audio import Clip
from .figures.drawing import STYLE, Illustration
from .known_answers import Check
from .runs import played_in

TEMPLATES = Path(__file__).parent / "templates"


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
class Group:
    """Pictures that answer one kind of question, and sounds that do."""

    id: str
    title: str
    pictures: list[Picture]
    clips: list[Clip]


@dataclass(frozen=True)
class Section:
    """A part of the page, with answers to check in that of the controls."""

    id: str
    title: str
    about: list[str]
    groups: list[Group]
    checks: list[Check]


def group(
    name: str, title: str, drawn: Sequence[Illustration], dpi: int, sounds: Sequence[Clip] = ()
) -> Group | None:
    """Gather pictures and sounds; None if there is nothing to see."""
    pictures = [pictured(one, f"{name}-", dpi) for one in drawn]
    return Group(name, title, pictures, list(sounds)) if pictures else None


def pictured(drawn: Illustration, prefix: str, dpi: int) -> Picture:
    """Draw an illustration for a page, its identifier after a prefix."""
    width, height = drawn.figure.get_size_inches() * 96
    source = image_uri(drawn.figure, dpi)
    return Picture(
        prefix + drawn.name, source, round(width), round(height), drawn.question, drawn.reading, drawn.alt
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


def provenance(tree: xr.DataTree, index: int, count: int) -> list[tuple[str, list[tuple[str, str]]]]:
    """Tell where a run came from: captions, each with names and values."""
    run = f"Run {index + 1}" if count > 1 else "Run"
    about = [(str(name).replace("_", " "), str(value)) for name, value in tree.attrs.items()]
    about += [(f"{kind}, SHA-256", str(table.attrs["sha256"])) for kind, table in played_in(tree).items()]
    who = [
        (node, _weights(role, child.attrs)) for role in ROLES for node, child in subjects(tree, role).items()
    ]
    return [(run, about), (f"{run}: who was heard", who)]


def _weights(role: str, attributes: Mapping[Any, Any]) -> str:
    source, sha256, note = (attributes[f"weights_{name}"] for name in ("source", "sha256", "note"))
    rate = f"{attributes['sample_rate']:,} Hz; " if "sample_rate" in attributes else ""
    said = f"{role}; {rate}weights: {source}, SHA-256 {sha256}"
    return f"{said}; {note}" if note else said


def listed(words: Sequence[str]) -> str:
    """Join words with commas, the last with "and"."""
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"


def render(template: str, page: Mapping[str, Any]) -> str:
    """Fill a template."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES), autoescape=True, undefined=jinja2.StrictUndefined
    )
    # the style sheet holds quotation marks and must not be escaped; it is ours
    css = Markup((TEMPLATES / "report.css").read_text(encoding="utf-8"))
    return environment.get_template(template).render(page=page, css=css)
