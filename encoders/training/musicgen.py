"""Training of a MusicGen: the next column of a codec's codes, with or without what it is asked for."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from pathlib import Path

import torch
from safetensors.torch import save
from torch import Tensor, nn
from torch.nn import functional as F

from ..codec import codec_tiny
from ..musicgen.config import MusicGenConfig, metadata_of
from ..musicgen.decoder import ConditionedDecoder, logits_of, special_of
from ..musicgen.delay import delayed
from ..musicgen.named import inference_state, listening, musicgen_tiny
from ..weights import randomly_initialised
from .folder import claim, replace_file
from .labels import LabelledFile, find_labels
from .loop import Task, backpropagate, fit, usual_device, warmed_cosine
from .musicgen_card import card
from .musicgen_evaluation import MusicGenScores, evaluate
from .musicgen_material import CodedClip, MusicGenRecipe, batch, coded_clips, encode_corpus, factors_of

_WARM_STEPS = 200


def train_musicgen(
    corpus: str | Path,
    out: str | Path,
    config: MusicGenConfig | None = None,
    recipe: MusicGenRecipe | None = None,
    seed: int = 0,
    resume: bool = True,
    progress: bool = False,
) -> MusicGenScores:
    """Train a MusicGen to go on with the codes of a corpus, with or without being told of what.

    Writes into `out`: ``model.safetensors`` (float16), ``model.md`` (the card) and ``codes.npz`` (a stretch
    of every clip, with its factors) when done; ``log.csv`` and ``checkpoint.pt`` on the way; ``codes``, which
    may be deleted. An interrupted training goes on from its last checkpoint as if nothing had happened: every
    draw follows from seed and step. The weights are those of the last step; nothing held out chooses among
    them.

    Parameters
    ----------
    corpus : path
        Folder of audio with labels, which say what is for training; see `find_labels`. Factors are what its
        table tells of every clip: label (family), kind (texture), register and density.
    out : path
        Folder: new, empty, or that of an earlier training of the same recipe.
    config : MusicGenConfig, optional
        Its factors are the corpus's.
    recipe : MusicGenRecipe, optional
    seed : int
    resume : bool
        Go on from a checkpoint; otherwise start over.
    progress : bool
        Show what is left, and one line per fifty steps.

    Returns
    -------
    scores : MusicGenScores
        On what was held out; of the weights as they are stored.

    Raises
    ------
    InputError
        If corpus or audio cannot be used, its table tells no factors, transformers is not installed, `out`
        holds something else, or the training diverges.

    Notes
    -----
    Source: Copet et al., Simple and Controllable Music Generation, arXiv 2306.05284; factors take the place
    of text.
    """
    recipe, out, corpus = recipe or MusicGenRecipe(), Path(out), Path(corpus)
    found = find_labels(corpus)
    config = replace(config or MusicGenConfig(), factors=factors_of(found))
    codec = codec_tiny(codebooks=config.codebooks)
    identity = {
        "config": asdict(config),
        "recipe": asdict(recipe),
        "seed": seed,
        "codec": codec.weights.sha256,
        "files": _digest(found),
    }
    claim(out, identity, resume)
    clips = encode_corpus(found, codec, out / "codes", tuple(config.values), progress)
    task = MusicGenTask([c for c in clips if c.file.split == "training"], config, recipe, seed)
    fit(task, out, progress)
    weights = out / "model.safetensors"
    replace_file(weights, save(inference_state(task.model), metadata=metadata_of(config)))
    model = musicgen_tiny(weights)
    precise = listening("musicgen", task.model.cpu().eval(), config, "float32")
    scores = evaluate(model, precise, clips, seed, progress)
    text = card(weights, config, recipe, seed, clips, model.frame_rate_hz, scores, corpus)
    replace_file(out / "model.md", text.encode())
    replace_file(out / "codes.npz", coded_clips(clips, config, seed).stored())
    return scores


def losses(model: ConditionedDecoder, codes: Tensor, chosen: Tensor) -> Tensor:
    """Return the cross-entropy of each codebook, in nats a token, float32 [K].

    Parameters
    ----------
    model : ConditionedDecoder
    codes : int64 [B, K, T]
    chosen : int64 [B, factors]
    """
    special = special_of(model.decoder)
    columns = delayed(codes, special)
    logits = logits_of(model.decoder, columns[..., :-1], model.conditions(chosen)).float()
    wrong = F.cross_entropy(
        logits.movedim(-1, 1),  # [B, entries, K, S]
        columns[..., 1:].masked_fill(columns[..., 1:] == special, -100),
        reduction="none",
    )
    return wrong.sum((0, 2)) / (codes.shape[0] * codes.shape[2])


class MusicGenTask(Task):
    """Saying the next column.

    Parameters
    ----------
    clips : sequence of CodedClip
        To learn from.
    config : MusicGenConfig
    recipe : MusicGenRecipe
    seed : int
    """

    columns = ("loss", "first_codebook", "last_codebook", "gradient_norm")
    logged = 50
    stored = 250

    def __init__(
        self, clips: Sequence[CodedClip], config: MusicGenConfig, recipe: MusicGenRecipe, seed: int
    ) -> None:
        self.clips, self.config, self.recipe, self.seed = clips, config, recipe, seed
        self.rounds, self.device = recipe.steps, usual_device()
        model = randomly_initialised(lambda: ConditionedDecoder(config, recipe.dropout), seed)
        assert isinstance(model, ConditionedDecoder)
        self.model = model.to(self.device).train()
        self.requested = model.conditions.indices([clip.requested for clip in clips])
        self.optimizer = torch.optim.AdamW(
            _decayed(model, recipe.weight_decay), recipe.learning_rate, betas=(0.9, 0.95)
        )
        self.schedule = warmed_cosine(self.optimizer, recipe.steps, _WARM_STEPS)
        self.parts = {"model": model, "optimizer": self.optimizer, "schedule": self.schedule}

    def batches(self, number: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield the codes of a step, int64 [B, K, T], and what is asked for, int64 [B, factors]."""
        frames = self.config.context + 1 - self.config.codebooks  # the last column is only said, never heard
        yield batch(self.clips, self.requested, self.recipe, frames, self.seed, number)

    def step(self, batch: tuple[Tensor, Tensor], step: int) -> list[float]:
        """Take a step down."""
        codes, chosen = (tensor.to(self.device) for tensor in batch)
        each = losses(self.model, codes, chosen)
        loss = each.mean()
        backpropagate(loss, self.optimizer)
        norm = nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimizer.step()
        self.schedule.step()
        return [loss.item(), each[0].item(), each[-1].item(), float(norm)]


def _decayed(model: nn.Module, weight_decay: float) -> list[dict[str, object]]:
    """Return parameters in two groups: matrices decay, norms and tables of tokens do not."""
    tables = {id(table.weight) for table in model.modules() if isinstance(table, nn.Embedding)}
    every = list(model.parameters())
    decaying = [p for p in every if p.ndim > 1 and id(p) not in tables]
    others = [p for p in every if p.ndim <= 1 or id(p) in tables]
    return [{"params": decaying, "weight_decay": weight_decay}, {"params": others, "weight_decay": 0.0}]


def _digest(found: Sequence[LabelledFile]) -> str:
    rows = [(file.path.name, file.split, file.group, sorted(file.columns.items())) for file in found]
    return hashlib.sha256(repr(rows).encode()).hexdigest()
