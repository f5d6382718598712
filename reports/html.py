"""The report: one self-contained page about one or several runs."""

from __future__ import annotations

import base64
import io
import os
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2
import matplotlib
import numpy as np
import xarray as xr
from markupsafe import Markup
from matplotlib.figure import Figure
from PIL import Image

from ..probes.battery import PROBES
from ..probes.schema import ROLES, subjects
from ..synth.errors import InputError
from .audio import Clip, clips, intervention_clips
from .figures.drawing import STYLE, Illustration, hertz
from .figures.verdicts import verdicts
from .findings import cautions, findings
from .known_answers import Check, checks
from .numbers import Table, summary
from .runs import Heard, controls_of, encoders_of, played_in, read_run
from .sections import comparison, control_illustrations, illustrations
from .verdicts import GROUP, VerdictRow, verdict_rows, verdict_sentences

TEMPLATES = Path(__file__).parent / "templates"
LARGEST_BYTES = 10_000_000
RESOLUTIONS_DPI = (200, 144, 96)  # the first at which the page stays small enough is taken
MARK = b'<meta name="generator" content="tonotopy">'
KNOWN_ANSWERS = {
    "filterbank:stft": "best frequencies on bin centres, a noise band of 1.50 bins, and no closed-form error",
    "filterbank:stft_magnitude": "the same bands as the transform it is the magnitude of",
    "filterbank:gammatone": "bands that widen with best frequency as the ear's do",
    "control:decimator": "one channel that answers to every frequency alike",
    "control:texture": "codes that change with almost any sound, and no orderly map",
    "control:rectifier": "one channel that answers to every frequency alike",
}


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


@dataclass(frozen=True)
class Topic:
    """What one probe found, in sentences and numbers."""

    title: str
    findings: list[str]
    table: Table


@dataclass(frozen=True)
class Judged:
    """What a run says of the source's claims about one encoder."""

    name: str
    said: list[str]
    rows: list[VerdictRow]
    picture: Picture


def report(runs: Sequence[str | Path | xr.DataTree], out: str | Path) -> Path:
    """Write one self-contained HTML page about one or several runs.

    Parameters
    ----------
    runs : sequence of path or xarray.DataTree
        Results of `tonotopy.probes.run.probe`; with several, or several encoders in one, they are compared.
    out : path
        The page. A page that an earlier call wrote is replaced, any other file is not.

    Returns
    -------
    out : Path

    Raises
    ------
    InputError
        If a run is missing, unfinished or no run, or `out` is a folder or somebody else's file, or the page
        would be larger than 10 MB.
    """
    out = Path(out)
    _check_output(out)
    if not runs:
        raise InputError("report: no run given, at least one is needed")
    trees = [read_run(run) for run in runs]
    for dpi in RESOLUTIONS_DPI:
        page = _page(trees, dpi).encode()
        if len(page) < LARGEST_BYTES:
            return _write(out, page)
    raise InputError(
        f"report: the page would have {len(page) / 1e6:.1f} MB, at most {LARGEST_BYTES / 1e6:.0f} MB are "
        "written; "
        "give fewer runs"
    )


def _check_output(out: Path) -> None:
    if out.is_dir():
        raise InputError(f"output {out}: is a folder; give the name of a file")
    if out.is_file():
        with out.open("rb") as file:
            if MARK not in file.read(2000):
                raise InputError(f"output {out}: exists and is not a report of ours; choose another name")
    elif out.exists():
        raise InputError(f"output {out}: is not a file")


def _write(out: Path, page: bytes) -> Path:
    out.parent.mkdir(parents=True, exist_ok=True)
    handle, beside = tempfile.mkstemp(dir=out.parent, prefix=f".{out.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(page)
        os.chmod(beside, 0o644)  # mkstemp's own mode shuts others out
        os.replace(beside, out)
    except BaseException:
        Path(beside).unlink(missing_ok=True)
        raise
    return out


def _page(trees: Sequence[xr.DataTree], dpi: int) -> str:
    heard = [one for tree in trees for one in encoders_of(tree)]
    controls = list(
        {(h.name, h.encoder.attrs["sample_rate"]): h for t in trees for h in controls_of(t).values()}.values()
    )
    several = len(heard) > 1
    names = list(dict.fromkeys(h.name for h in heard))
    sections = [_encoder_section(i, h, controls, dpi) for i, h in enumerate(heard)]
    if compared := _group("compared", "", comparison(heard), dpi):
        about = ["Every encoder beside its own random networks, stage by stage."]
        sections.insert(0, Section("compared", "Side by side", about, [compared], []))
    if controls:
        sections.append(_control_section(controls, dpi))
    rate = int(min(h.encoder.attrs["sample_rate"] for h in heard))
    played = {kind: table for tree in reversed(trees) for kind, table in played_in(tree).items()}
    sounds = [(kind.capitalize(), clips(table, rate)) for kind, table in played.items()]
    prefix = (lambda h: f"{h.name}, ") if several else (lambda h: "")
    page = {
        "title": f"What {_listed(names)} hear{'' if len(names) > 1 else 's'}",
        "probed": [_probed(tree) for tree in trees],
        "judged": _judged(heard, dpi),
        "topics": _topics(heard, controls, prefix),
        "cautions": [prefix(h) + s for h in heard for s in cautions(h)],
        "summary_caption": ("Encoders side by side" if several else "The encoder at its stages")
        + ", random weights as lowest to highest over seeds, controls below",
        "sections": sections,
        "sounds": sounds,
        "provenance": [facts for i, tree in enumerate(trees) for facts in _provenance(tree, i, len(trees))],
    }
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES), autoescape=True, undefined=jinja2.StrictUndefined
    )
    # the style sheet holds quotation marks and must not be escaped; it is ours
    css = Markup((TEMPLATES / "report.css").read_text(encoding="utf-8"))
    return environment.get_template("report.html").render(page=page, css=css)


