"""Training of a MusicVAE: what it gives back against how much its latents must hold."""

from __future__ import annotations

import io
import math
from collections.abc import Iterator
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
from .folder import claim, replace_file
from .loop import Task, backpropagate, fit, usual_device, warmed_cosine
from .musicvae_card import card
from .musicvae_evaluation import MusicVAEScores, evaluate
from .musicvae_material import MelodyMaterial, MusicVAERecipe, batch
from .precision import precision_of

_WARM_STEPS = 100
_HELD_OUT = 5_000  # melodies
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
    precision = precision_of(recipe.bfloat16, usual_device())
    identity = {
        "config": asdict(config),
        "recipe": asdict(recipe),
        "seed": seed,
        "melodies": material.sha256(),
        "precision": precision,  # gone on with in another, a training would not end with the same numbers
    }
    claim(out, identity, resume)
    task = MusicVAETask(material.splits["train"].rolls, config, recipe, precision, seed)
    fit(task, out, progress)
    model = task.model.cpu().eval()
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


class MusicVAETask(Task):
    """Giving melodies back through their latents.

    Parameters
    ----------
    rolls : uint8 [N, T]
    config : MusicVAEConfig
    recipe : MusicVAERecipe
    precision : {"bfloat16", "float32"}
        What matrices are multiplied in.
    seed : int
    """

    columns = ("loss", "cross_entropy", "divergence", "beta", "sampled_share", "gradient_norm")
    logged = 100
    stored = 1_000

    def __init__(
        self, rolls: np.ndarray, config: MusicVAEConfig, recipe: MusicVAERecipe, precision: str, seed: int
    ) -> None:
        def begin() -> MusicVAE:
            model = MusicVAE(config)
            prepare(model, rolls, recipe.narrow)
            return model

        self.rolls, self.recipe, self.precision, self.seed = rolls, recipe, precision, seed
        self.rounds, self.device = recipe.steps, usual_device()
        model = randomly_initialised(begin, seed)
        assert isinstance(model, MusicVAE)
        self.model = model.to(self.device).train()
        self.optimizer = torch.optim.Adam(model.parameters(), recipe.learning_rate)
        self.schedule = warmed_cosine(self.optimizer, recipe.steps, _WARM_STEPS)
        self.parts = {"model": model, "optimizer": self.optimizer, "schedule": self.schedule}

    def batches(self, number: int) -> Iterator[Tensor]:
        """Yield the melodies of a step, one-hot, float32 [B, T, 90]."""
        yield one_hot(batch(self.rolls, self.recipe, self.seed, number))

    def step(self, melodies: Tensor, step: int) -> list[float]:
        """Take a step down; latents, and steps that the decoder is given in place of true ones, are drawn."""
        recipe, melodies = self.recipe, melodies.to(self.device)
        beta, share = recipe.beta(step), recipe.sampled_share(step)
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.precision == "bfloat16"):
            wrong, divergence, excess = losses(self.model, melodies, share, recipe.free_bits)
        loss = wrong + beta * excess
        backpropagate(loss, self.optimizer)
        if step < recipe.released * recipe.steps:
            hold(self.model, recipe.narrow)
        norm = nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimizer.step()
        self.schedule.step()
        return [loss.item(), wrong.item(), divergence.item(), beta, share, float(norm)]
