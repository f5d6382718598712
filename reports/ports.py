"""What a check of two encoders found, as a table and a page."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import xarray as xr

from .drawn import USUAL_DPI
from .figures import Illustration
from .figures.ports.differences_by_stage import differences_by_stage
from .figures.ports.tone_by_tone import tone_by_tone
from .html import check_output, write_page
from .page import Cell, Grid, Line, Section, pictured, render
from .port_sentences import (
    DECODE,
    GONE_DB,
    NOTHING_DB,
    ONE_DELAY_DEG,
    delay_of,
    findings_of,
    names_of,
    sentences,
)
from .writing import DASH, written

HEADINGS = (
    ("Stage", ""),
    (
        "Difference",
        "the largest, power re the response in dB, and the sound on which it is; behind a quantizer only "
        "of frames with the same codes",
    ),
    ("Other codes", "share of frames in which another entry was chosen; of codes the share of codes"),
    ("Delay", "samples by which the second comes later, by the phase of tones over frequency"),
    ("Polarity", "of the second re the first"),
    ("Level", "of the second less that of the first, lowest to highest over the tones, in dB"),
    ("Frames", "of the same sound"),
    ("Hop", "samples per frame"),
    ("Channels", ""),
)


def rows(found: xr.DataTree) -> list[list[str]]:
    """Return the table of a check as text, a row a stage; see `HEADINGS`."""
    group = found["stages"].to_dataset()
    lines = []
    for stage in group["stage"].values:
        one = group.sel(stage=stage)
        db = one["difference_db"].values
        worst = int(np.nanargmax(db)) if np.isfinite(db).any() else None
        gains = one["gain_db"].values
        gains = gains[np.isfinite(gains)]
        flipped = np.nan_to_num(one["flipped"].values).mean()
        delay, is_one = float(one["delay"]), float(one["phase_left_deg"]) <= ONE_DELAY_DEG
        other = str(one["second_stage"].values)
        lines.append(
            [
                str(stage) if other == str(stage) else f"{stage} ({other})",
                DASH if worst is None else _largest(float(db[worst]), str(one["sound"].values[worst])),
                written(flipped, "percent") if flipped else DASH,
                f"{delay:z.3f}" if is_one else DASH,
                DASH if not is_one else "inverted" if float(one["polarity"]) < 0 else "same",
                DASH if not len(gains) else f"{gains.min():+z.2f} to {gains.max():+z.2f}",
                *(_both(one[name].values) for name in ("n_frames", "hop", "n_channels")),
            ]
        )
    return lines


def _largest(db: float, sound: str) -> str:
    return "none" if db <= NOTHING_DB else f"{db:z.0f} dB ({sound})"


def _both(values: np.ndarray) -> str:
    first, second = (int(value) for value in values)
    return f"{first:,}" if first == second else f"{first:,} and {second:,}"


def check_page(found: xr.DataTree, out: str | Path) -> Path:
    """Write one self-contained HTML page about what `equivalence` found.

    Parameters
    ----------
    found : xarray.DataTree
    out : path
        A page that an earlier call wrote is replaced, any other file is not.

    Raises
    ------
    InputError
        If `out` is a folder or somebody else's file.
    """
    out = Path(out)
    check_output(out)
    names = names_of(found)
    title = f"Does {names[1]} do what {names[0]} does?"
    agrees = found.attrs["agrees"] == "yes"
    tolerance_db = float(found.attrs["tolerance_db"])
    bad = {str(one["at_stage"]) for one in findings_of(found)}
    lines = [
        Line([Cell(row[0], "flag") if row[0].split(" ")[0] in bad else row[0], *row[1:]])
        for row in rows(found)
    ]
    grid = Grid("Stage by stage", HEADINGS, lines, "checks")
    pictures = [pictured(one, "check", USUAL_DPI) for one in _figures(found, names, tolerance_db)]
    sections = [
        Section(
            "answer",
            "Yes" if agrees else "No",
            sentences=sentences(found),
            sections=[Section(pictures=pictures[:1])],
            is_panel=True,
        ),
        Section("stages", "Stage by stage", grids=[grid]),
        Section("tones", "Tone by tone", sections=[Section(pictures=[one]) for one in pictures[1:]]),
        Section("provenance", "Provenance", grids=[_facts(found)], folded="Weights and settings"),
    ]
    return write_page(out, render(title, sections))


def _figures(found: xr.DataTree, names: tuple[str, str], tolerance_db: float) -> Iterator[Illustration]:
    group = found["stages"].to_dataset()
    parted = next((str(one["at_stage"]) for one in findings_of(found)), "")
    yield differences_by_stage(group, tolerance_db, names, parted)
    there = [str(s) for s in group["stage"].values if np.isfinite(group["gain_db"].sel(stage=s).values).any()]
    wanted = [s for s in ("first_layer", "stack_end", "latent", DECODE) if s in there] or there[:1] + there[
        -1:
    ]
    tones = group["tone_hz"].values
    if there:
        curves = [(s, group["gain_db"].sel(stage=s).values, delay_of(group.sel(stage=s))) for s in wanted]
        question = f"At which frequencies is {names[1]} louder or softer than {names[0]}?"
        yield tone_by_tone("tones", "Level of the second re the first", question, tones, curves, "level (dB)")
    if "round_trip" in found.children:
        trips = found["round_trip"].to_dataset()
        curves = [
            (
                names[0] if str(side) == "first" else names[1],
                np.maximum(trips["gain_db"].sel(side=side).values, GONE_DB),
                delay_of(trips.sel(side=side)),
            )
            for side in trips["side"].values
        ]
        question = "What becomes of a tone that is encoded and decoded?"
        yield tone_by_tone(
            "round-trip", "Through the codec", question, tones, curves, "level re the tone (dB)"
        )


def _facts(found: xr.DataTree) -> Grid:
    lines = [Line([str(name).replace("_", " "), str(value)]) for name, value in found.attrs.items()]
    return Grid("Settings and weights", (), lines, "facts")
