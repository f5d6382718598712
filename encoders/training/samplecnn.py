"""Training of SampleCNN as a tagger, from a folder of labelled audio."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save
from torch import Tensor, nn

from ...synth.errors import InputError
from ...synth.recordings import find_recordings
from ..samplecnn import TINY, SampleCNN, SampleCNNConfig, metadata_of
from ..weights import randomly_initialised
from .audio import store_audio
from .augment import augment
from .card import card
from .folder import claim, replace_file
from .labels import SPLITS, LabelledFile, find_labels
from .loop import Task, backpropagate, fit, usual_device, warmed_cosine
from .metrics import Score, score
from .recipe import Material, TrainingRecipe, crop_samples

_BATCH_SAMPLES = 1_500_000  # of whole recordings in one evaluation batch


def train_samplecnn(
    corpus: str | Path,
    out: str | Path,
    config: SampleCNNConfig = TINY,
    recipe: TrainingRecipe | None = None,
    background: str | Path | None = None,
    labels: str | Path | None = None,
    seed: int = 0,
    resume: bool = True,
    progress: bool = False,
) -> dict[str, Score]:
    """Train a SampleCNN to name the class of a recording.

    Writes into `out`: ``model.safetensors`` and ``model.md`` (the card) when done; ``log.csv`` and
    ``checkpoint.pt`` after every epoch; ``audio.i16``, the decoded corpus, which may be deleted. An
    interrupted training goes on from its last whole epoch as if nothing had happened: every draw
    follows from seed and epoch. The weights are those of the last epoch; no split chooses among them.

    Parameters
    ----------
    corpus : path
        Folder of audio with labels; see `find_labels`.
    out : path
        Folder: new, empty, or that of an earlier training of the same recipe.
    config : SampleCNNConfig
        The size; `n_classes` is taken from the labels.
    recipe : TrainingRecipe, optional
    background : path, optional
        Folder of unlabelled audio to mix in at low level.
    labels : path, optional
        Table of labels, where it does not lie in the corpus.
    seed : int
    resume : bool
        Go on from a checkpoint; otherwise start over.
    progress : bool
        Show bars and one line per epoch.

    Returns
    -------
    scores : {"validation": Score, "test": Score}
        For whole recordings; splits without recordings are left out.

    Raises
    ------
    InputError
        If labels or audio cannot be used, or `out` holds something else.

    Notes
    -----
    FMA small: unpack ``fma_small.zip`` and ``fma_metadata.zip`` into one folder, which is the corpus.
    The small network takes half a minute per epoch of 2,500 examples on one core; on two cores shared
    with other work, one thread (``OMP_NUM_THREADS=1``) was faster than two. The published size wants
    an accelerator, which is used where torch finds one.
    """
    recipe, out = recipe or TrainingRecipe(), Path(out)
    found = find_labels(corpus, labels)
    config = replace(config, n_classes=len({file.label for file in found if file.split == "training"}))
    background_files = [r.path for r in find_recordings(background)] if background is not None else []
    identity = {
        "config": asdict(config),
        "recipe": asdict(recipe),
        "seed": seed,
        "files": _digest(found, background_files),
    }
    claim(out, identity, resume)
    material = gather(found, config, out, background_files, progress)
    task = SampleCNNTask(material, config, recipe, seed)
    history, network = fit(task, out, progress), task.network
    scores = {name: evaluate(network, material, name) for name in SPLITS[1:] if len(material.split(name))}
    _finish(out, network, material, recipe, seed, history, scores, Path(corpus))
    return scores


def gather(
    found: list[LabelledFile],
    config: SampleCNNConfig,
    out: Path,
    background_files: list[Path],
    progress: bool = False,
) -> Material:
    """Decode what can be decoded; the rest is named, and fatal only if a class loses all it has."""
    store = store_audio([file.path for file in found], config.sample_rate, out / "audio.i16", progress)
    files = tuple(found[i] for i in store.kept)
    classes = sorted({file.label for file in found if file.split == "training"})
    for name in classes:
        if not any(file.label == name and file.split == "training" for file in files):
            raise InputError(f"class {name!r}: none of its training recordings can be used")
    background = None
    if background_files:
        background = store_audio(background_files, config.sample_rate, out / "background.i16", progress)
    return Material(tuple(classes), store, files, background)


def batches(
    material: Material, recipe: TrainingRecipe, length: int, seed: int, epoch: int
) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield one epoch of examples [B, 1, T] and class indices [B]; they follow from seed and epoch."""
    rng = np.random.default_rng([seed, epoch])
    targets, mine = material.targets, material.split("training")
    per_class = np.bincount(targets[mine], minlength=len(material.classes))
    drawn = rng.choice(mine, size=len(mine), p=1 / (len(material.classes) * per_class[targets[mine]]))
    for start in range(0, len(drawn) - 1, recipe.batch_size):  # never a batch of one: it has no batch norm
        chosen = drawn[start : start + recipe.batch_size]
        crops = [material.store.crop(int(i), length, rng) for i in chosen]
        examples = np.stack([augment(crop, recipe.augmentation, material.background, rng) for crop in crops])
        yield torch.from_numpy(examples)[:, None], torch.from_numpy(targets[chosen])


