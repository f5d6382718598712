"""Training of a SEANet codec: waveform, mel spectra, and codebooks that follow the latents."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save
from torch import Tensor, nn

from ...synth.recordings import find_recordings
from ..codec import TINY, CodecConfig, build, inference_state, metadata_of
from ..weights import randomly_initialised
from .codec_card import card
from .codec_evaluation import CodecScores, evaluate, held_out
from .codec_material import CodecMaterial, CodecRecipe, gather, segment_samples, segments, split_recordings
from .fidelity import MelSpectra, mel_distance
from .folder import claim, replace_file
from .labels import LabelledFile, find_labels
from .loop import Task, backpropagate, fit, usual_device, warmed_cosine

_WARM_STEPS = 200
_OUTPUT_RMS = 0.03  # of the decoder before it has learnt anything
_REPLACED_SIZE = 0.5  # of the mean: what a replaced entry is taken to have been used


def train_codec(
    corpus: str | Path,
    out: str | Path,
    config: CodecConfig = TINY,
    recipe: CodecRecipe | None = None,
    recordings: str | Path | None = None,
    seed: int = 0,
    resume: bool = True,
    progress: bool = False,
) -> CodecScores:
    """Train a codec to give sounds back through its codes.

    Writes into `out`: ``model.safetensors`` (float16) and ``model.md`` (the card) when done; ``log.csv``
    and ``checkpoint.pt`` on the way; ``*.i16``, the decoded audio, which may be deleted. An interrupted
    training goes on from its last checkpoint as if nothing had happened: every draw follows from seed
    and step. The weights are those of the last step; nothing held out chooses among them.

    Parameters
    ----------
    corpus : path
        Folder of audio with labels, which say what is for training; see `find_labels`.
    out : path
        Folder: new, empty, or that of an earlier training of the same recipe.
    config : CodecConfig
    recipe : CodecRecipe, optional
    recordings : path, optional
        Folder of recordings to learn from as well; every fourth is held out.
    seed : int
    resume : bool
        Go on from a checkpoint; otherwise start over.
    progress : bool
        Show what is left, and one line per hundred steps.

    Returns
    -------
    scores : CodecScores
        On what was held out; of the weights as they are stored.

    Raises
    ------
    InputError
        If corpus or audio cannot be used, `out` holds something else, or the training diverges.

    Notes
    -----
    The losses are those of EnCodec without its discriminators: a waveform loss (here error over
    signal, in dB, so that quiet segments count as loud ones do), mel spectra at several window
    lengths, and commitment. Two things differ because the training is short. Convolutions are scaled
    once on data, before the first step: under torch's own initialisation a sound fades below the
    biases within a few layers. And dead entries are replaced by what the batch leaves to quantize:
    the encodec package's own replacement is undone by the update that follows it.

    Source: Défossez et al., High Fidelity Neural Audio Compression, arXiv 2210.13438.
    """
    recipe, out = recipe or CodecRecipe(), Path(out)
    found = find_labels(corpus)
    others = [r.path for r in find_recordings(recordings)] if recordings is not None else []
    learnt, kept = split_recordings(others)
    identity = {
        "config": asdict(config),
        "recipe": asdict(recipe),
        "seed": seed,
        "files": _digest(found, others),
    }
    segment_samples(config, recipe)  # raises before anything is written
    claim(out, identity, resume)
    material = gather(found, learnt, config.sample_rate, out, progress)
    task = CodecTask(material, config, recipe, seed)
    fit(task, out, progress)
    codec = task.codec.cpu().eval()
    state = inference_state(codec)
    replace_file(out / "model.safetensors", save(state, metadata=metadata_of(config)))
    test = held_out(found, kept, config.sample_rate, out, progress)
    scores = evaluate(out / "model.safetensors", codec, test, seed, progress)
    text = card(out / "model.safetensors", config, recipe, seed, material, test, scores, Path(corpus))
    replace_file(out / "model.md", text.encode())
    return scores


def calibrate(codec: nn.Module, waveforms: Tensor) -> None:
    """Scale every convolution so that its output has unit variance on waveforms [B, T]; biases become 0."""
    model: Any = codec
    convolutions = [m for m in codec.modules() if isinstance(m, (nn.Conv1d, nn.ConvTranspose1d))]

    def scale(module: Any, _inputs: Any, output: Tensor) -> Tensor:
        output = output - module.bias[:, None]
        module.bias.zero_()
        gain = output.std() / (_OUTPUT_RMS if module is convolutions[-1] else 1.0)
        module.weight_g /= gain
        return output / gain

    handles = [module.register_forward_hook(scale) for module in convolutions]
    with torch.no_grad():
        model.decoder(model.encoder(waveforms[:, None]))
    for handle in handles:
        handle.remove()


def quantize(codec: nn.Module, latent: Tensor, counts: Tensor) -> tuple[Tensor, Tensor, list[Tensor]]:
    """Quantize latents while the codebooks learn (all of them, from all examples).

    Parameters
    ----------
    codec : encodec.model.EncodecModel
        In training mode; its codebooks are updated.
    latent : float32 [B, D, F]
    counts : int64 [B]
        From how many codebooks each example is decoded.

    Returns
    -------
    quantized : float32 [B, D, F]
        Gradients go straight through to the latent.
    commitment : float32, one number
        Squared distance of what was quantized from its entry, over the codebooks in use.
    residuals : list of float32 [B * F, D]
        What each codebook was given.
    """
    model: Any = codec
    residual, total, commitment, residuals = latent, torch.zeros_like(latent), latent.new_zeros(()), []
    for number, layer in enumerate(model.quantizer.vq.layers):
        vectors = residual.detach().transpose(1, 2)
        with torch.no_grad():
            nearest, _ = layer._codebook(vectors)  # [B, F, D]
        nearest = nearest.transpose(1, 2)
        used = (counts > number).to(latent)[:, None, None]
        commitment = commitment + (used * (residual - nearest).square()).mean()
        total = total + used * nearest
        residual = residual - nearest
        residuals.append(vectors.flatten(0, 1))
    return latent + (total - latent).detach(), commitment, residuals


def replace_dead(codec: nn.Module, residuals: Sequence[Tensor], share: float) -> int:
    """Replace entries used less than `share` of the mean by random residuals [N, D]; return how many."""
    model: Any = codec
    replaced = 0
    for layer, vectors in zip(model.quantizer.vq.layers, residuals, strict=True):
        book = layer._codebook
        mean = book.cluster_size.mean()
        dead = book.cluster_size < share * mean
        count = int(dead.sum())
        if count:
            drawn = vectors[torch.randint(len(vectors), (count,))]
            book.embed[dead] = drawn
            book.embed_avg[dead] = drawn * (_REPLACED_SIZE * mean)
            book.cluster_size[dead] = _REPLACED_SIZE * mean
            replaced += count
    return replaced


def losses(mel: MelSpectra, original: Tensor, decoded: Tensor) -> tuple[Tensor, Tensor]:
    """Return error over signal in units of 10 dB (at least -3) and mel distance of [B, T] sounds.

    Both sounds are divided by the original's RMS.
    """
    rms = original.square().mean(1, keepdim=True).sqrt().clamp(min=1e-4)
    original, decoded = original / rms, decoded / rms
    error = torch.log10((original - decoded).square().mean(1) + 1e-3)
    return error.mean(), mel_distance(mel, original, decoded)


class CodecTask(Task):
    """Giving sounds back through their codes.

    Parameters
    ----------
    material : CodecMaterial
    config : CodecConfig
    recipe : CodecRecipe
    seed : int
    """

    columns = (
        "loss",
        "snr_db",
        "mel_distance",
        "commitment",
        "replaced_entries",
        "gradient_norm",
        "latent_rms",
    )
    logged = 100
    stored = 500

    def __init__(self, material: CodecMaterial, config: CodecConfig, recipe: CodecRecipe, seed: int) -> None:
        self.material, self.config, self.recipe, self.seed = material, config, recipe, seed
        self.rounds, self.device = recipe.steps, usual_device()
        codec = randomly_initialised(lambda: build(config), seed)
        first = [segments(material, config, recipe, seed, recipe.steps + n)[0] for n in (0, 1)]
        calibrate(codec, torch.cat(first))
        self.codec: Any = codec.to(self.device).train()
        self.mel = MelSpectra(config.sample_rate).to(self.device)
        self.optimizer = torch.optim.AdamW(
            codec.parameters(), recipe.learning_rate, betas=(0.8, 0.99), weight_decay=1e-4
        )
        self.schedule = warmed_cosine(self.optimizer, recipe.steps, _WARM_STEPS)
        self.parts = {"codec": codec, "optimizer": self.optimizer, "schedule": self.schedule}

    def batches(self, number: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield the waveforms [B, T] of a step, and how many codebooks each is decoded from [B]."""
        yield segments(self.material, self.config, self.recipe, self.seed, number)

    def step(self, batch: tuple[Tensor, Tensor], step: int) -> list[float]:
        """Take a step down; the codebooks follow the latents, first entries and replaced ones are drawn."""
        recipe, (waveforms, counts) = self.recipe, (tensor.to(self.device) for tensor in batch)
        latent = self.codec.encoder(waveforms[:, None])
        given, commitment, residuals = latent, latent.new_zeros(()), []
        if quantized := step >= recipe.unquantized_steps:
            given, commitment, residuals = quantize(self.codec, latent, counts)
        error, distance = losses(self.mel, waveforms, self.codec.decoder(given)[:, 0])
        loss = recipe.waveform_weight * error + recipe.mel_weight * distance
        loss = loss + recipe.commitment_weight * commitment
        backpropagate(loss, self.optimizer)
        norm = nn.utils.clip_grad_norm_(self.codec.parameters(), 1.0)
        self.optimizer.step()
        self.schedule.step()
        replaced = replace_dead(self.codec, residuals, recipe.dead_share) if quantized else 0
        logged = (loss, -10 * error, distance, commitment, norm, latent.square().mean().sqrt())
        loss_, snr_db, distance_, commitment_, norm_, rms = (float(value.detach()) for value in logged)
        return [loss_, snr_db, distance_, commitment_, replaced, norm_, rms]


def _digest(found: Sequence[LabelledFile], others: Sequence[Path]) -> str:
    rows = [(file.path.name, file.label, file.split, file.group) for file in found]
    return hashlib.sha256(repr((rows, [path.name for path in others])).encode()).hexdigest()
