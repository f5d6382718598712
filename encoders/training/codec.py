"""Training of a SEANet codec: waveform, mel spectra, and codebooks that follow the latents."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save
from torch import Tensor, nn

from ...synth.errors import InputError
from ...synth.recordings import find_recordings
from ..codec import TINY, CodecConfig, build, inference_state, metadata_of
from ..weights import randomly_initialised
from .codec_card import card
from .codec_evaluation import CodecScores, evaluate, held_out
from .codec_material import CodecMaterial, CodecRecipe, gather, segment_samples, segments, split_recordings
from .fidelity import MelSpectra, mel_distance
from .folder import claim, learning_rate_at, read_checkpoint, replace_file, write_checkpoint, write_log
from .labels import LabelledFile, find_labels

_WARM_STEPS = 200
_LOGGED_STEPS, _STORED_STEPS = 100, 500
_COLUMNS = ("loss", "snr_db", "mel_distance", "commitment", "replaced_entries", "gradient_norm", "latent_rms")
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
    codec = _fit(material, config, recipe, seed, out, progress)
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


def _fit(
    material: CodecMaterial, config: CodecConfig, recipe: CodecRecipe, seed: int, out: Path, progress: bool
) -> nn.Module:
    from rich.console import Console

    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    codec = randomly_initialised(lambda: build(config), seed)
    first = [segments(material, config, recipe, seed, recipe.steps + n)[0] for n in (0, 1)]
    calibrate(codec, torch.cat(first))
    codec.to(device).train()
    mel = MelSpectra(config.sample_rate).to(device)
    optimizer = torch.optim.AdamW(
        codec.parameters(), recipe.learning_rate, betas=(0.8, 0.99), weight_decay=1e-4
    )
    start, history, rows = 0, [], []
    if stored := read_checkpoint(out):
        codec.load_state_dict(stored["codec"])
        optimizer.load_state_dict(stored["optimizer"])
        start, history, rows = stored["step"], stored["history"], stored["rows"]
    console, began = Console(), time.monotonic()
    for step in range(start, recipe.steps):
        waveforms, counts = segments(material, config, recipe, seed, step)
        for group in optimizer.param_groups:
            group["lr"] = learning_rate_at(
                step, recipe.steps, recipe.learning_rate, min(_WARM_STEPS, recipe.steps // 20)
            )
        with torch.random.fork_rng():  # first entries of codebooks, and replaced ones
            torch.manual_seed((seed * 1_000_003 + step) % 2**63)
            quantized = step >= recipe.unquantized_steps
            rows.append(
                _step(codec, mel, optimizer, waveforms.to(device), counts.to(device), recipe, quantized)
            )
        done, last = step + 1, step + 1 == recipe.steps
        if done % _LOGGED_STEPS == 0 or last:
            history.append({"step": done, **dict(zip(_COLUMNS, np.mean(rows, axis=0).tolist(), strict=True))})
            rows = []
            if progress:
                left_min = (time.monotonic() - began) / (done - start) * (recipe.steps - done) / 60
                console.print(_line(history[-1], recipe.steps, left_min), highlight=False)
        if done % _STORED_STEPS == 0 or last:
            state = {"codec": codec.state_dict(), "optimizer": optimizer.state_dict()}
            write_checkpoint(out, state | {"step": done, "history": history, "rows": rows})
            write_log(out, ("step", *_COLUMNS), history)
    return codec.cpu().eval()


def _step(
    codec: nn.Module,
    mel: MelSpectra,
    optimizer: torch.optim.Optimizer,
    waveforms: Tensor,
    counts: Tensor,
    recipe: CodecRecipe,
    quantized: bool,
) -> list[float]:
    """One step down; return what is logged."""
    model: Any = codec
    latent = model.encoder(waveforms[:, None])
    heard, commitment, residuals = latent, latent.new_zeros(()), []
    if quantized:
        heard, commitment, residuals = quantize(codec, latent, counts)
    error, distance = losses(mel, waveforms, model.decoder(heard)[:, 0])
    loss = (
        recipe.waveform_weight * error + recipe.mel_weight * distance + recipe.commitment_weight * commitment
    )
    if not torch.isfinite(loss):
        rate = optimizer.param_groups[0]["lr"]
        raise InputError(
            f"training diverged: loss {loss.item()} at learning rate {rate:g}: choose a lower one"
        )
    optimizer.zero_grad()
    loss.backward()
    norm = nn.utils.clip_grad_norm_(codec.parameters(), 1.0)
    optimizer.step()
    replaced = replace_dead(codec, residuals, recipe.dead_share) if quantized else 0
    logged = (loss, -10 * error, distance, commitment, norm, latent.square().mean().sqrt())
    loss_, snr_db, distance_, commitment_, norm_, rms = (float(value.detach()) for value in logged)
    return [loss_, snr_db, distance_, commitment_, replaced, norm_, rms]


def _line(row: dict[str, float], steps: int, left_min: float) -> str:
    return (
        f"step {row['step']:,} of {steps:,}  loss {row['loss']:.3f}  SNR {row['snr_db']:.2f} dB  "
        f"mel {row['mel_distance']:.3f}  commitment {row['commitment']:.3f}  {left_min:.0f} min left"
    )


def _digest(found: Sequence[LabelledFile], others: Sequence[Path]) -> str:
    rows = [(file.path.name, file.label, file.split, file.group) for file in found]
    return hashlib.sha256(repr((rows, [path.name for path in others])).encode()).hexdigest()
