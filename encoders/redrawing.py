"""Baselines of a trained network: drawn at random, drawn at the trained level, and with shuffled weights.

A random network at its default scale answers so faintly that everything stays on one side of every kink:
it is close to linear, whatever its architecture. What training changed shows beside networks that work at
the same level, "matched" and "permuted".
"""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor, nn

from ..synth.contexts import Noise
from ..synth.errors import InputError
from .abilities import BASELINE_KINDS
from .base import ModuleEncoder
from .matching import Play, match, statistics_taken
from .threads import suited_threads
from .weights import set_weights, weights_of, with_weights

SOUNDS, PARTIALS, LEVEL_DBFS = 4, 12, -20.0


def redrawn(
    kind: str,
    trained: nn.Module,
    draw: Callable[[], nn.Module],
    play: Play,
    seed: int,
    fixed: Sequence[str] = (),
) -> tuple[nn.Module, str]:
    """Return a baseline of a trained network, and a sentence about it.

    Parameters
    ----------
    kind : {"random", "matched", "permuted"}
        As `draw` made it; scaled by `match`; or filled by `permute`.
    trained : nn.Module
        In evaluation mode; it is left as it is.
    draw : callable
        Returns another network of its architecture, whose weights follow from `seed` alone.
    play : callable
        ``play(network)`` runs a network on the `reference`.
    seed : int
        Of `draw`, and of the shuffling.
    fixed : sequence of str
        Submodules whose weights `draw` has left as they are trained, and which stay so.

    Raises
    ------
    InputError
        If the kind is none, or the network has weights that cannot be set.

    Examples
    --------
    >>> trained = nn.Conv1d(1, 2, 5, bias=False)
    >>> shuffled, note = redrawn("permuted", trained, lambda: nn.Conv1d(1, 2, 5, bias=False), print, seed=0)
    >>> bool((shuffled.weight.sort().values.sum() - trained.weight.sum()).abs() < 1e-6), note
    (True, 'trained weights, each tensor shuffled (seed 0)')
    """
    if kind not in BASELINE_KINDS:
        raise InputError(f"baseline {kind!r}: must be {', '.join(BASELINE_KINDS)}")
    drawn = draw().eval()
    if kind == "random":
        return drawn, f"drawn anew, seed {seed}"
    try:
        with torch.no_grad(), suited_threads(trained):
            if kind == "matched":
                return drawn, f"drawn anew, seed {seed}; {match(trained, drawn, play, seed, fixed)}"
            return drawn, permute(trained, drawn, play, seed, fixed)
    except (RuntimeError, NotImplementedError) as error:  # a parametrisation that has no inverse, say
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0][:160]
        raise InputError(f"no {kind} baseline: {reason}") from None


def permute(trained: nn.Module, drawn: nn.Module, play: Play, seed: int, fixed: Sequence[str] = ()) -> str:
    """Fill a network with the trained weights, the values of each tensor shuffled.

    Weights under a weight norm are shuffled as they take effect. Batch norms take their statistics from
    what comes in while the reference plays: the trained ones are those of other activations.

    Parameters
    ----------
    trained, drawn, play, seed, fixed
        As in `redrawn`; `drawn` is changed.

    Returns
    -------
    note : str
    """
    generator = torch.Generator().manual_seed(seed)
    for name, part in with_weights(drawn, fixed):
        shuffled = {}
        for key, values in weights_of(trained.get_submodule(name)).items():
            order = torch.randperm(values.numel(), generator=generator).to(values.device)
            shuffled[key] = values.flatten()[order].view_as(values)
        set_weights(part, shuffled)
    with statistics_taken(drawn, fixed) as said:
        if said:
            play(drawn)
    return f"trained weights, each tensor shuffled (seed {seed}){said}"


def reference(sample_rate: int, samples: int) -> Tensor:
    """Return the sounds by whose levels networks are matched: partials and pink noise, -20 dBFS together.

    They depend on nothing but rate and length.

    Parameters
    ----------
    sample_rate : int > 0
    samples : int > 0

    Returns
    -------
    waveforms : float32 [4, samples]
        In each 12 partials of equal level, 50 Hz to 0.4 of the sample rate, over noise of their RMS.

    Examples
    --------
    >>> sounds = reference(24_000, 24_000)
    >>> bool((20 * (sounds.square().mean(1).sqrt() * 2**0.5).log10() + 20).abs().max() < 0.2)
    True
    """
    generator = np.random.default_rng(0)
    lowest, highest = np.log([min(50.0, 0.1 * sample_rate), 0.4 * sample_rate])
    frequency_hz = np.exp(generator.uniform(lowest, highest, (SOUNDS, PARTIALS, 1)))
    phase_rad = generator.uniform(0, 2 * np.pi, frequency_hz.shape)
    time_s = np.arange(samples) / sample_rate
    rms = 10 ** (LEVEL_DBFS / 20) / 2  # of either half; a full-scale sine has an RMS of 1 / sqrt(2)
    tones = np.sin(2 * np.pi * frequency_hz * time_s + phase_rad).sum(axis=1)  # [B, T]
    tones *= rms * math.sqrt(2 / PARTIALS)
    noise = [Noise("pink", seed=i).render(samples, sample_rate, rms) for i in range(SOUNDS)]
    return torch.from_numpy((tones + np.stack(noise)).astype(np.float32))


def through_stages(encoder: ModuleEncoder, samples: int = 0) -> Play:
    """Return what plays the reference to a network in the place of an encoder's, as far as its stages reach.

    Parameters
    ----------
    encoder : ModuleEncoder
    samples : int
        Its reference lasts at least so long, a second, and two frames of every stage.
    """
    longest = max(2 * stage.hop + stage.latency + 1 for stage in encoder.stages.values())

    def play(network: nn.Module) -> None:
        other = copy.copy(encoder)
        other.module = network
        other.restores = encoder.restores and network is encoder.module  # of another, weights are to change
        sounds = reference(encoder.sample_rate, max(samples, encoder.sample_rate, longest))
        other.activations(sounds, list(encoder.stages))

    return play
