"""The page about the latents of melody models: findings and numbers first, then figures that can be heard."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import xarray as xr

from ..reports import figures
from ..synth.melodies import STEPS_PER_BAR
from .audio import Clip
from .figures.drawing import Illustration
from .latent_audio import traversal_clips
from .latent_findings import COLUMNS, findings, latent_checks, numbers_of
from .page import Group, Section, group, listed, pictured, provenance, render
from .runs import Heard, controls_of, encoders_of

ABOUT_CONTROL = (
    "Melodies of two alternating notes, encoded by the exact posterior: three dimensions carry them, pitch, "
    "number of notes and interval, and what every measure must give is known beforehand."
)


@dataclass(frozen=True)
class Row:
    """What is told of a model, a random network or the control in a line."""

    subject: str
    role: str
    cells: list[str]


def latents_page(trees: Sequence[xr.DataTree], dpi: int) -> str:
    """Write the page about runs of `tonotopy.probes.latents.run.latents`.

    Parameters
    ----------
    trees : sequence of xarray.DataTree
    dpi : int
        Of the figures.

    Returns
    -------
    page : str
        HTML.
    """
    heard = [one for tree in trees for one in encoders_of(tree)]
    controls = list({h.name: h for tree in trees for h in controls_of(tree).values()}.values())
    names = list(dict.fromkeys(h.name for h in heard))
    sections = [_model_section(i, h, dpi) for i, h in enumerate(heard)]
    sections += [_control_section(h, dpi) for h in controls]
    page = {
        "title": f"Which latents of {listed(names)} carry music",
        "probed": [_asked(tree) for tree in trees],
        "findings": [(h.name, findings(h)) for h in heard],
        "columns": COLUMNS,
        "rows": [row for h in heard for row in _rows(h)]
        + [Row(h.name, "control", numbers_of(h.probe)) for h in controls],
        "side_by_side": [pictured(one, "compared-", dpi) for one in _compared(heard)],
        "sections": sections,
        "provenance": [facts for i, tree in enumerate(trees) for facts in provenance(tree, i, len(trees))],
    }
    return render("latents.html", page)


def illustrations(heard: Heard) -> dict[str, list[Illustration]]:
    """Draw every figure that a model's measures have the data for, by what was measured."""
    drawn: dict[str, list[Illustration]] = {}
    random = heard.random
    if (found := heard.probe("latents")) is not None:
        drawn["Music neurons"] = [
            figures.sigma_and_mu(found, random("latents"), heard.name),
            figures.neurons_by_threshold(found, random("latents"), heard.name),
        ]
    if (found := heard.probe("reconstruction")) is not None:
        drawn["Dimensions kept"] = [figures.accuracy_by_kept(found, heard.name)]
    if (found := heard.probe("features")) is not None:
        drawn["What they mean"] = [figures.phik_matrix(found, random("features"), heard.name)]
    if (found := heard.probe("activation")) is not None:
        drawn["Activation"] = [figures.activation(found, random("activation"), heard.name)]
    if (found := heard.probe("traversals")) is not None:
        drawn["Traversals"] = [
            figures.traversal_effects(found, heard.name),
            figures.traversal_rolls(found, heard.name),
        ]
    return drawn


def _model_section(index: int, heard: Heard, dpi: int) -> Section:
    attributes = heard.encoder.attrs
    about = [f"Weights: {attributes['weights_source']}. {attributes['weights_note']}".strip()]
    about.append(f"Melodies of {_bars(heard)} bars, {attributes['latent_dimensions']} latent dimensions.")
    if (found := heard.probe("latents")) is not None:
        about.append(f"Heard: {found.attrs['materials']}.")
    moved = heard.probe("traversals")
    sounds: dict[str, list[Clip]] = {"Traversals": traversal_clips(moved)} if moved is not None else {}
    groups = _groups(f"m{index}", heard, sounds, dpi)
    return Section(f"model-{index}", heard.name, about, groups, [])


def _control_section(control: Heard, dpi: int) -> Section:
    return Section(
        "control", control.name, [ABOUT_CONTROL], _groups("c", control, {}, dpi), latent_checks(control)
    )


def _groups(prefix: str, heard: Heard, sounds: dict[str, list[Clip]], dpi: int) -> list[Group]:
    drawn = illustrations(heard)
    found = [
        group(f"{prefix}-{i}", title, several, dpi, sounds.get(title, ()))
        for i, (title, several) in enumerate(drawn.items())
    ]
    return [one for one in found if one]


def _compared(heard: Sequence[Heard]) -> list[Illustration]:
    if len(heard) < 2:
        return []
    told = {
        h.name: {n: p for n in ("latents", "reconstruction", "features") if (p := h.probe(n)) is not None}
        for h in heard
    }
    return [figures.models_side_by_side(told)]


def _rows(heard: Heard) -> list[Row]:
    rows = [Row(heard.name, "encoder", numbers_of(heard.probe))]
    for baseline in heard.baselines:
        alone = Heard("", baseline, ())
        rows.append(
            Row(
                f"{heard.name}, {baseline.attrs['weights_note'] or 'random'}",
                "baseline",
                numbers_of(alone.probe),
            )
        )
    return rows


def _asked(tree: xr.DataTree) -> str:
    models = [
        f"{h.name} ({_bars(h)} bars, {h.encoder.attrs['latent_dimensions']} latents)"
        for h in encoders_of(tree)
    ]
    created = str(tree.attrs["created_at"])[:16].replace("T", " ")
    return f"{listed(models)}, beside random networks and a control. Measured {created}."


def _bars(heard: Heard) -> int:
    return heard.encoder.attrs["steps"] // STEPS_PER_BAR
