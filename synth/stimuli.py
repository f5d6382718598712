"""Stimuli as specifications: what is played is known exactly, waveforms are rendered on demand."""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

import numpy as np

from .errors import InputError
from .kernels import oscillate

_LABELLING = {  # coordinates that a stimulus is called by: how, and whether also where all have the same
    "recording": ("{}", True), "root": ("{}", True), "quality": ("{}", True),
    "f0_hz": ("{:.5g} Hz", True), "inversion": ("inversion {}", False), "voicing": ("{}", False),
    "timbre": ("{}", False), "upper_hz": ("and {:.5g} Hz", False), "start_s": ("from {:g} s", False),
    "level_dbfs": ("at {:g} dBFS", False), "context": ("in {}", False), "phase_index": ("phase {}", False),
}  # fmt: skip
COLUMNS = ("frequency_hz", "amplitude", "phase_rad", "onset_s", "offset_s", "ramp_s")


class Context(Protocol):
    """Context for a stimulus: something that sounds at the same time and is not part of it."""

    @property
    def label(self) -> str:
        """Short name, used as coordinate value; part of the specification's hash."""
        ...

    def render(self, n_samples: int, sample_rate: float, component_rms: float) -> np.ndarray:
        """Return float32 [n_samples]; `component_rms` is the RMS of the stimulus it accompanies."""
        ...


@dataclass(frozen=True)
class Partial:
    """A sinusoid: ``amplitude * sin(2 pi frequency_hz t + phase_rad)`` between onset and offset.

    The raised-cosine ramps of `ramp_s` seconds lie inside [onset_s, offset_s].
    """

    frequency_hz: float
    amplitude: float = 1.0
    phase_rad: float = 0.0
    onset_s: float = 0.0
    offset_s: float = math.inf
    ramp_s: float = 0.0


