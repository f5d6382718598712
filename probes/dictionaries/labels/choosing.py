"""Labelers by name, as a person writes them on the command line."""

from __future__ import annotations

import re
from collections.abc import Sequence

from ....synth.errors import InputError
from .base import Labeler
from .clap import Clap
from .classifier import folder_classifier, samplecnn_classifier
from .endpoint import Endpoint
from .questions import Chat

KNOWN = "classifier, classifier:FOLDER, clap:FOLDER and endpoint:MODEL@URL"


def chosen_labelers(listed: str, texts: Sequence[str], features: Sequence[int]) -> tuple[Labeler, ...]:
    """Return labelers that listen, beside known truth, which always labels.

    Parameters
    ----------
    listed : str
        Apart by commas: ``classifier`` is the bundled SampleCNN, ``classifier:FOLDER`` any audio classifier
        that transformers saved, ``clap:FOLDER`` a CLAP, ``endpoint:MODEL@URL`` a language model; see `Chat`
        for its key. Answers of a language model are kept in ``labels-MODEL.jsonl`` in the working folder.
    texts : sequence of str
        What a CLAP chooses among.
    features : sequence of int
        Those that a language model is asked about.

    Raises
    ------
    InputError
        If one is not known, or cannot be used.

    Examples
    --------
    >>> [labeler.name for labeler in chosen_labelers("classifier", (), ())]
    ['samplecnn_tiny']
    """
    found: list[Labeler] = []
    for kind, rest in parsed(listed):
        if kind == "classifier":
            found.append(folder_classifier(rest) if rest else samplecnn_classifier())
        elif kind == "clap":
            found.append(Clap(rest, tuple(texts)))
        else:
            model, url = rest.split("@", 1)
            answers = f"labels-{re.sub('[^A-Za-z0-9.-]+', '-', model)}.jsonl"
            found.append(Endpoint(Chat(url, model), answers, features))
    names = [labeler.name for labeler in found]
    for name in names:
        if names.count(name) > 1:
            raise InputError(f"labelers {listed!r}: {name} is given twice")
    return tuple(found)


def parsed(listed: str) -> list[tuple[str, str]]:
    """Return kinds of labelers, each with what stands after the colon; nothing is loaded.

    Raises
    ------
    InputError
        If one is not known.

    Examples
    --------
    >>> parsed("classifier, clap:my_clap")
    [('classifier', ''), ('clap', 'my_clap')]
    """
    found = []
    for one in filter(None, (part.strip() for part in listed.split(","))):
        kind, colon, rest = one.partition(":")
        complete = {"classifier": bool(rest) or not colon, "clap": bool(rest), "endpoint": "@" in rest}
        if not complete.get(kind, False):
            raise InputError(f"labeler {one!r}: not known; there are {KNOWN}")
        found.append((kind, rest))
    return found
