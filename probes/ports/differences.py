"""How far two encoders differ at each stage, sound by sound, and how one follows from the other."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from torch import Tensor

from .playing import Input, Pair
from .sounds import TONES
from .tokens import quantizer_steps
from .transfer import Transfer, components, transfer

INNER = (0.25, 0.9)  # of the frames: what lies between them is no edge
CONSTANT = 1e-3  # share of the whole activation's power that a deviation from silence is held to at least
LEAST, NOTHING = 1e-300, 1e-30  # of a power; of one relative to another: -300 dB


@dataclass
class Difference:
    """How far a stage of two encoders differs.

    Parameters
    ----------
    stage : str
    frames : (int, int)
        Of both.
    apart, reference : float64 [S]
        Mean square of the difference at each sound, and what it is held to: the power of the first's
        deviation from its response to silence.
    apart_inside : float64 [S]
        The same without edges.
    leading, trailing : int
        Frames at either end up to the last that differs beyond tolerance, over all sounds.
    flipped, moved : float64 [S]
        Of stages behind a quantizer the share of frames with other codes, which do not count among what is
        apart, and of those that differ beyond tolerance. Of codes the share of codes.
    not_finite : list of (str, str)
        Which of the two gave NaN or Inf, and at which sound.
    tones : list of (complex128 [k, C], complex128 [k, C])
        Amplitudes of both at the tones, a batch each.
    transfer : Transfer, optional
        What turns the first's into the second's.
    """

    stage: str
    frames: tuple[int, int]
    apart: np.ndarray
    reference: np.ndarray
    apart_inside: np.ndarray
    flipped: np.ndarray
    moved: np.ndarray
    not_finite: list[tuple[str, str]] = field(default_factory=list)
    leading: int = 0
    trailing: int = 0
    tones: list[tuple[np.ndarray, np.ndarray]] = field(default_factory=list)
    transfer: Transfer | None = None

    @property
    def db(self) -> np.ndarray:
        """Power of the difference re the deviation from silence, at each sound, in dB."""
        return self._db(self.apart)

    @property
    def inside_db(self) -> np.ndarray:
        """The same without edges."""
        return self._db(self.apart_inside)

    def _db(self, apart: np.ndarray) -> np.ndarray:
        sounding = self.reference[self.reference > 0]
        usual = float(np.median(sounding)) if len(sounding) else 1.0
        reference = np.where(self.reference > 0, self.reference, usual)  # silence has no deviation
        return 10 * np.log10(np.maximum(apart / np.maximum(reference, LEAST), NOTHING))


def differences(
    pair: Pair,
    stages: Sequence[str],
    tolerance_db: float,
    how: Input | None = None,
    each: Callable[[slice, dict[str, Tensor], dict[str, Tensor]], None] | None = None,
    advance: Callable[[int], None] = lambda count: None,
) -> dict[str, Difference]:
    """Play all sounds to both encoders and return how far their stages differ.

    Parameters
    ----------
    pair : Pair
    stages : sequence of str
        By the first's names; each with one hop and as many channels in both.
    tolerance_db : float
        Beyond which a frame differs.
    how : Input, optional
        How the first is played.
    each : callable, optional
        ``each(rows, first, second)`` sees the activations before they are dropped.
    advance : callable
        Shows progress, by the number of sounds.
    """
    quiet = pair.of_first(0 * pair.waveforms(slice(0, 1)), stages)
    found: dict[str, Difference] = {}
    for rows in pair.batches():
        first, second = pair.played(rows, stages, how)
        agree = _codes_agree(pair, first, second)
        for stage in stages:
            one = found.get(stage) or found.setdefault(
                stage, _empty(stage, first[stage], second[stage], len(pair.sounds))
            )
            if pair.first.stages[stage].is_integer:
                _count_codes(one, rows, first[stage], second[stage])
            else:
                _add(one, pair, rows, first[stage], second[stage], quiet[stage], tolerance_db, agree)
        if each is not None:
            each(rows, first, second)
        advance(rows.stop - rows.start)
    for one in found.values():
        if one.tones:
            first, second = (np.concatenate(parts) for parts in zip(*one.tones, strict=True))
            one.transfer = transfer(_frequencies(pair)[: len(first)], first, second, pair.sample_rate)
    return found


def _empty(stage: str, first: Tensor, second: Tensor, sounds: int) -> Difference:
    frames = first.shape[2], second.shape[2]
    apart, reference, inside, flipped, moved = np.zeros((5, sounds))
    return Difference(stage, frames, apart, reference, inside, flipped, moved)


def _count_codes(one: Difference, rows: slice, first: Tensor, second: Tensor) -> None:
    frames = min(one.frames)
    changed = first[:, :, :frames] != second[:, :, :frames]
    one.flipped[rows] = changed.double().mean(dim=(1, 2)).numpy()


def _add(
    one: Difference,
    pair: Pair,
    rows: slice,
    first: Tensor,
    second: Tensor,
    quiet: Tensor,
    tolerance_db: float,
    agree: np.ndarray | None,
) -> None:
    frames = min(one.frames)
    first, second, quiet = (part[:, :, :frames].double() for part in (first, second, quiet))
    lost = _note_not_finite(one, pair, rows, first, second)
    first, second, quiet = (part.nan_to_num(0.0, 0.0, 0.0) for part in (first, second, quiet))
    apart = (second - first).square().mean(dim=1).numpy()  # [b, F]
    power = (first - quiet).square().mean(dim=1).numpy()
    silent = power.sum(axis=1) == 0
    reference = power.mean(axis=1) + CONSTANT * first.square().mean(dim=(1, 2)).numpy()
    differs = apart > 10 ** (tolerance_db / 10) * np.maximum(reference, LEAST)[:, None]
    counted = np.ones_like(differs)
    steps = quantizer_steps(pair.first.stages[one.stage], 1 if agree is None else agree.shape[1])
    if steps:
        same = ~differs if agree is None else _padded(np.asarray(agree[:, :steps].all(axis=1)), frames)
        counted = same | ~differs
        one.flipped[rows], one.moved[rows] = 1 - same.mean(axis=1), differs.mean(axis=1)
    else:
        _edges(one, differs[~silent])
    inside = np.zeros(frames, bool)
    inside[slice(*_inner(frames))] = True
    one.apart[rows] = np.where(lost, np.inf, _mean(apart, counted))
    one.apart_inside[rows] = _mean(apart, counted & inside)
    one.reference[rows] = np.where(silent, 0.0, reference)
    start, stop = _inner(frames)
    frequency_hz = _frequencies(pair)
    hop = pair.first.stages[one.stage].hop
    pieces: tuple[list[np.ndarray], list[np.ndarray]] = ([], [])
    for row in range(rows.start, min(rows.stop, len(frequency_hz))):
        turns = frequency_hz[row] * hop / pair.sample_rate
        for part, signals in zip(pieces, (first, second), strict=True):
            part.append(components(signals[row - rows.start, :, start:stop].numpy(), turns))
    if pieces[0]:
        one.tones.append((np.stack(pieces[0]), np.stack(pieces[1])))


def _codes_agree(pair: Pair, first: Mapping[str, Tensor], second: Mapping[str, Tensor]) -> np.ndarray | None:
    """Return where codes are the same, bool [b, Q, F]; None where not both give them."""
    if "codes" not in first or not pair.first.stages["codes"].is_integer:
        return None
    frames = min(one["codes"].shape[2] for one in (first, second))
    return (first["codes"][:, :, :frames] == second["codes"][:, :, :frames]).numpy()


def _padded(agree: np.ndarray, frames: int) -> np.ndarray:
    """Return [b, frames]; frames for which there are no codes do not agree."""
    return np.pad(agree[:, :frames], ((0, 0), (0, max(0, frames - agree.shape[1]))))


def _note_not_finite(one: Difference, pair: Pair, rows: slice, first: Tensor, second: Tensor) -> np.ndarray:
    """Note which of the two gave NaN or Inf, and return at which sounds, bool [b]."""
    lost = np.zeros(len(first), bool)
    for which, found in (("first", first), ("second", second)):
        bad = ~found.isfinite().flatten(1).all(dim=1).numpy()
        sounds = pair.sounds.coordinates["sound"][rows]
        one.not_finite += [(which, str(sounds[row])) for row in np.flatnonzero(bad)]
        lost |= bad
    return lost


def _edges(one: Difference, differs: np.ndarray) -> None:
    """Note how far from either end frames differ; where they do in the middle, that is no edge."""
    where = np.flatnonzero(differs.any(axis=0))
    frames = differs.shape[1]
    half = where[where < frames // 2], where[where >= frames // 2]
    one.leading = max(one.leading, int(half[0].max()) + 1 if len(half[0]) else 0)
    one.trailing = max(one.trailing, frames - int(half[1].min()) if len(half[1]) else 0)


def _inner(frames: int) -> tuple[int, int]:
    return int(INNER[0] * frames), max(int(INNER[1] * frames), int(INNER[0] * frames) + 1)


def _mean(values: np.ndarray, counted: np.ndarray) -> np.ndarray:
    return (values * counted).sum(axis=1) / np.maximum(counted.sum(axis=1), 1)


def _frequencies(pair: Pair) -> np.ndarray:
    """Return the tones' frequencies, which come first among the sounds."""
    return pair.sounds.columns["frequency_hz"][pair.sounds.first[: min(TONES, len(pair.sounds))]]


def worst_sound(pair: Pair, one: Difference, tolerance_db: float) -> int:
    """Return the row of the sound on which a stage differs most; silence only where it does on no other."""
    sounds = [str(name) for name in pair.sounds.coordinates["sound"]]
    sounding = [i for i, name in enumerate(sounds) if name != "silence" and one.db[i] > tolerance_db]
    return max(sounding, key=lambda i: one.db[i], default=int(one.db.argmax()))
