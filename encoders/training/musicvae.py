"""Training of a MusicVAE: what it gives back against how much its latents must hold."""

from __future__ import annotations

import io
import math
import time
from dataclasses import asdict
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save
from torch import Tensor, nn
from torch.nn import functional as F

from ...synth.errors import InputError
from ...synth.melodies import CLASSES
from ...synth.melody_material import Material
from ..musicvae.config import TINY, MusicVAEConfig, metadata_of
from ..musicvae.lstm import LSTMLayer
from ..musicvae.model import Decoder, MusicVAE, drawn, one_hot
from ..musicvae.named import inference_state
from ..weights import randomly_initialised
from .folder import claim, learning_rate_at, read_checkpoint, replace_file, write_checkpoint, write_log
from .musicvae_card import card
from .musicvae_evaluation import MusicVAEScores, evaluate
from .musicvae_material import MelodyMaterial, MusicVAERecipe, batch
from .precision import precision_of

_WARM_STEPS = 100
_HELD_OUT = 5_000  # melodies
_LOGGED_STEPS, _STORED_STEPS = 100, 1_000
_COLUMNS = ("loss", "cross_entropy", "divergence", "beta", "sampled_share", "gradient_norm")
_FIRST_DEVIATION_BIAS, _FIRST_MEAN_WEIGHT = -3.0, 0.06
_DEVIATION_ONE = math.log(math.e - 1)  # of which the softplus is 1


def train_musicvae(
    material: MelodyMaterial,
    out: str | Path,
    config: MusicVAEConfig = TINY,
    recipe: MusicVAERecipe | None = None,
    seed: int = 0,
    resume: bool = True,
    progress: bool = False,
) -> MusicVAEScores:
    """Train a MusicVAE to give melodies back through its latents.

    Writes into `out`: ``model.safetensors`` (float16), ``model.md`` (the card) and ``heldout.npz`` (written
    melodies of the test) when done; ``log.csv`` and ``checkpoint.pt`` on the way. An interrupted training
    goes on from its last checkpoint as if nothing had happened: every draw follows from seed and step. The
    weights are those of the last step; nothing held out chooses among them.

    Parameters
    ----------
    material : MelodyMaterial
        As `gather_melodies` finds it.
    out : path
        Folder: new, empty, or that of an earlier training of the same recipe.
    config : MusicVAEConfig
    recipe : MusicVAERecipe, optional
    seed : int
    resume : bool
        Go on from a checkpoint; otherwise start over.
    progress : bool
        Show what is left, one line per hundred steps.

    Returns
    -------
    scores : MusicVAEScores
        On the test melodies; of the weights as they are stored.

    Raises
    ------
    InputError
        If the melodies are of another length, `out` holds something else, or the training diverges.

    Notes
    -----
    The loss is Magenta's: cross-entropy summed over steps, and beta times what the divergence from the
    prior exceeds the free bits by, both in nats and averaged over melodies; beta rises, and the decoder is
    more and more often given what it drew itself. Three things begin elsewhere because the training is
    short (`prepare`), it starts on excerpts, and the learning rate falls by a cosine.

    Source: Roberts et al., A Hierarchical Latent Vector Model for Learning Long-Term Structure in Music,
    arXiv 1803.05428, and Magenta's published configurations.
    """
    recipe, out = recipe or MusicVAERecipe(), Path(out)
    if config.conductor and recipe.excerpts:
        raise InputError(f"excerpts {recipe.excerpts}: a model with a conductor learns from whole melodies")
    for name, part in material.splits.items():
        if part.rolls.shape[1] != config.steps:
            raise InputError(
                f"{name} melodies of {part.rolls.shape[1]} steps: the model's have {config.steps}"
            )
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    precision = precision_of(recipe.bfloat16, device)
    identity = {
        "config": asdict(config),
        "recipe": asdict(recipe),
        "seed": seed,
        "melodies": material.sha256(),
        "precision": precision,  # gone on with in another, a training would not end with the same numbers
    }
    claim(out, identity, resume)
    model = _fit(material.splits["train"].rolls, config, recipe, seed, out, device, precision, progress)
    replace_file(out / "model.safetensors", save(inference_state(model), metadata=metadata_of(config)))
    scores = evaluate(out / "model.safetensors", model, material.splits["test"], seed)
    replace_file(out / "heldout.npz", _held_out(material.splits["test"]))
    text = card(out / "model.safetensors", config, recipe, seed, precision, material, scores)
    replace_file(out / "model.md", text.encode())
    return scores


