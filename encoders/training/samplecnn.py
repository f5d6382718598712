"""Training of SampleCNN as a tagger, from a folder of labelled audio."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator
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
from .folder import claim, learning_rate_at, read_checkpoint, replace_file, write_checkpoint, write_log
from .labels import SPLITS, LabelledFile, find_labels
from .metrics import Score, score
from .recipe import Material, TrainingRecipe, crop_samples

_VALIDATED = 5  # validation takes every fifth epoch, and the last
_LOGGED: tuple[str, ...] = ("epoch", "loss", "accuracy", "validation_accuracy")
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
    company = [r.path for r in find_recordings(background)] if background is not None else []
    identity = {
        "config": asdict(config),
        "recipe": asdict(recipe),
        "seed": seed,
        "files": _digest(found, company),
    }
    claim(out, identity, resume)
    material = gather(found, config, out, company, progress)
    network, history = _fit(material, config, recipe, seed, out, progress)
    scores = {name: evaluate(network, material, name) for name in SPLITS[1:] if len(material.split(name))}
    _finish(out, network, material, recipe, seed, history, scores, Path(corpus))
    return scores


def gather(
    found: list[LabelledFile], config: SampleCNNConfig, out: Path, company: list[Path], progress: bool = False
) -> Material:
    """Decode what can be decoded; the rest is named, and fatal only if a class loses all it has."""
    store = store_audio([file.path for file in found], config.sample_rate, out / "audio.i16", progress)
    files = tuple(found[i] for i in store.kept)
    classes = sorted({file.label for file in found if file.split == "training"})
    for name in classes:
        if not any(file.label == name and file.split == "training" for file in files):
            raise InputError(f"class {name!r}: none of its training recordings can be used")
    background = None
    if company:
        background = store_audio(company, config.sample_rate, out / "background.i16", progress)
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


def _fit(
    material: Material, config: SampleCNNConfig, recipe: TrainingRecipe, seed: int, out: Path, progress: bool
) -> tuple[SampleCNN, list[dict[str, float]]]:
    from rich.console import Console
    from rich.progress import track

    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    network = randomly_initialised(lambda: SampleCNN(config), seed).to(device)
    assert isinstance(network, SampleCNN)
    optimizer = torch.optim.AdamW(
        network.parameters(), recipe.learning_rate, weight_decay=recipe.weight_decay
    )
    history = _restore(out, network, optimizer)
    per_epoch = math.ceil((len(material.split("training")) - 1) / recipe.batch_size)
    console = Console()
    for epoch in range(len(history), recipe.epochs):
        bar = track(
            batches(material, recipe, crop_samples(config), seed, epoch),
            f"epoch {epoch + 1}/{recipe.epochs}",
            total=per_epoch,
            transient=True,
            disable=not (progress and console.is_terminal),
        )
        network.train()
        losses, hits, n_heard = [], 0, 0
        with torch.random.fork_rng():  # dropout
            torch.manual_seed((seed * 1_000_003 + epoch) % 2**63)
            for number, (examples, targets) in enumerate(bar):
                rate = learning_rate_at(
                    epoch * per_epoch + number, recipe.epochs * per_epoch, recipe.learning_rate
                )
                scores = _step(network, optimizer, examples.to(device), targets.to(device), rate)
                losses.append(scores[0])
                hits, n_heard = hits + scores[1], n_heard + len(targets)
        row: dict[str, float] = {
            "epoch": epoch + 1,
            "loss": float(np.mean(losses)),
            "accuracy": hits / n_heard,
        }
        if len(material.split("validation")) and (
            epoch % _VALIDATED == _VALIDATED - 1 or epoch + 1 == recipe.epochs
        ):
            row["validation_accuracy"] = evaluate(network, material, "validation").accuracy
        history.append(row)
        state = {"network": network.state_dict(), "optimizer": optimizer.state_dict(), "history": history}
        write_checkpoint(out, state)
        write_log(out, _LOGGED, history)
        if progress:
            console.print("  ".join(f"{k} {v:g}" if k == "epoch" else f"{k} {v:.4f}" for k, v in row.items()))
    return network, history


def _step(
    network: SampleCNN, optimizer: torch.optim.Optimizer, examples: Tensor, targets: Tensor, rate: float
) -> tuple[float, int]:
    """One step down; return the loss and how many examples were named rightly."""
    for group in optimizer.param_groups:
        group["lr"] = rate
    scores = network(examples)  # [B, n_classes]
    loss = nn.functional.cross_entropy(scores, targets)
    if not torch.isfinite(loss):
        raise InputError(
            f"training diverged: loss {loss.item()} at learning rate {rate:g}: choose a lower one"
        )
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return float(loss.detach()), int((scores.argmax(dim=1) == targets).sum())


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
            heard = np.stack([material.store.whole(int(chosen[i]), least) for i in part])
            named[part] = network(torch.from_numpy(heard)[:, None].to(device)).argmax(dim=1).cpu().numpy()
    groups = [material.files[i].group for i in chosen]
    return score(material.targets[chosen], named, len(material.classes), groups)


def _digest(found: list[LabelledFile], company: list[Path]) -> str:
    rows = [(file.path.name, file.label, file.split, file.group) for file in found]
    return hashlib.sha256(repr((rows, [path.name for path in company])).encode()).hexdigest()


def _restore(out: Path, network: SampleCNN, optimizer: torch.optim.Optimizer) -> list[dict[str, float]]:
    stored = read_checkpoint(out)
    if stored is None:
        return []
    network.load_state_dict(stored["network"])
    optimizer.load_state_dict(stored["optimizer"])
    return stored["history"]


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