class SampleCNNTask(Task):
    """Naming the class of crops, varied by background, noise and level.

    Parameters
    ----------
    material : Material
    config : SampleCNNConfig
    recipe : TrainingRecipe
    seed : int
    """

    unit = "epoch"
    columns = ("loss", "accuracy", "validation_accuracy")
    evaluated = 5

    def __init__(
        self, material: Material, config: SampleCNNConfig, recipe: TrainingRecipe, seed: int
    ) -> None:
        self.material, self.recipe, self.seed = material, recipe, seed
        self.device = usual_device()
        network = randomly_initialised(lambda: SampleCNN(config), seed).to(self.device)
        assert isinstance(network, SampleCNN)
        self.network = network.train()
        self.rounds = recipe.epochs
        self.steps_per_round = math.ceil((len(material.split("training")) - 1) / recipe.batch_size)
        self.optimizer = torch.optim.AdamW(
            network.parameters(), recipe.learning_rate, weight_decay=recipe.weight_decay
        )
        self.schedule = warmed_cosine(self.optimizer, self.rounds * self.steps_per_round)
        self.parts = {"network": network, "optimizer": self.optimizer, "schedule": self.schedule}

    def batches(self, number: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield the examples [B, 1, T] and class indices [B] of an epoch."""
        length = crop_samples(self.network.config)
        return batches(self.material, self.recipe, length, self.seed, number)

    def step(self, batch: tuple[Tensor, Tensor], step: int) -> tuple[float, int, int]:
        """Return the loss, how many examples were named rightly, and how many there were."""
        examples, targets = (tensor.to(self.device) for tensor in batch)
        scores = self.network(examples)  # [B, n_classes]
        loss = nn.functional.cross_entropy(scores, targets)
        backpropagate(loss, self.optimizer)
        self.optimizer.step()
        self.schedule.step()
        return float(loss.detach()), int((scores.argmax(dim=1) == targets).sum()), len(targets)

    def summary(self, rows: Sequence[Sequence[float]]) -> dict[str, float]:
        """Return the mean loss, and the share of all examples that were named rightly."""
        losses, right, examples = zip(*rows, strict=True)
        return {"loss": float(np.mean(losses)), "accuracy": sum(right) / sum(examples)}

    def evaluate(self) -> dict[str, float]:
        """Return the accuracy on whole recordings of the validation split, if it has any."""
        if not len(self.material.split("validation")):
            return {}
        accuracy = evaluate(self.network, self.material, "validation").accuracy
        self.network.train()
        return {"validation_accuracy": accuracy}


@torch.no_grad()
def evaluate(network: SampleCNN, material: Material, split: str) -> Score:
    """Let the network name whole recordings of a split."""
    network.eval()
    device = next(network.parameters()).device
    chosen = material.split(split)
    least = crop_samples(network.config)
    lengths = np.maximum(np.diff(material.store.first)[chosen], least)
    named = np.zeros(len(chosen), dtype=np.int64)
    for length in np.unique(lengths):
        same = np.flatnonzero(lengths == length)
        size = max(1, _BATCH_SAMPLES // int(length))
        for part in np.split(same, range(size, len(same), size)):
            waveforms = np.stack([material.store.whole(int(chosen[i]), least) for i in part])
            named[part] = network(torch.from_numpy(waveforms)[:, None].to(device)).argmax(dim=1).cpu().numpy()
    groups = [material.files[i].group for i in chosen]
    return score(material.targets[chosen], named, len(material.classes), groups)


def _digest(found: list[LabelledFile], background_files: list[Path]) -> str:
    rows = [(file.path.name, file.label, file.split, file.group) for file in found]
    return hashlib.sha256(repr((rows, [path.name for path in background_files])).encode()).hexdigest()


def _finish(
    out: Path,
    network: SampleCNN,
    material: Material,
    recipe: TrainingRecipe,
    seed: int,
    history: list[dict[str, float]],
    scores: dict[str, Score],
    corpus: Path,
) -> None:
    state = {name: tensor.detach().cpu().contiguous() for name, tensor in network.state_dict().items()}
    content = save(state, metadata=metadata_of(network.config, material.classes))
    replace_file(out / "model.safetensors", content)
    text = card(out / "model.safetensors", network.config, material, recipe, seed, history, scores, corpus)
    replace_file(out / "model.md", text.encode())