def _held_out(test: Material) -> bytes:
    """Store the first written melodies and which pieces they are from, as an npz file."""
    content = io.BytesIO()
    chosen = np.flatnonzero(test.written)[:_HELD_OUT]
    np.savez_compressed(content, rolls=test.rolls[chosen], pieces=test.pieces[chosen].astype(np.int64))
    return content.getvalue()


def prepare(model: MusicVAE, rolls: np.ndarray, narrow: int) -> None:
    """Begin where a short training gets furthest; the architecture stays Magenta's.

    The output's biases are the logarithms of how often classes occur in `rolls` [N, T]. Forget biases are
    spread so that units forget after one to `T` steps (Tallec and Ollivier, arXiv 1804.11188), input
    biases are their negatives; the matrices that carry a state on are orthogonal.

    The first `narrow` dimensions of the latent begin with a sigma of about 0.05 and means that tell
    melodies apart: from Magenta's sigma of 0.69 about means of zero the decoder first learns to do
    without. The others begin at the prior, and unread. Where they are let go (`hold`), whether they are
    taken into use, and which of the first are given up, is left to the loss; if all began narrow, all
    would be used, a little each, for much longer than a short training lasts.
    """
    encoder, decoder = model.encoder, model.decoder
    assert encoder is not None
    assert decoder is not None
    counts = np.bincount(rolls.ravel(), minlength=CLASSES) + 1.0
    with torch.no_grad():
        decoder.output.bias.copy_(torch.from_numpy(np.log(counts / counts.sum())))
        nn.init.normal_(encoder.mu.weight[:narrow], std=_FIRST_MEAN_WEIGHT)
        nn.init.constant_(encoder.sigma.bias[:narrow], _FIRST_DEVIATION_BIAS)
        nn.init.constant_(encoder.sigma.bias[narrow:], _DEVIATION_ONE)
        for weight in _readers(decoder):
            weight[:, weight.shape[1] - model.latent_dimensions + narrow :] = 0
        for layer in (module for module in model.modules() if isinstance(module, LSTMLayer)):
            lasts = 1 + (model.steps - 2) * torch.rand(layer.units)
            layer.bias[layer.units : 2 * layer.units] = lasts.log()
            layer.bias[: layer.units] = -lasts.log()
            for gate in layer.state_weight.chunk(4):
                nn.init.orthogonal_(gate)


def hold(model: MusicVAE, narrow: int) -> None:
    """Take the gradient from whatever leads to or from the dimensions after the first `narrow`."""
    assert model.encoder is not None
    assert model.decoder is not None
    for dense in (model.encoder.mu, model.encoder.sigma):
        for parameter in (dense.weight, dense.bias):
            assert parameter.grad is not None
            parameter.grad[narrow:] = 0
    for weight in _readers(model.decoder):
        assert weight.grad is not None
        weight.grad[:, weight.shape[1] - model.latent_dimensions + narrow :] = 0


def _readers(decoder: Decoder) -> list[Tensor]:
    """Return the weights that read the latent, by their last columns."""
    if decoder.conductor is not None:
        return [decoder.conductor.initial_state.weight]
    lowest = decoder.core.lstm.layers[0]
    assert isinstance(lowest, LSTMLayer)
    return [decoder.core.initial_state.weight, lowest.input_weight]


def sampled_steps(decoder: Decoder, latents: Tensor, melodies: Tensor, share: float) -> Tensor:
    """Return melodies with a share of their steps replaced by what the decoder draws there.

    It draws from its softmax as it runs, so each draw depends on those before it. Given the result as
    the steps before, `Decoder.forward` says what it said while it ran: nothing flows back through draws.

    Parameters
    ----------
    decoder : Decoder
    latents : float32 [N, D]
    melodies : float32 [N, T, 90]
        One-hot.
    share : float, 0 to 1

    Returns
    -------
    melodies : float32 [N, T, 90]
        One-hot.
    """
    mixed = melodies.clone()

    def choose(step: int, logits: Tensor) -> Tensor:
        classes = drawn(logits)
        replaced = torch.rand(len(logits), device=logits.device) < share
        mixed[replaced, step] = F.one_hot(classes[replaced], CLASSES).to(mixed)
        return mixed[:, step]

    with torch.no_grad():
        decoder.run(latents, choose)
    return mixed


