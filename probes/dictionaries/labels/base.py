"""What labels are made from, what a label says, and what makes labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from ....synth.errors import InputError
from ...engine.progress import Progress
from ...statistics.resampling import ALPHA

SILENT = Progress(show=False)


@dataclass(frozen=True, eq=False)
class Truth:
    """A known factor of the clips.

    Parameters
    ----------
    name : str
        "family", "register", "f0" and the like.
    values : int64 or float64 [n_clips]
        Index into `classes`, -1 where it is not known; or a number, NaN where it is not known.
    classes : tuple of str
        Empty for numbers.
    units : str
        Of numbers.

    Raises
    ------
    InputError
        If values are no vector, no class or infinite; if names of classes are not distinct.

    Examples
    --------
    >>> Truth("family", np.array([0, 1, -1]), ("organ", "reed")).known.tolist()
    [True, True, False]
    """

    name: str
    values: np.ndarray
    classes: tuple[str, ...] = ()
    units: str = ""

    def __post_init__(self) -> None:
        values = np.asarray(self.values)
        if values.ndim != 1 or values.dtype.kind not in ("iu" if self.classes else "iuf"):
            wanted = "class indices [n_clips]" if self.classes else "numbers [n_clips]"
            raise InputError(
                f"truth {self.name!r}: {values.dtype} {list(values.shape)} given, {wanted} wanted"
            )
        if len(set(self.classes)) < len(self.classes):
            raise InputError(f"truth {self.name!r}: classes {list(self.classes)} are to be distinct")
        wrong = np.isinf(values) if not self.classes else (values < -1) | (values >= len(self.classes))
        if wrong.any():
            clip = int(np.flatnonzero(wrong)[0])
            allowed = f"-1 to {len(self.classes) - 1}" if self.classes else "finite numbers and NaN"
            raise InputError(f"truth {self.name!r}: {values[clip]} for clip {clip}, {allowed} allowed")
        object.__setattr__(self, "values", values.astype(np.int64 if self.classes else np.float64))

    @property
    def known(self) -> np.ndarray:
        """Clips that it is known of, bool [n_clips]."""
        return self.values >= 0 if self.classes else np.isfinite(self.values)


@dataclass(frozen=True, eq=False)
class Evidence:
    """Clips, how much they excite each feature, and what is known of them.

    Parameters
    ----------
    activation : float32 [n_clips, M]
        Of each feature, the mean over a clip's frames.
    truths : tuple of Truth
    groups : int [n_clips]
        Instrument or piece: clips of one group are not independent. By default each is a group.
    is_found_on : bool [n_clips]
        Clips that labels are made from; the others test them. See `split_in_halves`.
    sounds : sequence of float32 [T]
        Of every clip, opened when it is needed; empty where no labeler listens.
    sample_rate : int
        Of the sounds, Hz.

    Raises
    ------
    InputError
        If sizes differ, an activation is not finite, or either half of the clips is empty.

    Examples
    --------
    >>> evidence = Evidence(np.eye(4, 2, dtype=np.float32), is_found_on=np.arange(4) < 2)
    >>> evidence.active.tolist()
    [0, 1]
    """

    activation: np.ndarray
    truths: tuple[Truth, ...] = ()
    groups: np.ndarray | None = None
    is_found_on: np.ndarray | None = None
    sounds: Sequence[np.ndarray] = ()
    sample_rate: int = 0

    def __post_init__(self) -> None:
        activation = np.asarray(self.activation)
        if activation.ndim != 2 or activation.dtype.kind != "f" or 0 in activation.shape:
            raise InputError(
                f"activation: {activation.dtype} {list(activation.shape)} given, float [n_clips, M] wanted"
            )
        if not np.isfinite(activation).all():
            clip, feature = np.argwhere(~np.isfinite(activation))[0]
            raise InputError(f"activation: NaN or Inf in clip {clip}, feature {feature}; finite ones allowed")
        n = len(activation)
        groups = np.arange(n) if self.groups is None else np.asarray(self.groups)
        found = split_in_halves(groups) if self.is_found_on is None else np.asarray(self.is_found_on)
        sizes = {"groups": groups, "is_found_on": found} | {
            f"truth {t.name!r}": t.values for t in self.truths
        }
        for name, values in sizes.items():
            if values.shape != (n,):
                raise InputError(f"{name}: {list(values.shape)} given, [{n}] wanted, one for each clip")
        if groups.dtype.kind not in "iu" or found.dtype != bool:
            raise InputError(f"groups and is_found_on: {groups.dtype} and {found.dtype}, int and bool wanted")
        if found.all() or not found.any():
            raise InputError(
                f"is_found_on: {found.sum()} of {n} clips, some wanted and some to test labels on"
            )
        if len(self.sounds) not in (0, n):
            raise InputError(f"sounds: {len(self.sounds)} given, none or {n} wanted, one for each clip")
        if len({truth.name for truth in self.truths}) < len(self.truths):
            raise InputError(f"truths {[t.name for t in self.truths]}: names are to be distinct")
        for name, value in (("activation", activation.astype(np.float32)), ("is_found_on", found)):
            object.__setattr__(self, name, value)
        object.__setattr__(self, "groups", np.unique(groups, return_inverse=True)[1])  # 0, 1, 2 ...

    @property
    def found(self) -> np.ndarray:
        """Clips that labels are made from, int [n]."""
        return np.flatnonzero(np.asarray(self.is_found_on))

    @property
    def held_out(self) -> np.ndarray:
        """Clips that labels are tested on, int [n]."""
        return np.flatnonzero(~np.asarray(self.is_found_on))

    @property
    def group_of(self) -> np.ndarray:
        """Group of every clip, counted from 0, int64 [n_clips]."""
        return np.asarray(self.groups)

    @property
    def active(self) -> np.ndarray:
        """Features that do not excite all clips that labels are made from alike, int [features]."""
        on_found = self.activation[self.found]
        return np.flatnonzero(on_found.max(0) > on_found.min(0))

    def top(self, feature: int, clips: np.ndarray, n: int) -> np.ndarray:
        """Return the `n` of some clips that excite a feature most, or as many as excite it: int [<= n]."""
        excited = self.activation[clips, feature]
        order = np.argsort(-excited, kind="stable")[:n]
        return clips[order[excited[order] > self.activation[:, feature].min()]]

    def sound(self, clip: int) -> np.ndarray:
        """Return the sound of a clip, float32 [T].

        Raises
        ------
        InputError
            If there is none, it is no vector, or it holds NaN or Inf.
        """
        if not len(self.sounds) or self.sample_rate <= 0:
            raise InputError(
                f"sounds: {len(self.sounds)} at {self.sample_rate} Hz given, one for each clip wanted"
            )
        waveform = np.asarray(self.sounds[clip], dtype=np.float32)
        if waveform.ndim != 1 or not len(waveform) or not np.isfinite(waveform).all():
            raise InputError(f"sound of clip {clip}: {list(waveform.shape)}, finite samples [T] wanted")
        return waveform


def split_in_halves(
    groups: np.ndarray, seed: int = 0, strata: np.ndarray | None = None, whole: bool = False
) -> np.ndarray:
    """Choose half of the clips to make labels from; the others are for testing them.

    Parameters
    ----------
    groups : int [n_clips]
    seed : int
    strata : int [n_clips], optional
        Class of every clip: the clips of each are halved too, but for one (with `whole`, its groups; a
        group's class is that of its first clip).
    whole : bool
        Keep groups whole. Labels then hold for other instruments, not only for other clips of the same, but
        half as many groups are there to find them: with four instruments a class among 48, even a feature
        that tells them without fault is hardly beyond what the best of 1,024 features does by chance.

    Returns
    -------
    is_found_on : bool [n_clips]

    Raises
    ------
    InputError
        If there are fewer than two clips (with `whole`, groups), or sizes differ.

    Examples
    --------
    >>> split_in_halves(np.array([5, 5, 7, 7])).reshape(2, 2).sum(1).tolist()
    [1, 1]
    """
    group_of = np.unique(groups, return_inverse=True)[1]
    strata = np.zeros(len(group_of), dtype=int) if strata is None else np.asarray(strata)
    if strata.shape != group_of.shape:
        raise InputError(f"strata: {list(strata.shape)} given, {list(group_of.shape)} wanted")
    _, first = np.unique(group_of, return_index=True)
    units, stratum = (np.arange(len(first)), strata[first]) if whole else (group_of, strata)
    if len(units) < 2:
        raise InputError(f"{'groups' if whole else 'clips'}: {len(units)} given, at least 2 to be halved")
    generator = np.random.default_rng(seed)
    within, among = generator.random(len(units)), generator.random(len(first))[units]
    order = np.lexsort((within, among, stratum))
    chosen = np.zeros(len(units), dtype=bool)
    chosen[order[int(generator.integers(2)) :: 2]] = True  # neighbours in the order are alike
    return chosen[group_of] if whole else chosen


@dataclass(frozen=True)
class Label:
    """What a labeler says of one feature.

    Parameters
    ----------
    feature : int
    labeler : str
    factor : str
        What is known of the clips, or "class" or "text".
    text : str
        Name of a class, "not" and a name, "higher f0", or free text.
    score : float
        On clips that the label was not made from; in `measure`.
    measure : {"AUC", "Spearman", "probability", "cosine", "confidence"}
    baseline : float
        What chance gives in the same measure.
    low, high : float
        95 % interval of the score; NaN where the label is not beyond chance.
    p : float
        Of the label on the clips it was made from, corrected for there being many labels and features; NaN
        where nothing is known of the others (free text).
    held_out_p : float
        Of the label on the other clips, corrected for there being several that are tested: those with
        ``p <= 0.05``, or all of free text. NaN of those that are not.
    kept : bool
        Whether it holds on clips that it was not made from: as many of both p as there are are at most 0.05.
    phik : float
        Of activation and factor on the other clips.
    note : str
    """

    feature: int
    labeler: str
    factor: str
    text: str
    score: float
    measure: str
    baseline: float
    low: float = np.nan
    high: float = np.nan
    p: float = np.nan
    held_out_p: float = np.nan
    kept: bool = False
    phik: float = np.nan
    note: str = ""

    @property
    def beyond_chance(self) -> bool:
        """Whether it is, on the clips it was made from, beyond what the best of all does by chance."""
        return self.p <= ALPHA


class Labeler(Protocol):
    """Something that labels features.

    Attributes
    ----------
    name : str
    """

    @property
    def name(self) -> str: ...  # noqa: D102

    def label(self, evidence: Evidence, progress: Progress = SILENT) -> list[Label]:
        """Return at most one label a feature, and none of features that excite all clips alike."""
        ...
