"""Chapters by probe: a module a room, as the probes have them."""

from __future__ import annotations

from ...probes.engine.probe import Probe
from ..chapter import Chapter, default_chapter
from . import (
    composition,
    dictionaries,
    filters,
    folding,
    interventions,
    latents,
    questions,
    steering,
    tokens,
)

_ROOMS = (
    filters, folding, questions, composition, tokens, interventions, dictionaries, steering, latents,
)  # fmt: skip
CHAPTERS = {chapter.probe: chapter for room in _ROOMS for chapter in room.CHAPTERS}


def chapter_of(probe: Probe) -> Chapter:
    """Return the chapter of a probe; of one that has none, a plug-in's, what its variables allow.

    Examples
    --------
    >>> from tonotopy.probes.run.registry import registered
    >>> [chapter_of(probe).title for probe in registered("melody")]
    ['Active latents', 'Dimensions kept', 'What they mean', 'Activation', 'Traversals']
    """
    return CHAPTERS.get(probe.name) or default_chapter(probe)


def panels() -> dict[tuple[str, str, str], str]:
    """Return the panels of the figure that compares two runs: (probe, variable, where) -> title."""
    return {(one.probe, *at): title for one in CHAPTERS.values() for at, title in one.panels.items()}