def losses(
    model: MusicVAE, melodies: Tensor, share: float, free_bits: float
) -> tuple[Tensor, Tensor, Tensor]:
    """Return cross-entropy, divergence, and what of it exceeds the free bits, in nats a melody.

    Latents and draws come from torch's random state. `melodies` are one-hot, float32 [N, T, 90].
    """
    assert model.encoder is not None
    assert model.decoder is not None
    mu, sigma = (values.float() for values in model.encoder(melodies))
    latents = mu + sigma * torch.randn_like(sigma)
    given = sampled_steps(model.decoder, latents.detach(), melodies, share) if share > 0 else melodies
    logits = model.decoder(latents, given).float()
    wrong = F.cross_entropy(logits.flatten(0, 1), melodies.argmax(2).flatten(), reduction="sum")
    divergence = (0.5 * (mu.square() + sigma.square() - 1) - sigma.log()).sum(1)
    return (
        wrong / len(melodies),
        divergence.mean(),
        (divergence - free_bits * math.log(2)).clamp(min=0).mean(),
    )


def _fit(
    rolls: np.ndarray,
    config: MusicVAEConfig,
    recipe: MusicVAERecipe,
    seed: int,
    out: Path,
    device: torch.device,
    precision: str,
    progress: bool,
) -> MusicVAE:
    from rich.console import Console

    model = _prepared(config, rolls, recipe.narrow, seed).to(device).train()
    optimizer = torch.optim.Adam(model.parameters(), recipe.learning_rate)
    start, history, rows = 0, [], []
    if stored := read_checkpoint(out):
        model.load_state_dict(stored["model"])
        optimizer.load_state_dict(stored["optimizer"])
        start, history, rows = stored["step"], stored["history"], stored["rows"]
    console, began = Console(), time.monotonic()
    if progress:
        console.print(f"{recipe.steps:,} steps, matrices multiplied in {precision}", highlight=False)
    for step in range(start, recipe.steps):
        melodies = one_hot(batch(rolls, recipe, seed, step)).to(device)
        for group in optimizer.param_groups:
            warm = min(_WARM_STEPS, recipe.steps // 20)
            group["lr"] = learning_rate_at(step, recipe.steps, recipe.learning_rate, warm)
        with torch.random.fork_rng():
            torch.manual_seed((seed * 1_000_003 + step) % 2**63)
            rows.append(_step(model, optimizer, melodies, recipe, precision, step))
        done, last = step + 1, step + 1 == recipe.steps
        if done % _LOGGED_STEPS == 0 or last:
            history.append({"step": done, **dict(zip(_COLUMNS, np.mean(rows, axis=0).tolist(), strict=True))})
            rows = []
            if progress:
                left_min = (time.monotonic() - began) / (done - start) * (recipe.steps - done) / 60
                console.print(_line(history[-1], recipe.steps, left_min), highlight=False)
        if done % _STORED_STEPS == 0 or last:
            state = {"model": model.state_dict(), "optimizer": optimizer.state_dict()}
            write_checkpoint(out, state | {"step": done, "history": history, "rows": rows})
            write_log(out, ("step", *_COLUMNS), history)
    return model.cpu().eval()


def _prepared(config: MusicVAEConfig, rolls: np.ndarray, narrow: int, seed: int) -> MusicVAE:
    def build() -> MusicVAE:
        model = MusicVAE(config)
        prepare(model, rolls, narrow)
        return model

    model = randomly_initialised(build, seed)
    assert isinstance(model, MusicVAE)
    return model


def _step(
    model: MusicVAE,
    optimizer: torch.optim.Optimizer,
    melodies: Tensor,
    recipe: MusicVAERecipe,
    precision: str,
    step: int,
) -> list[float]:
    """One step down; return what is logged."""
    beta, share = recipe.beta(step), recipe.sampled_share(step)
    with torch.autocast(melodies.device.type, torch.bfloat16, enabled=precision == "bfloat16"):
        wrong, divergence, excess = losses(model, melodies, share, recipe.free_bits)
    loss = wrong + beta * excess
    if not torch.isfinite(loss):
        rate = optimizer.param_groups[0]["lr"]
        raise InputError(
            f"training diverged: loss {loss.item()} at learning rate {rate:g}: choose a lower one"
        )
    optimizer.zero_grad()
    loss.backward()
    if step < recipe.released * recipe.steps:
        hold(model, recipe.narrow)
    norm = nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    return [loss.item(), wrong.item(), divergence.item(), beta, share, float(norm)]


def _line(row: dict[str, float], steps: int, left_min: float) -> str:
    return (
        f"step {row['step']:,} of {steps:,}  cross-entropy {row['cross_entropy']:.2f}  "
        f"divergence {row['divergence']:.1f}  beta {row['beta']:.3f}  "
        f"sampled {row['sampled_share']:.2f}  {left_min:.0f} min left"
    )
