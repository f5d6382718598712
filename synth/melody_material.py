"""Melodies to learn from and to be tested on: written ones and made-up ones, split by tune."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from .errors import InputError
from .melodies import (
    FIRST_NOTE,
    LOWEST_MIDI,
    STEPS_PER_BAR,
    checked_rolls,
    pitch_range,
    transposed,
    whole_number,
)
from .melody_grammar import generated_melodies
from .scores import Collected

SHARES = {"train": 0.8, "validation": 0.1, "test": 0.1}


@dataclass(frozen=True)
class Material:
    """One split of melodies.

    Parameters
    ----------
    rolls : uint8 [N, T]
        No two the same.
    written : bool [N]
        True for melodies of tunes, false for those a grammar made up.
    pieces : int64 [N]
        Which piece each is from, as in `Collected`; those made up are pieces of their own.
    """

    rolls: np.ndarray
    written: np.ndarray
    pieces: np.ndarray


def melody_material(collected: Collected, generated: int = 60_000, seed: int = 0) -> Mapping[str, Material]:
    """Split collected and generated melodies into "train", "validation" and "test".

    A tune goes into one split with all its slices, by a hash of its name and the seed, so that it stays
    there when others are added; a generated melody is a tune by itself. Whatever stands in "test" in any
    transposition is taken out of the other two, and likewise "validation" out of "train": tunes share
    phrases, and a model that hears transposed training melodies must not have met the test.

    Parameters
    ----------
    collected : Collected
        As from `corpus_melodies` or `midi_melodies`.
    generated : int >= 0
        How many melodies to make up beside, before the split.
    seed : int >= 0
        Of the split and of the generated melodies.

    Returns
    -------
    material : mapping from split to Material
        Written melodies first, in the order they were collected.

    Raises
    ------
    InputError
        If a number is not such a number, or the rolls are not of whole bars.

    Examples
    --------
    >>> nothing = Collected(np.empty((0, 32), np.uint8), np.empty(0, int), (), {})
    >>> {split: len(part.rolls) for split, part in melody_material(nothing, 100).items()}
    {'train': 81, 'validation': 5, 'test': 14}
    """
    rolls, seed = checked_rolls(collected.rolls), whole_number("seed", seed, 0)
    if rolls.shape[1] % STEPS_PER_BAR:
        raise InputError(f"rolls of {rolls.shape[1]} steps: must be whole bars of {STEPS_PER_BAR}")
    made_up = generated_melodies(generated, rolls.shape[1] // STEPS_PER_BAR, seed)
    of_tune = np.array([_place(f"{seed}/{name}") for name in collected.names])
    places = np.concatenate(
        [of_tune[collected.sources], [_place(f"{seed}/generated/{i}") for i in range(len(made_up))]]
    )
    rolls = np.concatenate([rolls, made_up])
    written = np.arange(len(rolls)) < len(collected.rolls)
    pieces = np.concatenate([collected.sources, len(collected.names) + np.arange(len(made_up))])
    forms = _packed(transposition_invariant(rolls))
    edges = np.cumsum([0.0, *SHARES.values()])
    material, held_out = {}, np.empty(0, forms.dtype)
    for split, low, high in reversed(list(zip(SHARES, edges[:-1], edges[1:], strict=True))):
        chosen = np.flatnonzero((places >= low) & (places < high) & ~np.isin(forms, held_out))
        _, first = np.unique(_packed(rolls[chosen]), return_index=True)
        chosen = chosen[np.sort(first)]
        held_out = np.concatenate([held_out, forms[chosen]])
        material[split] = Material(rolls[chosen], written[chosen], pieces[chosen])
    return {split: material[split] for split in SHARES}


def transposition_invariant(rolls) -> np.ndarray:
    """Move every roll so that its lowest note is MIDI 21: equal for a melody and its transpositions.

    Parameters
    ----------
    rolls : integers [N, T]

    Returns
    -------
    rolls : uint8 [N, T]

    Raises
    ------
    InputError
        If `rolls` are not rolls.

    Examples
    --------
    >>> transposition_invariant([[41, 0, 43, 1], [51, 0, 53, 1], [0, 0, 0, 0]])
    array([[2, 0, 4, 1],
           [2, 0, 4, 1],
           [0, 0, 0, 0]], dtype=uint8)
    """
    rolls = checked_rolls(rolls)
    lowest, _ = pitch_range(rolls)
    sounds = (rolls >= FIRST_NOTE).any(axis=1)
    return transposed(rolls, np.where(sounds, LOWEST_MIDI - lowest, 0))


def _place(name: str) -> float:
    """Give a number in [0, 1) that depends on the name alone."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:6]) / 2**48


def _packed(rolls: np.ndarray) -> np.ndarray:
    """Rows as single items that can be compared and sorted: void [N]."""
    rolls = np.ascontiguousarray(rolls)
    return rolls.view(np.dtype((np.void, rolls.shape[1]))).ravel()