def _topics(heard: Sequence[Heard], controls: Sequence[Heard], prefix: Callable[[Heard], str]) -> list[Topic]:
    """Gather findings and numbers by probe; what no encoder was asked is left out."""
    topics = []
    for probe, groups in PROBES.items():
        table = summary(heard, controls, groups)
        if any(row.role == "encoder" for row in table.rows) and table.columns:
            said = [prefix(h) + s for h in heard for s in findings(h, groups)]
            topics.append(Topic(_spelled(probe), said, table))
    return topics


def _judged(heard: Sequence[Heard], dpi: int) -> list[Judged]:
    """Gather the verdicts about each encoder; runs that were not judged are left out."""
    found = []
    for i, h in enumerate(heard):
        if (judged := h.probe(GROUP)) is not None:
            picture = _picture(verdicts(judged, h.random(GROUP), h.name), f"e{i}-", dpi)
            found.append(Judged(h.name, verdict_sentences(h), verdict_rows(h), picture))
    return found


def _group(
    name: str, title: str, drawn: Sequence[Illustration], dpi: int, sounds: Sequence[Clip] = ()
) -> Group | None:
    pictures = [_picture(one, f"{name}-", dpi) for one in drawn]
    return Group(name, title, pictures, list(sounds)) if pictures else None


def _encoder_section(index: int, heard: Heard, controls: Sequence[Heard], dpi: int) -> Section:
    about = [
        f"Weights: {heard.encoder.attrs['weights_source']}. {heard.encoder.attrs['weights_note']}".strip()
    ]
    if (tuning := heard.probe("selectivity")) is not None:
        count = f"{tuning.sizes['frequency']:,}"
        about.append(f"{count} partials were played to it: the grid, and those that resolve bandwidths.")
    if (tones := heard.probe("aliasing")) is not None:
        levels = ", ".join(f"{level:g}" for level in np.atleast_1d(tones["level_dbfs"].values))
        about.append(
            f"{tones.sizes['frequency']} coherent partials were played for aliasing, at {levels} dBFS; "
            "figures and tables show the level nearest to -20 dBFS."
        )
    removed = heard.probe("interventions")
    sounds = {"interventions": intervention_clips(removed)} if removed is not None else {}
    groups = [
        _group(f"e{index}-{probe}", _spelled(probe), drawn, dpi, sounds.get(probe, ()))
        for probe, drawn in illustrations(heard, controls).items()
    ]
    return Section(f"encoder-{index}", heard.name, about, [g for g in groups if g], [])


def _control_section(controls: Sequence[Heard], dpi: int) -> Section:
    about = ["What the same measurement gives where the answer is known beforehand."]
    about += [
        f"{h.name} must show {KNOWN_ANSWERS[h.name]}."
        for h in controls
        if h.name in KNOWN_ANSWERS and h.probe("selectivity") is not None
    ]
    about.append("Their numbers stand in the tables at the top.")
    # what several controls draw may have the same name
    groups = [_group(f"c{i}", "", [one], dpi) for i, one in enumerate(control_illustrations(controls))]
    return Section("controls", "Controls", about, [g for g in groups if g], checks(controls))


def _picture(drawn: Illustration, prefix: str, dpi: int) -> Picture:
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


def _probed(tree: xr.DataTree) -> str:
    encoders = encoders_of(tree)
    who = _listed([f"{h.name} ({h.encoder.attrs['sample_rate']:,} samples per second)" for h in encoders])
    kinds = []
    for kind, table in played_in(tree).items():
        text = f"{table.sizes['stimulus']} {kind}"
        if kind == "partials":
            frequency = table["frequency_hz"].values
            text += f" from {hertz(frequency.min())} to {hertz(frequency.max())}"
        kinds.append(text)
    beside = [
        f"{n} random network{'s' * (n > 1)}" for n in {len(h.baselines) for h in encoders if h.baselines}
    ]
    beside += [f"{len(c)} controls"] if (c := controls_of(tree)) else []
    created = str(tree.attrs["created_at"])[:16].replace("T", " ")
    played = f" heard {_listed(kinds)}" if kinds else ""
    return f"{who}{played}" + (f", beside {_listed(beside)}" if beside else "") + f". Measured {created}."


def _provenance(tree: xr.DataTree, index: int, count: int) -> list[tuple[str, list[tuple[str, str]]]]:
    run = f"Run {index + 1}" if count > 1 else "Run"
    about = [(str(name).replace("_", " "), str(value)) for name, value in tree.attrs.items()]
    about += [(f"{kind}, SHA-256", str(table.attrs["sha256"])) for kind, table in played_in(tree).items()]
    who = [
        (node, _weights(role, child.attrs)) for role in ROLES for node, child in subjects(tree, role).items()
    ]
    return [(run, about), (f"{run}: who was heard", who)]


def _weights(role: str, attributes: Mapping[Any, Any]) -> str:
    source, sha256, note = (attributes[f"weights_{name}"] for name in ("source", "sha256", "note"))
    said = f"{role}; {attributes['sample_rate']:,} Hz; weights: {source}, SHA-256 {sha256}"
    return f"{said}; {note}" if note else said


def _spelled(probe: str) -> str:
    return probe.capitalize().replace("_", " ")


def _listed(words: Sequence[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