@dataclass(frozen=True)
class Stimulus:
    """A sum of partials, optionally among others, with the coordinates that say what it is."""

    partials: tuple[Partial, ...]
    context: Context | None = None
    coordinates: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class StimulusSet:
    """A table of stimuli that renders slices of itself at any sample rate.

    Parameters
    ----------
    columns : mapping of str to float64 [n_partials]
        One array for each of `COLUMNS`; the partials of all stimuli, one after another.
    first : int64 [n_stimuli + 1]
        Stimulus i owns partials ``first[i]:first[i + 1]``.
    coordinates : mapping of str to array [n_stimuli]
        What is known of each stimulus (kind, f0_hz, midi, root, quality, level_dbfs, ...).
    contexts : tuple of Context
        The contexts that occur in the set.
    context_index : int64 [n_stimuli]
        Which context accompanies a stimulus; -1 for none (silence).

    Raises
    ------
    InputError
        If the set is empty, or a frequency is not a positive number, or an amplitude not finite.

    Examples
    --------
    >>> tone = StimulusSet.of([Stimulus((Partial(440.0, 0.1),), coordinates={"f0_hz": 440.0})])
    >>> tone.render(24_000, 8).shape
    (1, 8)
    """

    columns: Mapping[str, np.ndarray]
    first: np.ndarray
    coordinates: Mapping[str, np.ndarray]
    contexts: tuple[Context, ...] = ()
    context_index: np.ndarray | None = None

    def __post_init__(self) -> None:
        if len(self) == 0:
            raise InputError("the stimulus set is empty: the requested grid holds no stimulus")
        frequency, ramp = self.columns["frequency_hz"], self.columns["ramp_s"]
        wrong = ~(np.isfinite(frequency) & (frequency > 0))
        if wrong.any():
            raise InputError(
                f"frequency {frequency[wrong][0]} Hz: must be a positive, finite number of hertz"
            )
        for name, most in (("amplitude", 1e20), ("phase_rad", np.inf), ("onset_s", np.inf)):
            wrong = ~(np.isfinite(self.columns[name]) & (np.abs(self.columns[name]) <= most))
            if wrong.any():
                raise InputError(f"{name} {self.columns[name][wrong][0]}: must be finite")
        if np.isnan(self.columns["offset_s"]).any():
            raise InputError("offset_s nan: must be a number of seconds, or infinite for no end")
        wrong = ~(np.isfinite(ramp) & (ramp >= 0))
        if wrong.any():
            raise InputError(f"ramp_s {ramp[wrong][0]}: must be a finite number of seconds, at least 0")
        for name, values in self.coordinates.items():
            if len(values) != len(self):
                raise InputError(f"coordinate {name} has {len(values)} values for {len(self)} stimuli")
        if self.context_index is None:
            object.__setattr__(self, "context_index", np.full(len(self), -1))

    @classmethod
    def of(cls, stimuli: Iterable[Stimulus]) -> StimulusSet:
        """Collect single stimuli that share their coordinate names."""
        rows = list(stimuli)
        partials = [p for row in rows for p in row.partials]
        place = {context: i for i, context in enumerate(dict.fromkeys(r.context for r in rows if r.context))}
        names = rows[0].coordinates if rows else ()
        for row in rows:
            if row.coordinates.keys() != rows[0].coordinates.keys():
                odd = min(row.coordinates.keys() ^ rows[0].coordinates.keys())
                raise InputError(f"coordinate {odd}: given for some stimuli of the set and not for others")
        return cls(
            columns={c: np.array([getattr(p, c) for p in partials], dtype=np.float64) for c in COLUMNS},
            first=np.cumsum([0, *(len(row.partials) for row in rows)]),
            coordinates={name: np.array([row.coordinates[name] for row in rows]) for name in names},
            contexts=tuple(place),
            context_index=np.array([place[r.context] if r.context else -1 for r in rows]),
        )

    def __len__(self) -> int:
        return len(self.first) - 1

    def stimulus(self, index: int) -> Stimulus:
        """Return one row as a `Stimulus`."""
        lo, hi = self.first[index : index + 2]
        partials = tuple(Partial(*(float(self.columns[c][p]) for c in COLUMNS)) for p in range(lo, hi))
        which = self.context_index[index]  # type: ignore[index]
        return Stimulus(
            partials,
            None if which < 0 else self.contexts[which],
            {name: values[index].item() for name, values in self.coordinates.items()},
        )

    def __getitem__(self, rows: slice | np.ndarray | Sequence[int]) -> StimulusSet:
        index = np.arange(len(self))[rows]
        counts = np.diff(self.first)[index]
        first = np.concatenate([[0], np.cumsum(counts)])
        own = np.arange(first[-1]) + np.repeat(self.first[index] - first[:-1], counts)
        return StimulusSet(
            columns={c: v[own] for c, v in self.columns.items()},
            first=first,
            coordinates={name: np.asarray(v)[index] for name, v in self.coordinates.items()},
            contexts=self.contexts,
            context_index=self.context_index[index],  # type: ignore[index]
        )

    def with_phases(self, count: int) -> StimulusSet:
        """Repeat each stimulus at `count` equally spaced phases (stimulus-major, phase-minor).

        At phase k (the row's coordinate `phase_index`) the j-th partial of a stimulus, from 1, has moved
        by ``2 pi j k / count``. Averaged over ``count >= 2 P + 1`` phases of P partials, the power of a
        linear response is that of each partial by itself, added up, in every single frame: the squares
        of sines and the products of different partials both average out (no two j add up to, or differ
        by, a multiple of `count`). With one common turn the beats between partials would stay.
        """
        if count < 1:
            raise InputError(f"phases {count}: must be at least 1")
        repeated = self[np.repeat(np.arange(len(self)), count)]
        turn = np.tile(np.arange(count), len(self))
        counts = np.diff(repeated.first)
        number = np.arange(repeated.first[-1]) - np.repeat(repeated.first[:-1], counts) + 1
        turns = number * np.repeat(turn, counts) % count
        phase = repeated.columns["phase_rad"] + 2 * np.pi * turns / count
        return StimulusSet(
            columns={**repeated.columns, "phase_rad": phase},
            first=repeated.first,
            coordinates={**repeated.coordinates, "phase_index": turn},
            contexts=repeated.contexts,
            context_index=repeated.context_index,
        )

    def in_contexts(self, contexts: Sequence[Context | None]) -> StimulusSet:
        """Cross every stimulus with every context (None is silence); the stimulus varies slowest.

        The stimulus itself keeps its amplitude: a mixture is the isolated sound plus its context.
        """
        if len(self.contexts):
            raise InputError("the set already has contexts: cross it with all of them at once")
        crossed = self[np.repeat(np.arange(len(self)), len(contexts))]
        known = tuple(c for c in contexts if c is not None)
        labels = ["silence" if c is None else c.label for c in contexts]
        if len(set(labels)) < len(labels):
            raise InputError(f"contexts {', '.join(labels)}: must have different labels")
        index = [-1 if c is None else known.index(c) for c in contexts]
        return StimulusSet(
            columns=crossed.columns,
            first=crossed.first,
            coordinates={**crossed.coordinates, "context": np.tile(labels, len(self))},
            contexts=known,
            context_index=np.tile(index, len(self)),
        )

    def below_nyquist(
        self, sample_rate: float, above_nyquist: Literal["raise", "drop"] = "raise"
    ) -> StimulusSet:
        """Return the set as it can be played at `sample_rate`.

        A partial at or above half the sample rate raises; with ``above_nyquist="drop"`` it is left
        out, stimuli without any partial left go, and the coordinate `n_dropped` counts what went.
        """
        if above_nyquist not in ("raise", "drop"):
            raise InputError(f"above_nyquist {above_nyquist!r}: must be 'raise' or 'drop'")
        frequency = self.columns["frequency_hz"]
        keep = frequency < sample_rate / 2
        if keep.all():
            return self
        if above_nyquist == "raise":
            raise InputError(
                f"frequency {frequency[~keep].min():g} Hz: must lie below the Nyquist frequency "
                f"{sample_rate / 2:g} Hz of the sample rate {sample_rate:g} Hz"
            )
        kept_before = np.concatenate([[0], np.cumsum(keep)])
        first = kept_before[self.first]
        thinned = StimulusSet(
            columns={c: v[keep] for c, v in self.columns.items()},
            first=first,
            coordinates={**self.coordinates, "n_dropped": np.diff(self.first) - np.diff(first)},
            contexts=self.contexts,
            context_index=self.context_index,
        )
        silenced = (np.diff(first) == 0) & (np.diff(self.first) > 0)
        return thinned[np.flatnonzero(~silenced)]

    @property
    def labels(self) -> np.ndarray:
        """What each stimulus is called, all different: str [n_stimuli].

        Examples
        --------
        >>> low, high = (Stimulus((Partial(f),), coordinates={"f0_hz": f}) for f in (220.0, 440.0))
        >>> StimulusSet.of([low, high, low]).labels.tolist()
        ['220 Hz', '440 Hz', '220 Hz, 2']
        """
        parts = []
        for name, (form, is_always_named) in _LABELLING.items():
            values = np.asarray(self.coordinates.get(name, [])).tolist()
            files = self.coordinates.get("recording", [])
            if name == "start_s" and len(set(files)) == len(files):
                continue  # one part of each
            if values and (is_always_named or len(set(values)) > 1):
                parts.append([form.format(value) for value in values])
        words = [" ".join(row) for row in zip(*parts, strict=True)] or ["stimulus"] * len(self)
        seen: Counter[str] = Counter()
        labels = []
        for word in words:
            seen[word] += 1
            labels.append(word if seen[word] == 1 else f"{word}, {seen[word]}")
        return np.array(labels)

    @property
    def rms(self) -> np.ndarray:
        """Root mean square of each stimulus's partials over a long time, float64 [n_stimuli].

        Onsets, offsets and ramps do not count; a stimulus without partials (a recording) has 0.
        """
        row = np.repeat(np.arange(len(self)), np.diff(self.first))
        return np.sqrt(np.bincount(row, self.columns["amplitude"] ** 2 / 2, minlength=len(self)))

    def render(self, sample_rate: float, n_samples: int, threads: int = 1) -> np.ndarray:
        """Render all rows; take a slice of the set first to render a part.

        Parameters
        ----------
        sample_rate : float > 0
            Samples per second.
        n_samples : int > 0
            Length of every waveform.
        threads : int > 0
            Threads that share the rows; the samples do not depend on it.

        Returns
        -------
        waveforms : float32 [n_stimuli, n_samples]

        Raises
        ------
        InputError
            If a partial lies at or above half the sample rate, or a context cannot be played.
        """
        if not (math.isfinite(sample_rate) and sample_rate > 0):
            raise InputError(f"sample rate {sample_rate} Hz: must be a positive, finite number of hertz")
        self.below_nyquist(sample_rate)
        c = self.columns
        waveforms = oscillate(
            c["frequency_hz"] / sample_rate, c["amplitude"], c["phase_rad"], self.first, n_samples,
            c["onset_s"] * sample_rate, c["offset_s"] * sample_rate, c["ramp_s"] * sample_rate, threads,
        )  # fmt: skip
        rms = self.rms
        for row in np.flatnonzero(self.context_index >= 0):  # type: ignore[operator]
            context = self.contexts[self.context_index[row]]  # type: ignore[index]
            waveforms[row] += context.render(n_samples, sample_rate, float(rms[row]))
            if not np.isfinite(waveforms[row]).all():
                raise InputError(f"context {context.label!r}: its waveform holds NaN or Inf")
        return waveforms

    @property
    def sha256(self) -> str:
        """Hash of the whole specification: partials, coordinates and contexts."""
        digest = hashlib.sha256()
        for name in COLUMNS:
            digest.update(np.ascontiguousarray(self.columns[name], dtype="<f8").tobytes())
        digest.update(np.ascontiguousarray(self.first, dtype="<i8").tobytes())
        for name in sorted(self.coordinates):
            digest.update(f"{name}={np.asarray(self.coordinates[name]).tolist()!r}".encode())
        # Contexts in the order they first occur: those that no row plays make no difference.
        numbered = {i: n for n, i in enumerate(dict.fromkeys(self.context_index.tolist())) if i >= 0}  # type: ignore[union-attr]
        digest.update(repr([numbered.get(i, -1) for i in self.context_index.tolist()]).encode())  # type: ignore[union-attr]
        for i in numbered:
            digest.update(repr(self.contexts[i]).encode())
        return digest.hexdigest()
