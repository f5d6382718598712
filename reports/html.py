"""The report: one self-contained page about one or several runs."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import xarray as xr

from ..probes.engine.schema import hears_in
from ..probes.run.suite import PROBES
from ..synth.errors import InputError
from .audio import clips, intervention_clips
from .figures.drawing import hertz
from .figures.hypotheses.verdicts import verdicts
from .findings import cautions, findings
from .known_answers import checks
from .latents import latents_page
from .numbers import Table, summary
from .page import Picture, Section, group, listed, pictured, provenance, render
from .runs import Heard, controls_of, encoders_of, played_in, read_run
from .sections import comparison, control_illustrations, illustrations
from .verdicts import GROUP, VerdictRow, verdict_rows, verdict_sentences

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
        Results of `tonotopy.probes.run.probe`, or of `tonotopy.probes.latents.latents`; with several, or
        several encoders in one, they are compared.
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
    hearing = {hears_in(tree) for tree in trees}
    if len(hearing) > 1:
        raise InputError(
            "report: runs of `tonotopy probe` and of `tonotopy latents` make a page each; give one kind"
        )
    draw = latents_page if hearing == {"melodies"} else _page
    for dpi in RESOLUTIONS_DPI:
        page = draw(trees, dpi).encode()
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
    if compared := group("compared", "", comparison(heard), dpi):
        about = ["Every encoder beside its own random networks, stage by stage."]
        sections.insert(0, Section("compared", "Side by side", about, [compared], []))
    if controls:
        sections.append(_control_section(controls, dpi))
    rate = int(min(h.encoder.attrs["sample_rate"] for h in heard))
    played = {kind: table for tree in reversed(trees) for kind, table in played_in(tree).items()}
    sounds = [(kind.capitalize(), clips(table, rate)) for kind, table in played.items()]
    prefix = (lambda h: f"{h.name}, ") if several else (lambda h: "")
    page = {
        "title": f"What {listed(names)} hear{'' if len(names) > 1 else 's'}",
        "probed": [_probed(tree) for tree in trees],
        "judged": _judged(heard, dpi),
        "topics": _topics(heard, controls, prefix),
        "cautions": [prefix(h) + s for h in heard for s in cautions(h)],
        "summary_caption": ("Encoders side by side" if several else "The encoder at its stages")
        + ", random weights as lowest to highest over seeds, controls below",
        "sections": sections,
        "sounds": sounds,
        "provenance": [facts for i, tree in enumerate(trees) for facts in provenance(tree, i, len(trees))],
    }
    return render("report.html", page)


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
            picture = pictured(verdicts(judged, h.random(GROUP), h.name), f"e{i}-", dpi)
            found.append(Judged(h.name, verdict_sentences(h), verdict_rows(h), picture))
    return found


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
        group(f"e{index}-{probe}", _spelled(probe), drawn, dpi, sounds.get(probe, ()))
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
    groups = [group(f"c{i}", "", [one], dpi) for i, one in enumerate(control_illustrations(controls))]
    return Section("controls", "Controls", about, [g for g in groups if g], checks(controls))


def _probed(tree: xr.DataTree) -> str:
    encoders = encoders_of(tree)
    who = listed([f"{h.name} ({h.encoder.attrs['sample_rate']:,} samples per second)" for h in encoders])
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
    played = f" heard {listed(kinds)}" if kinds else ""
    return f"{who}{played}" + (f", beside {listed(beside)}" if beside else "") + f". Measured {created}."


def _spelled(probe: str) -> str:
    return probe.capitalize().replace("_", " ")
