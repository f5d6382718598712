"""MusicVAE: a melody to the mean and deviation of its latent, and a latent back to a melody.

Roberts et al., A Hierarchical Latent Vector Model for Learning Long-Term Structure in Music, arXiv
1803.05428, in the form of Magenta's published models.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from ...synth.errors import InputError
from ...synth.melodies import CLASSES, checked_rolls
from ..base import Weights
from .config import MusicVAEConfig
from .lstm import BidirectionalStack, LSTMStack, State

_STEPS_AT_ONCE = 1 << 16  # melodies times steps in a batch: memory stays bounded
_NARROW = 1e-3  # deviation of the first kernels of mu and sigma


class Encoder(nn.Module):
    """One-hot melodies [N, T, 90] to mu and sigma, [N, D] each."""

    def __init__(self, config: MusicVAEConfig) -> None:
        super().__init__()
        self.lstm = BidirectionalStack(CLASSES, config.encoder)
        self.mu = nn.Linear(2 * config.encoder[-1], config.latent_dimensions)
        self.sigma = nn.Linear(2 * config.encoder[-1], config.latent_dimensions)
        for dense in (self.mu, self.sigma):
            nn.init.normal_(dense.weight, std=_NARROW)
            nn.init.zeros_(dense.bias)

    def forward(self, melodies: Tensor) -> tuple[Tensor, Tensor]:
        """Return mean and standard deviation of the posterior."""
        last = self.lstm(melodies)
        return self.mu(last), F.softplus(self.sigma(last))


class Directed(nn.Module):
    """An LSTM stack whose first state comes from a vector: tanh of a dense layer, c then h per layer."""

    def __init__(self, directions: int, inputs: int, units: Sequence[int]) -> None:
        super().__init__()
        self.initial_state = dense(directions, 2 * sum(units))
        self.lstm = LSTMStack(inputs, units)
        self._parts = [size for own in units for size in (own, own)]

    def begin(self, directions: Tensor) -> list[State]:
        """Return the states of the layers that follow from a vector [N, D]."""
        parts = torch.tanh(self.initial_state(directions)).split(self._parts, dim=1)
        return [(h, c) for c, h in zip(parts[::2], parts[1::2], strict=True)]


class Decoder(nn.Module):
    """A latent [N, D] to the logits of a melody, each step given the step before it.

    With a conductor, the latent begins a stack that runs on no input, one step a segment; what it says is
    the latent of the segment. The step before a segment's first is the last of the segment before.
    """

    def __init__(self, config: MusicVAEConfig) -> None:
        super().__init__()
        self.segments, self.steps = config.segments, config.steps
        directions = config.latent_dimensions
        self.conductor = None
        if config.conductor:
            self.conductor = Directed(directions, 1, config.conductor)
            directions = config.conductor[-1]
        self.core = Directed(directions, CLASSES + directions, config.decoder)
        self.output = dense(config.decoder[-1], CLASSES)

    def directions(self, latents: Tensor) -> list[Tensor]:
        """Return the vector that directs each segment, [N, D] each."""
        if self.conductor is None:
            return [latents]
        nothing = latents.new_zeros(len(latents), self.segments, 1)
        outputs_there, _ = self.conductor.lstm(nothing, self.conductor.begin(latents))
        return list(outputs_there.unbind(1))

    def forward(self, latents: Tensor, melodies: Tensor) -> Tensor:
        """Return logits [N, T, 90], the true step before given (one-hot, [N, T, 90])."""
        before = F.pad(melodies[:, :-1], (0, 0, 1, 0)).chunk(self.segments, 1)
        outputs_there = []
        for direction, steps in zip(self.directions(latents), before, strict=True):
            along = direction[:, None].expand(-1, steps.shape[1], -1)
            outputs, _ = self.core.lstm(torch.cat((steps, along), 2), self.core.begin(direction))
            outputs_there.append(self.output(outputs))
        return torch.cat(outputs_there, 1)

    def run(self, latents: Tensor, choose: Callable[[int, Tensor], Tensor]) -> Tensor:
        """Return logits [N, T, 90], the step before chosen by the caller.

        Parameters
        ----------
        latents : float32 [N, D]
        choose : callable
            ``choose(step, logits [N, 90])`` returns the one-hot [N, 90] that the next step is given.
        """
        outputs_there, before = [], latents.new_zeros(len(latents), CLASSES)
        for direction in self.directions(latents):
            states = self.core.begin(direction)
            for _ in range(self.steps // self.segments):
                output, states = self.core.lstm.step(torch.cat((before, direction), 1), states)
                outputs_there.append(self.output(output))
                before = choose(len(outputs_there) - 1, outputs_there[-1])
        return torch.stack(outputs_there, 1)


class MusicVAE(nn.Module):
    """A MusicVAE with its name and where its weights are from.

    Parameters
    ----------
    config : MusicVAEConfig
    name : str
    weights : Weights, optional

    Examples
    --------
    >>> from tonotopy.encoders.musicvae.config import MusicVAEConfig
    >>> tiny = MusicVAE(MusicVAEConfig(encoder=(8,), decoder=(8,), latent_dimensions=4))
    >>> mu, sigma = tiny.encode(np.zeros((3, 32), np.uint8))
    >>> mu.shape, tiny.decode(mu).shape
    ((3, 4), (3, 32))
    """

    modality = "melody"
    randomised: Callable[[int], MusicVAE]  # of `Redraws`; set by who knows how the others were drawn

    def __init__(
        self, config: MusicVAEConfig, name: str = "musicvae", weights: Weights | None = None
    ) -> None:
        super().__init__()
        self.config, self.name = config, name
        self.weights = weights or Weights("random", "", "")
        self.encoder: Encoder | None = Encoder(config)
        self.decoder: Decoder | None = Decoder(config)

    @property
    def steps(self) -> int:
        """Sixteenths of a melody."""
        return self.config.steps

    @property
    def latent_dimensions(self) -> int:
        """Dimensions of the latent."""
        return self.config.latent_dimensions

    @torch.no_grad()
    def encode(self, rolls: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return mean and standard deviation of the posterior of melodies.

        Parameters
        ----------
        rolls : uint8 [N, T]

        Returns
        -------
        mu, sigma : float32 [N, D]

        Raises
        ------
        InputError
            If the melodies are none, or of another length; if there is no encoder.
        """
        rolls = self._fitting(rolls)
        if self.encoder is None:
            raise InputError(f"{self.name}: its weights hold a decoder only, melodies cannot be encoded")
        mu = np.empty((len(rolls), self.latent_dimensions), np.float32)
        sigma = np.empty_like(mu)
        for rows in self._batches(len(rolls)):
            outputs_there = self.encoder(one_hot(rolls[rows]))
            mu[rows], sigma[rows] = (values.numpy() for values in outputs_there)
        return mu, sigma

    @torch.no_grad()
    def decode(self, latents: np.ndarray, temperature: float | None = None, seed: int = 0) -> np.ndarray:
        """Return the melodies of latents, free-running.

        Parameters
        ----------
        latents : float [N, D]
        temperature : float > 0, optional
            Steps are drawn from the softmax of logits over this; the likeliest is taken if left out.
        seed : int
            Of the draws.

        Returns
        -------
        rolls : int16 [N, T]
            Signed, so that differences of steps are what they are.

        Raises
        ------
        InputError
            If the latents are of another size or not finite, the temperature is not positive, or there is
            no decoder.
        """
        latents, decoder = self._latents(latents), self._decoder()
        if temperature is not None and not temperature > 0:
            raise InputError(f"temperature {temperature}: must be above 0; leave it out for the likeliest")
        rolls = np.empty((len(latents), self.steps), np.int16)
        for rows in self._batches(len(latents)):
            generator = torch.Generator().manual_seed((seed * 1_000_003 + rows.start) % 2**63)

            def choose(step: int, logits: Tensor, rows: slice = rows, generator=generator) -> Tensor:
                chosen = logits.argmax(1) if temperature is None else drawn(logits / temperature, generator)
                rolls[rows, step] = chosen.numpy()
                return F.one_hot(chosen, CLASSES).float()

            decoder.run(torch.from_numpy(latents[rows]), choose)
        return rolls

    @torch.no_grad()
    def predict(self, latents: np.ndarray, rolls: np.ndarray) -> np.ndarray:
        """Return the likeliest class of every step, the melody's true steps before it given.

        Parameters
        ----------
        latents : float [N, D]
        rolls : uint8 [N, T]

        Returns
        -------
        predicted : int16 [N, T]

        Raises
        ------
        InputError
            As `encode` and `decode`, or if there are not as many latents as melodies.
        """
        latents, rolls, decoder = self._latents(latents), self._fitting(rolls), self._decoder()
        if len(latents) != len(rolls):
            raise InputError(f"{len(latents)} latents for {len(rolls)} melodies: must be as many")
        predicted = np.empty(rolls.shape, np.int16)
        for rows in self._batches(len(rolls)):
            logits = decoder(torch.from_numpy(latents[rows]), one_hot(rolls[rows]))
            predicted[rows] = logits.argmax(2).numpy()
        return predicted

    def _batches(self, count: int) -> list[slice]:
        size = max(1, _STEPS_AT_ONCE // self.steps)
        return [slice(first, min(first + size, count)) for first in range(0, count, size)]

    def _decoder(self) -> Decoder:
        if self.decoder is None:
            raise InputError(f"{self.name}: its weights hold an encoder only, latents cannot be decoded")
        return self.decoder

    def _fitting(self, rolls: np.ndarray) -> np.ndarray:
        rolls = np.ascontiguousarray(checked_rolls(rolls))
        if rolls.shape[1] != self.steps:
            raise InputError(f"melodies of {rolls.shape[1]} steps: {self.name} hears {self.steps}")
        return rolls

    def _latents(self, latents: np.ndarray) -> np.ndarray:
        latents = np.ascontiguousarray(latents, np.float32)
        if latents.ndim != 2 or latents.shape[1] != self.latent_dimensions or not np.isfinite(latents).all():
            raise InputError(
                f"latents of shape {latents.shape}: {self.name} needs finite [N, {self.latent_dimensions}]"
            )
        return latents


def dense(inputs: int, outputs: int) -> nn.Linear:
    """Return a dense layer, initialised as TensorFlow does."""
    layer = nn.Linear(inputs, outputs)
    nn.init.xavier_uniform_(layer.weight)
    nn.init.zeros_(layer.bias)
    return layer


def drawn(logits: Tensor, generator: torch.Generator | None = None) -> Tensor:
    """Draw classes, int64 [N], from the softmax of logits [N, C]: the largest after Gumbel noise is added."""
    noise = torch.rand(logits.shape, generator=generator, device=logits.device).clamp(1e-20)
    return (logits.float() - (-noise.log()).log()).argmax(1)


def one_hot(rolls: np.ndarray) -> Tensor:
    """Return melodies uint8 [N, T] as float32 [N, T, 90]."""
    return F.one_hot(torch.from_numpy(rolls).long(), CLASSES).float()
