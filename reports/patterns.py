"""Patterns: over which frequencies something holds, where it does not, and what remains open."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from .writing import counted, hertz

YES, OPEN, NO = 1, 0, -1
SURE = 0.75  # of the frequencies on a side of a boundary, for which it must be beyond doubt


@dataclass(frozen=True)
class Pattern:
    """Where along frequency a measure lies beyond doubt above a threshold, and where below.

    Parameters
    ----------
    frequency_hz : float [n]
        Rising.
    holds : int [n]
        `YES` where the 95 % interval lies above the threshold, `NO` where below, `OPEN` between.
    """

    frequency_hz: np.ndarray
    holds: np.ndarray

    @classmethod
    def of(
        cls, frequency_hz: np.ndarray, low: np.ndarray, high: np.ndarray, threshold: float | np.ndarray
    ) -> Pattern:
        """Classify intervals [n] by a threshold; what is not finite is left out."""
        there = np.isfinite(frequency_hz) & np.isfinite(low) & np.isfinite(high)
        order = np.flatnonzero(there)[np.argsort(frequency_hz[there], kind="stable")]
        above = np.where(low > threshold, YES, np.where(high < threshold, NO, OPEN))
        return cls(frequency_hz[order], above[order])

    def __and__(self, other: Pattern) -> Pattern:
        """Return where both hold: no where either does not, open where neither is beyond doubt."""
        return Pattern(self.frequency_hz, np.minimum(self.holds, other.holds))

    @property
    def count(self) -> dict[int, int]:
        """How many frequencies there are of each kind."""
        return {kind: int((self.holds == kind).sum()) for kind in (YES, OPEN, NO)}

    @property
    def boundary(self) -> tuple[float, float] | None:
        """The last frequency at which it holds and the first at which it does not, if it holds below only.

        Between the ends and the boundary at least three quarters must be beyond doubt.
        """
        yes, no = np.flatnonzero(self.holds == YES), np.flatnonzero(self.holds == NO)
        if not len(yes) or not len(no) or yes[-1] > no[0]:
            return None
        sure = len(yes) >= SURE * (yes[-1] + 1) and len(no) >= SURE * (len(self.holds) - no[0])
        return (float(self.frequency_hz[yes[-1]]), float(self.frequency_hz[no[0]])) if sure else None

    @property
    def boundary_upwards(self) -> tuple[float, float] | None:
        """The last frequency at which it fails and the first at which it holds, if it holds above only."""
        ends = Pattern(self.frequency_hz[::-1], self.holds[::-1]).boundary
        return None if ends is None else (ends[1], ends[0])


@dataclass(frozen=True)
class Words:
    """How one says that something holds, and that it does not.

    Parameters
    ----------
    yes, no : str
        Whole clauses: "a partial is there", "a partial is not there".
    it_does, it_does_not : str
        The same of what was named before: "it is", "it is not".
    """

    yes: str
    no: str
    it_does: str
    it_does_not: str


def sentence(pattern: Pattern, words: Words) -> str:
    """Say over which frequencies something holds, to follow "At the latent".

    Examples
    --------
    >>> words = Words("a partial is there", "a partial is not there", "it is", "it is not")
    >>> f = np.array([100.0, 200.0, 400.0, 800.0])
    >>> sentence(Pattern(f, np.array([1, 1, 0, -1])), words)
    'up to 200 Hz a partial is there; from 800 Hz on, it is not'
    >>> sentence(Pattern(f, np.array([-1, -1, -1, -1])), words)
    'a partial is not there at any frequency from 100 Hz to 800 Hz'
    >>> sentence(Pattern(f, np.array([1, 1, 0, 1])), words)
    'a partial is there at 3 of 4 frequencies from 100 Hz to 800 Hz; at the other it is open'
    """
    count, total = pattern.count, len(pattern.holds)
    if count[YES] == total:
        return f"{words.yes} {_all(pattern, 'every')}"
    if count[NO] == total:
        return f"{words.no} {_all(pattern, 'any')}"
    if count[OPEN] == total:
        return f"it is open {_all(pattern, 'every')} whether {words.yes}"
    if (ends := pattern.boundary) is not None:
        return f"{_below(pattern, ends)} {words.yes}; {_above(pattern, ends)}, {words.it_does_not}"
    if (ends := pattern.boundary_upwards) is not None:
        return f"{_below(pattern, ends)} {words.no}; {_above(pattern, ends)}, {words.it_does}"
    said = [f"{words.yes if count[YES] else words.no} at {count[YES] or count[NO]} of {_of(pattern)}"]
    if count[YES] and count[NO]:
        said.append(f"at {count[NO]} {words.it_does_not}")
    if count[OPEN]:
        said.append(f"{_others(pattern)} it is open")
    return "; ".join(said)


def clause(pattern: Pattern) -> str:
    """Say the same in a few words, to follow a question and a colon.

    Examples
    --------
    >>> f = np.array([100.0, 200.0, 400.0, 800.0])
    >>> clause(Pattern(f, np.array([1, 1, 1, 1]))), clause(Pattern(f, np.array([-1, -1, 1, 1])))
    ('everywhere from 100 Hz to 800 Hz', 'from 400 Hz on, not up to 200 Hz')
    >>> clause(Pattern(f, np.array([0, 0, 0, 0])))
    'open at every frequency from 100 Hz to 800 Hz'
    """
    count, total = pattern.count, len(pattern.holds)
    for kind, word in ((YES, "everywhere"), (NO, "nowhere")):
        if count[kind] == total:
            return f"{word} {_span(pattern)}"
    if count[OPEN] == total:
        return f"open {_all(pattern, 'every')}"
    if (ends := pattern.boundary) is not None:
        return f"{_below(pattern, ends)}, not {_above(pattern, ends)}"
    if (ends := pattern.boundary_upwards) is not None:
        return f"{_above(pattern, ends)}, not {_below(pattern, ends)}"
    said = [f"at {count[YES]} of {_of(pattern)}" if count[YES] else f"not at {count[NO]} of {_of(pattern)}"]
    said += [f"not at {count[NO]}"] * bool(count[YES] and count[NO])
    said += [f"open {_others(pattern)}"] * bool(count[OPEN])
    return ", ".join(said)


def shared(patterns: Sequence[Pattern]) -> str:
    """Say where something holds in several networks: "everywhere", "nowhere", or at how many frequencies.

    "nowhere beyond doubt" leaves open where it may hold.

    Examples
    --------
    >>> f = np.array([100.0, 200.0])
    >>> both, one = Pattern(f, np.array([1, 1])), Pattern(f, np.array([1, 0]))
    >>> shared([both, both]), shared([both, one]), shared([])
    ('everywhere', 'beyond doubt at 1 to 2 of 2 frequencies', '')
    """
    there = [one for one in patterns if len(one.holds)]
    if not there:
        return ""
    for kind, word in ((YES, "everywhere"), (NO, "nowhere")):
        if all(one.count[kind] == len(one.holds) for one in there):
            return word
    counts = sorted(one.count[YES] for one in there)
    if not counts[-1]:
        return "nowhere beyond doubt"
    number = f"{counts[0]}" if counts[0] == counts[-1] else f"{counts[0]} to {counts[-1]}"
    most = max(len(one.holds) for one in there)
    return f"beyond doubt at {number} of {counted(most, 'frequency', 'frequencies')}"


def _span(pattern: Pattern) -> str:
    low, high = (hertz(f) for f in (pattern.frequency_hz[0], pattern.frequency_hz[-1]))
    return f"from {low} to {high}" if low != high else f"at {low}"


def _all(pattern: Pattern, which: str) -> str:
    """Write that all frequencies are meant; a single one by itself."""
    return f"at {which} frequency {_span(pattern)}" if len(pattern.holds) > 1 else _span(pattern)


def _of(pattern: Pattern) -> str:
    return f"{counted(len(pattern.holds), 'frequency', 'frequencies')} {_span(pattern)}"


def _others(pattern: Pattern) -> str:
    """Name the frequencies that remain open."""
    left = pattern.count[OPEN]
    return "at the other" if left == 1 else f"at the other {left}"


def _below(pattern: Pattern, ends: tuple[float, float]) -> str:
    """Write the range up to the lower end of a boundary, with what is open in it."""
    return f"up to {hertz(ends[0])}{_doubt(pattern.holds[pattern.frequency_hz <= ends[0]])}"


def _above(pattern: Pattern, ends: tuple[float, float]) -> str:
    """Write the range from the upper end of a boundary on, with what is open in it."""
    return f"from {hertz(ends[1])} on{_doubt(pattern.holds[pattern.frequency_hz >= ends[1]])}"


def _doubt(holds: np.ndarray) -> str:
    is_open = int((holds == OPEN).sum())
    return f" ({is_open} of {len(holds)} frequencies open)" if is_open else ""
