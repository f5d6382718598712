"""The order in which compositionality plays: blocks of stimuli that are judged together."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ...synth.stimuli import StimulusSet
from .mixtures import Condition, Ensemble, Sound, rendered, together, turned

TREE_DENSITIES, TREE_MIXTURES = (2, 4, 8), 48


@dataclass(frozen=True)
class Block:
    """Stimuli that are measured one after another and judged together.

    Parameters
    ----------
    kind : str
    level_dbfs : float
    context : int
    density : int or None
        Others in the context, which then sounds alone in the first row; None where the components sound
        alone; of mixtures, their number of parts.
    stimuli : StimulusSet
        Components slowest, phases fastest; or mixtures.
    parts : bool [mixtures, components] or None
        Which components each mixture holds.
    """

    kind: str
    level_dbfs: float
    context: int
    density: int | None
    stimuli: StimulusSet
    parts: np.ndarray | None = None

    @property
    def condition(self) -> Condition:
        """What the block is evidence of."""
        return Condition(self.kind, self.density or 0, self.level_dbfs)


def ordered_blocks(
    conditions: Sequence[Condition], by_kind: Mapping[str, Ensemble], seed: int
) -> Iterator[Block]:
    """Order what is played so that little has to be kept: kind, level, context, density."""
    for kind, level in dict.fromkeys((c.kind, c.level_dbfs) for c in conditions):
        ensemble = by_kind[kind]
        densities = dict.fromkeys(c.density for c in conditions if (c.kind, c.level_dbfs) == (kind, level))
        for context, (own, context_sounds) in enumerate(
            zip(ensemble.sounds, ensemble.context_sounds, strict=True)
        ):
            phased = [sound for one in own for sound in turned(one, ensemble.phases)]
            if any(densities) and not (context and ensemble.isolated_once):
                yield Block(kind, level, context, None, rendered(phased, level))
            for density in densities:
                others = list(context_sounds[:density])
                rows = [together([*others, sound]) for sound in phased]
                if others:
                    rows.insert(0, together(others))
                yield Block(kind, level, context, density, rendered(rows, level))
        if kind == "partial":
            yield from _tree_blocks(ensemble, level, [d for d in densities if d in TREE_DENSITIES], seed)


def _tree_blocks(ensemble: Ensemble, level: float, densities: list[int], seed: int) -> Iterator[Block]:
    """Mixtures of a few of the components, each at the one phase it always has."""
    n = len(ensemble.labels)
    generator = np.random.default_rng([seed, 3])
    fixed = [
        Sound(s.frequency_hz, s.amplitude, s.phase_rad + generator.uniform(0, 2 * np.pi))
        for s in ensemble.sounds[0]
    ]
    for density in densities:
        if density >= n:
            continue
        parts, generator = np.zeros((TREE_MIXTURES, n), dtype=bool), np.random.default_rng([seed, 3, density])
        for row in parts:
            row[generator.choice(n, density, replace=False)] = True
        rows = [together([fixed[i] for i in np.flatnonzero(row)]) for row in parts]
        yield Block("partial", level, 0, density, rendered(rows, level), parts)
