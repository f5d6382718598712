"""Known answers beside what was measured: as a page, a terminal and a document show them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from ..probes.run.registry import registered
from ..probes.run.truths import Truth, truths_of
from ..synth.errors import InputError
from .runs import Subject
from .writing import DASH

HEADINGS = ("Probe", "What", "Must be", "Measured", "Holds")
MADE_BY = "<!-- written by `tonotopy controls --markdown`; edits are lost -->"
OPENING = (
    "Encoders whose answers are known beforehand, because they are made so: banks of filters and trackers "
    "that keep partials apart, samples that lose nothing, and controls that lose all. Every probe is held to "
    "what truth demands of it, as a range."
)


def checks(controls: Sequence[Subject]) -> list[Truth]:
    """Compare what controls gave with what they must give; what was not measured is left out."""
    probes = registered()
    return [
        truth
        for subject in controls
        for probe in probes
        for truth in truths_of(probe, subject.name, subject.result(probe.name), subject.sample_rate)
        if np.isfinite(truth.value)
    ]


def by_encoder(truths: Iterable[Truth]) -> dict[str, list[Truth]]:
    """Group truths by encoder, in the order in which they come."""
    found: dict[str, list[Truth]] = {}
    for truth in truths:
        found.setdefault(truth.encoder, []).append(truth)
    return found


def cells_of(truth: Truth) -> tuple[str, str, str, str, str]:
    """Write a truth as a line under `HEADINGS`."""
    value = f"{truth.value:.4g}" if np.isfinite(truth.value) else DASH
    return truth.probe, truth.known.what, truth.known.text, value, "yes" if truth.holds else "✗ no"


def summed_up(truths: Sequence[Truth]) -> str:
    """Say how many answers hold.

    Examples
    --------
    >>> summed_up([])
    '0 of 0 known answers hold'
    """
    return f"{sum(truth.holds for truth in truths)} of {len(truths):,} known answers hold"


def check_page(out: Path) -> None:
    """Raise if there is a file that `write_markdown` did not write."""
    if out.exists() and not (out.is_file() and out.read_text(encoding="utf-8").startswith(MADE_BY)):
        raise InputError(
            f"output {out}: exists and was not written by `tonotopy controls`; choose another name"
        )


def write_markdown(truths: Sequence[Truth], out: Path, command: str) -> Path:
    """Write the matrix as a page of the documentation.

    Raises
    ------
    InputError
        If there is a file that this did not write.
    """
    check_page(out)
    lines = [MADE_BY, "# Known truths", "", OPENING, "", f"`{command}`: {summed_up(truths)}.", ""]
    for encoder, several in by_encoder(truths).items():
        lines += [f"## {encoder}", "", _row(HEADINGS), _row(["---"] * len(HEADINGS))]
        lines += [*(_row(cells_of(truth)) for truth in several), ""]
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text("\n".join(lines), encoding="utf-8")
    return out


def _row(cells: Iterable[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
