"""One line of the table that `make bench` prints."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    """A ratio measured in one run, beside its goal.

    `ratio` is how many times better we are (goal: at least), or, with `at_most`, how much more we
    take than the reference (goal: at most).
    """

    what: str
    ours: str
    reference: str
    ratio: float
    goal: float
    at_most: bool = False

    @property
    def met(self) -> bool:
        return self.ratio <= self.goal if self.at_most else self.ratio >= self.goal

    def __str__(self) -> str:
        goal = f"{'at most' if self.at_most else 'at least'} {self.goal:g}"
        verdict = "met" if self.met else "MISSED"
        return f"{self.what:58} {self.ours:>22} {self.reference:>26} {self.ratio:8.3g}  {goal:14} {verdict}"
