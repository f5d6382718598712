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
    for one in filter(None, (part.strip() for part in listed.split(","))):
        kind, _, rest = one.partition(":")
        if one == "classifier":
            found.append(samplecnn_classifier())
        elif kind == "classifier" and rest:
            found.append(folder_classifier(rest))
        elif kind == "clap" and rest:
            found.append(Clap(rest, tuple(texts)))
        elif kind == "endpoint" and "@" in rest:
            model, url = rest.split("@", 1)
            answers = f"labels-{re.sub('[^A-Za-z0-9.-]+', '-', model)}.jsonl"
            found.append(Endpoint(Chat(url, model), answers, features))
        else:
            raise InputError(f"labeler {one!r}: not known; there are {KNOWN}")
    names = [labeler.name for labeler in found]
    for name in names:
        if names.count(name) > 1:
            raise InputError(f"labelers {listed!r}: {name} is given twice")
    return tuple(found)
