"""Answers: what a run says to a question about an encoder, as a sentence, a clause and a place on a scale."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from .estimates import BASELINES, Estimate
from .writing import capitalised, enumerated, interval, written

SAME_SCALE = ("matched", "random")  # which random networks a sentence speaks of: the first that are there
WHOSE = {"matched": "random weights of the same scale", "random": "random weights"}


@dataclass(frozen=True)
class Scale:
    """The two ends of a measure: what a useless map gives, and a perfect one.

    Parameters
    ----------
    lowest, highest : float
        Their values, in `unit`.
    useless, perfect : str
        What they are: "guessing", "all found".
    unit : str
        As in `written`.
    log : bool
        Whether values are placed by their logarithm; the ends are given as they are.
    """

    lowest: float
    highest: float
    useless: str
    perfect: str
    unit: str = "1"
    log: bool = False

    def place(self, value: float) -> float:
        """Return where a value lies between the ends, 0 to 1.

        Examples
        --------
        >>> Scale(0.5, 1.0, "guessing", "certain").place(0.75)
        0.5
        """
        lowest, highest = self.lowest, self.highest
        if self.log:
            lowest, highest, value = (float(np.log(max(v, 1e-12))) for v in (lowest, highest, value))
        return float(np.clip((value - lowest) / (highest - lowest), 0, 1))


@dataclass(frozen=True)
class Answer:
    """What a run says to one question about one encoder.

    Parameters
    ----------
    stage : str
        Where; "" of what has no stages.
    sentence : str
        The answer, whole, as it stands alone: "At the latent a partial ...".
    clause : str
        The same after the question and the encoder's name: "up to 1.3 kHz, not from 1.6 kHz on".
    random : str
        What random networks give, as such a clause; empty without any.
    estimate : Estimate, optional
        The number behind it, with its interval.
    scale : Scale, optional
        Between which ends it lies.
    beside : mapping of str to sequence of Estimate
        The same number of the baselines, by kind.
    more : mapping of str to Estimate
        The same number of other things: pitches, chords.
    """

    stage: str
    sentence: str
    clause: str
    random: str = ""
    estimate: Estimate | None = None
    scale: Scale | None = None
    beside: Mapping[str, Sequence[Estimate]] = field(default_factory=dict)
    more: Mapping[str, Estimate] = field(default_factory=dict)


def at(stage: str) -> str:
    """Say where something was measured, as a sentence begins.

    Examples
    --------
    >>> at("stack_end"), at("layer_3")
    ('At the end of the convolution stack', 'At layer_3')
    """
    return f"At {place_name(stage)}"


def place_name(stage: str) -> str:
    """Name a stage within a sentence.

    Examples
    --------
    >>> place_name("first_layer"), place_name("quantized_2")
    ('the first layer', 'quantized_2')
    """
    return {
        "first_layer": "the first layer",
        "stack_end": "the end of the convolution stack",
        "latent": "the latent",
        "quantized": "the quantized latent",
        "codes": "the codes",
    }.get(stage, stage)


def yardstick(beside: Mapping[str, Sequence[object]]) -> str:
    """Return the kind of random networks that sentences speak of; "" where there is none.

    Examples
    --------
    >>> yardstick({"random": [1], "matched": [2], "permuted": [3]}), yardstick({"permuted": [3]})
    ('matched', '')
    """
    return next((kind for kind in SAME_SCALE if beside.get(kind)), "")


def network_words(kind: str, count: int) -> str:
    """Name random networks within a sentence, with their number where there is but one.

    Examples
    --------
    >>> network_words("matched", 3), network_words("random", 1)
    ('random weights of the same scale', 'random weights (one draw)')
    """
    return WHOSE[kind] + (" (one draw)" if count == 1 else "")


def beside_random(beside: Mapping[str, Sequence[Estimate]], unit: str) -> str:
    """Say what random networks give, as a clause; empty without any.

    Examples
    --------
    >>> beside_random({"matched": [Estimate(0.5, 0.4, 0.6), Estimate(0.7, 0.6, 0.8)]}, "1")
    'random weights of the same scale: 0.50 to 0.70'
    """
    kind = yardstick(beside)
    values = [one.value for one in beside.get(kind, ()) if one.is_there]
    return f"{network_words(kind, len(values))}: {interval(values, unit)}" if values else ""


def together(question: str, answers: Mapping[str, Answer]) -> str:
    """Say what a run answers to a question about one encoder, or about several in one sentence.

    Parameters
    ----------
    question : str
        With its question mark.
    answers : mapping of str to Answer
        By the encoder's name; at least one. Those that say the same share a clause.

    Examples
    --------
    >>> yes, no = Answer("latent", "It is there.", "yes"), Answer("latent", "It is not there.", "no")
    >>> together("Is it there?", {"a": yes})
    'It is there.'
    >>> together("Is it there?", {"a": yes, "b": no, "c": yes})
    'Is it there? At the latent, a and c: yes; b: no.'
    """
    if len(answers) == 1:
        return next(iter(answers.values())).sentence
    stages, randoms = ({getattr(one, name) for one in answers.values()} for name in ("stage", "random"))
    alike: dict[tuple[str, str, str], list[str]] = {}
    for name, one in answers.items():
        stage = f" at {place_name(one.stage)}" if one.stage and len(stages) > 1 else ""
        random = f" ({one.random})" if one.random and len(randoms) > 1 else ""
        alike.setdefault((stage, one.clause, random), []).append(name)
    said = [
        f"{enumerated(names)}{where}: {clause}{random}" for (where, clause, random), names in alike.items()
    ]
    stage, random = next(iter(stages)), next(iter(randoms))
    where = f" {at(stage)}," if stage and len(stages) == 1 else ""
    beside = f" {capitalised(random)}." if random and len(randoms) == 1 else ""
    return f"{question}{where} {'; '.join(said)}.{beside}"


def kinds_shown(beside: Mapping[str, Sequence[Estimate]]) -> dict[str, list[Estimate]]:
    """Return the baselines that have a value, by kind, those of no known kind as well."""
    known = [kind for kind in (*BASELINES, *beside) if kind in beside]
    found = {kind: [one for one in beside[kind] if one.is_there] for kind in dict.fromkeys(known)}
    return {kind: several for kind, several in found.items() if several}


def shown(one: Estimate, unit: str) -> str:
    """Write a number with its interval in its unit.

    Examples
    --------
    >>> shown(Estimate(0.5, 0.4, 0.6), "share"), shown(Estimate(0.5, float("nan"), float("nan")), "1")
    ('50 % (40 to 60 %)', '0.50')
    """
    ends = [one.low, one.high]
    return written(one.value, unit) + (f" ({interval(ends, unit)})" if np.isfinite(ends).all() else "")
