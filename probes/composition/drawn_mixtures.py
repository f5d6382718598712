"""The mixtures that access is trained and tried on, each with a context of its own."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..engine.grid import USUAL_OTHERS
from .draws import Components, components_of, kind_number
from .mixtures import Sound, together

TRAINED = {3: 48, 5: 48, 8: 48}  # how many mixtures of so many components, in each group
TRIED = {2: 24, 5: 56, 16: 40}
CHORDS_TRAINED, CHORDS_TRIED = {1: 48, 2: 48, 3: 48}, {2: 56}
TARGETS = 2  # components in a mixture; the rest are foils from anywhere
NEAR_SEMITONES = 1.0  # foils so near to a component hide whether it is there


@dataclass(frozen=True)
class Drawn:
    """Mixtures of one group.

    Parameters
    ----------
    sounds : tuple of Sound [n]
        All as loud as one component among four others.
    present : bool [n, N]
        Which components sound.
    hidden : bool [n, N]
        Whether a foil is within a semitone of a component: the mixture says nothing of it.
    density : int [n]
        Components and foils.
    trained : bool [n]
        Mixtures to fit to; all others are tried.
    """

    sounds: tuple[Sound, ...]
    present: np.ndarray
    hidden: np.ndarray
    density: np.ndarray
    trained: np.ndarray


def sizes_of(kind: str) -> tuple[dict[int, int], dict[int, int]]:
    """Return how many mixtures of each density are trained on, and tried, in a group."""
    return (CHORDS_TRAINED, CHORDS_TRIED) if kind == "chord" else (TRAINED, TRIED)


def drawn_mixtures(kind: str, group: int, sample_rate: float, seed: int) -> Drawn:
    """Draw mixtures of the components of a group and of foils, at constant total level.

    Two components sound in each (one of chords), each as often as any other; foils are drawn from where
    contexts are. Envelopes, positions and phases are drawn anew in every mixture.

    Examples
    --------
    >>> drawn = drawn_mixtures("partial", group=0, sample_rate=24_000, seed=0)
    >>> drawn.present.shape, sorted(set(drawn.present.sum(1).tolist())), sorted(set(drawn.density.tolist()))
    ((264, 16), [2], [2, 3, 5, 8, 16])
    """
    of = components_of(kind, group, sample_rate, seed)
    generator = np.random.default_rng([seed, 35, kind_number(kind), group])
    rows = [
        (density, trained)
        for trained, sizes in zip((True, False), sizes_of(kind), strict=True)
        for density, count in sizes.items()
        for _ in range(count)
    ]
    several = 1 if kind == "chord" else TARGETS
    dealt = _dealt(len(of.labels), len(rows), several, generator)
    made = [
        _mixture(of, kind, which, density, generator) for which, (density, _) in zip(dealt, rows, strict=True)
    ]
    present = np.zeros((len(rows), len(of.labels)), dtype=bool)
    np.put_along_axis(present, dealt, True, axis=1)
    return Drawn(
        tuple(sound for sound, _ in made),
        present,
        np.stack([hidden for _, hidden in made]),
        np.array([density for density, _ in rows]),
        np.array([trained for _, trained in rows]),
    )


def _dealt(components: int, rows: int, several: int, generator: np.random.Generator) -> np.ndarray:
    """Deal components to rows, each as often as any other, none twice to one: [rows, several]."""
    decks = [generator.permutation(components) for _ in range(-(-rows // components) + 1)]
    return np.stack(
        [np.concatenate([np.roll(deck, i) for deck in decks])[:rows] for i in range(several)], axis=1
    )


def _mixture(
    of: Components, kind: str, which: np.ndarray, density: int, generator: np.random.Generator
) -> tuple[Sound, np.ndarray]:
    """Return a mixture as loud as a component among four others, and which components it hides."""
    own = [of.one(i, generator) for i in which]
    foils = [of.other(generator) for _ in range(density - len(own))]
    sound = together([*own, *foils])
    loudness = np.sqrt((USUAL_OTHERS + 1) / density)
    hidden = np.zeros(len(of.labels), dtype=bool)
    if kind != "chord":
        lowest = np.array([foil.frequency_hz[0] for foil in foils])
        apart = 12 * np.abs(np.log2(of.frequency_hz[:, None] / lowest))
        hidden[:] = (apart < NEAR_SEMITONES).any(1)
    return sound.amplified(loudness), hidden
