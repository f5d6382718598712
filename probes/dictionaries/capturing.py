"""Activations to disk, and dictionaries from there: what `tonotopy sae train` does."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from ...encoders.base import Encoder
from ..engine.progress import Progress
from ..engine.runtime import flushing_denormals, holding_memory
from .dictionary import Dictionary
from .files import write_dictionary
from .firing import rows_of
from .learning import Learning, stages_of
from .material import Clips, learning_clips, responses
from .store import ActivationStore, open_store
from .training import train_dictionary


def capture(
    encoder: Encoder, clips: Clips, stage: str, path: str | Path, tokens: int, progress: Progress
) -> ActivationStore:
    """Write what a stage gives of clips to a store, frame by frame; interrupted, it goes on where it stopped.

    Parameters
    ----------
    encoder : Encoder
    clips : Clips
    stage : str
    path : path
        Folder of the store: new, empty, or a half-written store of the same activations.
    tokens : int > 0
        Frames wanted; fewer where the clips have no more.
    progress : Progress

    Raises
    ------
    InputError
        If the folder holds something else, or an activation is not finite.
    """
    identity = _identity(encoder, clips, stage, tokens)
    store = ActivationStore.create(path, encoder.stages[stage].channels, identity)
    if store.finished:
        return store
    last = store.last or (-1, -1)
    label = f"{encoder.name}: activations at {stage}"
    with flushing_denormals(), holding_memory(), progress.task(label, tokens) as advance:
        advance(written := len(store))
        for start, inputs in clips.batches():
            if written >= tokens:
                break
            if start + len(inputs) <= last[0]:
                continue  # on disk already
            found = responses(encoder, inputs, [stage])[stage]
            frames = found.shape[2]
            number = np.repeat(start + np.arange(len(inputs)), frames)
            frame = np.tile(np.arange(frames), len(inputs))
            new = (number > last[0]) | ((number == last[0]) & (frame > last[1]))
            chosen = np.flatnonzero(new)[: tokens - written]
            store.append(rows_of(found)[chosen], number[chosen], frame[chosen])
            written += len(chosen)
            advance(len(chosen))
    store.finish()
    return open_store(path)


def train_dictionaries(
    encoder: Encoder,
    out: str | Path,
    learning: Learning,
    stages: Sequence[str] | None = None,
    seed: int = 0,
    resume: bool = True,
    progress: Progress | None = None,
) -> dict[str, Dictionary]:
    """Learn a dictionary of each stage of an encoder.

    Writes for every stage a folder of its name: ``activations``, a store that may be deleted afterwards,
    ``training`` and, when done, ``dictionary.safetensors``. Interrupted, it goes on where it stopped, and
    ends with the same bytes.

    Parameters
    ----------
    encoder : Encoder
    out : path
    learning : Learning
        `dictionary` is not used.
    stages : sequence of str, optional
        The layers of a residual stream, or the latent.
    seed : int
    resume : bool
        Go on from a checkpoint; otherwise the trainings start over.
    progress : Progress, optional

    Returns
    -------
    dictionaries : dict of str to Dictionary

    Raises
    ------
    InputError
        If a stage is not there or gives codes, there is nothing to learn from, or the folder holds another
        training.
    """
    out, progress = Path(out), progress or Progress(show=False)
    chosen = stages_of(encoder, stages)
    clips = learning_clips(encoder, learning.corpus or None, seed)
    found = {}
    for stage in chosen:
        store = capture(encoder, clips, stage, out / stage / "activations", learning.tokens, progress)
        recipe = learning.recipe()
        learnt = train_dictionary(store, out / stage / "training", recipe, seed, resume, progress.show)
        note = f"{recipe.steps} steps of {recipe.batch_size} from {len(store)} frames, seed {seed}"
        found[stage] = replace(learnt, origin=replace(learnt.origin, note=note))
        write_dictionary(found[stage], out / stage)
    return found


def _identity(encoder: Encoder, clips: Clips, stage: str, tokens: int) -> dict[str, object]:
    return {
        "model": encoder.name,
        "stage": stage,
        "weights_sha256": encoder.weights.sha256,
        "clips": hashlib.sha256(clips.inputs.numpy().tobytes()).hexdigest(),
        "tokens": tokens,
    }
