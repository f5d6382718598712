"""Labels by a language model that listens to the clips that excite a feature most."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from ....synth.errors import InputError
from ...engine.progress import Progress
from .base import SILENT, Evidence, Label
from .clap import Clap
from .questions import Answer, AnswerFile, Chat, Unanswered, wav_bytes
from .top_clips import TopClips

PROMPT = (
    "These sounds have something in common. Answer with one JSON object and nothing else: "
    '{"label": what they have in common, in one to five words, "confidence": number from 0 to 1, '
    '"description": one sentence}.'
)
NO_LABEL = "no label: "


@dataclass(frozen=True)
class Endpoint:
    """Labels features with what a language model says of their top clips. Nothing is sent until it is used.

    Parameters
    ----------
    chat : Chat
        The server.
    answers : path
        File of JSON lines that answers are kept in. What it holds is not asked again, so that an interrupted
        labelling goes on where it was; unusable answers are kept as well (remove them to ask again).
    features : sequence of int, optional
        Those to be labelled, by default all that do not excite all clips alike: a question each.
    clips : int > 0
        Sounds in a question.
    random_questions : int >= 0
        Features of which the same is asked of clips drawn at random: chance.
    judge : Clap, optional
        Scores the labels on clips that they were not made from; without it none is kept.
    chosen : TopClips
        How many clips the judge scores, and how chance is found.
    prompt : str
    seed : int

    Raises
    ------
    InputError
        If a number is out of range.

    Notes
    -----
    The source's labels are made so, of ten clips: Singh, Cherep and Maes, "Discovering interpretable concepts
    in large generative music models", arXiv 2505.18186. How sure a model says it is is not how often it is
    right: compare the confidence with that of random clips.
    """

    chat: Chat
    answers: str | Path
    features: Sequence[int] | None = None
    clips: int = 5
    random_questions: int = 10
    judge: Clap | None = None
    chosen: TopClips = field(default_factory=TopClips)
    prompt: str = PROMPT
    seed: int = 0

    name = "language model"

    def __post_init__(self) -> None:
        if self.clips < 1 or self.random_questions < 0:
            numbers = f"clips {self.clips}, random_questions {self.random_questions}"
            raise InputError(f"endpoint: {numbers}; at least 1 and 0 or more allowed")

    def label(self, evidence: Evidence, progress: Progress = SILENT) -> list[Label]:
        """Return what the model says of each feature.

        Parameters
        ----------
        evidence : Evidence
            With sounds.
        progress : Progress

        Returns
        -------
        labels : list of Label
            In the order of features. `score` is the confidence, `baseline` that of random clips; with a judge
            the mean cosine with held-out top clips and with those of other groups. A feature whose answer
            could not be used has an empty text, and a note that says why; see `problems`.

        Raises
        ------
        InputError
            If the server does not answer (the answers so far are kept), a feature is not there, or the file
            of answers is not one.
        """
        active = {int(feature) for feature in evidence.active}
        features = sorted(active if self.features is None else set(self.features))
        for feature in features:
            if not 0 <= feature < evidence.activation.shape[1]:
                raise InputError(f"feature {feature}: 0 to {evidence.activation.shape[1] - 1} allowed")
        features = [feature for feature in features if feature in active]
        questions = list(self._questions(evidence, features))
        answers = self._asked(evidence, questions, progress)
        own = dict(zip(features, answers[: len(features)], strict=True))
        drawn = [(questions[i][0], answers[i]) for i in range(len(features), len(questions))]
        labels = _labels(self.name, own, drawn)
        return labels if self.judge is None else self._judged(self.judge, evidence, labels, progress)

    def _questions(self, evidence: Evidence, features: list[int]) -> Iterator[tuple[int, np.ndarray]]:
        """Yield every feature with its top clips, then some with clips at random."""
        for feature in features:
            yield feature, evidence.top(feature, evidence.found, self.clips)
        generator = np.random.default_rng(self.seed)
        for feature in generator.permutation(features)[: self.random_questions]:
            others = np.setdiff1d(evidence.found, evidence.top(int(feature), evidence.found, self.clips))
            if len(others):
                yield int(feature), generator.choice(others, min(self.clips, len(others)), replace=False)

    def _asked(
        self, evidence: Evidence, questions: list[tuple[int, np.ndarray]], progress: Progress
    ) -> list[Answer]:
        file, answers = AnswerFile(Path(self.answers)), []
        with progress.task("questions to a language model", len(questions)) as advance:
            for _, clips in questions:
                sounds = [wav_bytes(evidence.sound(int(clip)), evidence.sample_rate) for clip in clips]
                body = self.chat.body(self.prompt, sounds)
                question = self.chat.identity(body)
                if question not in file.answers:
                    try:
                        file.add(question, self.chat.ask(body))
                    except Unanswered as error:
                        done = f"{len(answers)} of {len(questions)} questions are answered"
                        raise InputError(
                            f"endpoint {self.chat.url}: no answer ({error}); {done} and kept in {file.path}: "
                            "run again to go on"
                        ) from None
                answers.append(file.answers[question])
                advance(1)
        return answers

    def _judged(
        self, judge: Clap, evidence: Evidence, labels: list[Label], progress: Progress
    ) -> list[Label]:
        """Score labels by the cosine of their texts with clips that they were not made from."""
        texts = tuple(dict.fromkeys(label.text for label in labels if label.text))
        if not texts:
            return labels
        said = judge.embed_sounds(evidence, progress) @ judge.embed_texts(texts).T
        named = [label for label in labels if label.text]
        features, rows = np.array([label.feature for label in named]), [texts.index(n.text) for n in named]
        scored = self.chosen.tested(
            evidence, said, features, np.array(rows), np.zeros(len(named)), texts, self.name, "cosine"
        )
        notes = {label.feature: f"confidence {label.score:.2f}; {label.note}" for label in named}
        judged = {
            label.feature: replace(
                label,
                factor="text",
                p=np.nan,
                note="; ".join(filter(None, [notes[label.feature], label.note])),
            )
            for label in scored
        }
        return [judged.get(label.feature, label) for label in labels]


def _labels(name: str, own: dict[int, Answer], drawn: list[tuple[int, Answer]]) -> list[Label]:
    """Put answers beside those to the same question about random clips."""
    sure = [answer.confidence for _, answer in drawn if answer.label]
    baseline = float(np.mean(sure)) if sure else np.nan
    asked = [(own[feature].label, answer.label) for feature, answer in drawn if own[feature].label]
    again = sum(mine.casefold() == other.casefold() for mine, other in asked)
    chance = f"random clips had the same label in {again} of {len(asked)} features"
    labels = []
    for feature, answer in own.items():
        note = f"{answer.description}; {chance}" if answer.description else chance
        if not answer.label:
            note = NO_LABEL + answer.problem
        labels.append(
            Label(feature, name, "text", answer.label, answer.confidence, "confidence", baseline, note=note)
        )
    return labels


def problems(labels: list[Label]) -> dict[str, int]:
    """Count the features without a label, by what was wrong with the answer.

    Examples
    --------
    >>> note = "no label: not JSON"
    >>> problems([Label(3, "language model", "text", "", np.nan, "confidence", 0.5, note=note)])
    {'not JSON': 1}
    """
    return dict(Counter(label.note.removeprefix(NO_LABEL) for label in labels if not label.text))
