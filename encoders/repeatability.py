"""Whether what comes of a sound depends on anything else: on chance, what played before, a batch."""

from __future__ import annotations

import torch
from torch import Tensor

from .base import ModuleEncoder
from .chance import seed_all
from .preserving import Kept

ROUNDING = 1e-6  # of an answer's norm: what the same arithmetic may differ by
BATCH = 1e-3  # another batch may be summed in another order, in half precision too
LEVELS_DB = (-120.0, -60.0, 0.0)  # of noise, full scale: wide enough for any limit below the loudest
SEEDS = 12  # tried for noise, which may be rare
FLIPPED = 0.05  # of codes, that ties may flip


def settle(encoder: ModuleEncoder, length: int, kept: Kept) -> str:
    """Find out how an encoder has to be played, once, and let it be played so; return a sentence, or "".

    Of a module that keeps something of what it heard, every run starts from what it held to begin with. One
    whose answer to a sound depends on the others in a batch hears sounds one at a time. Stages with noise
    of their own are named in ``encoder.noisy``.

    Parameters
    ----------
    encoder : ModuleEncoder
        Its random state is the caller's.
    length : int
        Samples that its module takes.
    kept : Kept
        What the module held before anything was played to it.
    """
    said = []
    stages = list(encoder.stages)
    sounds = _sounds(length).to(encoder.device)
    if _remembers(encoder, sounds, kept):
        encoder.restores = True
        said.append("it keeps something of what it hears: every run starts from what it held at first")
    kept.restore()
    first, *others = (_seeded(encoder, sounds[-2:], seed) for seed in range(SEEDS))
    encoder.noisy = tuple(
        s for s in stages if not all(_alike(other[s], first[s], ROUNDING) for other in others)
    )
    if encoder.noisy:
        said.append(f"there is noise in its forward pass, at {', '.join(encoder.noisy)}")
    if encoder.singly:
        said.append("it takes one sound at a time")
    elif _depends_on_batch(encoder, sounds):
        encoder.singly = True
        said.append("what it answers depends on the other sounds of a batch: they are played one at a time")
    return "; ".join(said)


def _remembers(encoder: ModuleEncoder, sounds: Tensor, kept: Kept) -> bool:
    """Whether what a module heard changes what it holds or answers; tables of its first run do not."""
    kept.restore()
    fresh = _seeded(encoder, sounds[-1:], 0)
    warm = Kept(encoder.module)
    _seeded(encoder, sounds[-2:-1], 0)
    if warm.differs():
        return True
    kept.restore()
    _seeded(encoder, sounds[-2:-1], 0)
    again = _seeded(encoder, sounds[-1:], 0)
    changed = [s for s, found in fresh.items() if not _alike(again[s], found, ROUNDING)]
    if not changed:
        return False
    kept.restore()
    twice = _seeded(encoder, sounds[-1:], 0)  # what differs even so is chance
    return any(_alike(twice[stage], fresh[stage], ROUNDING) for stage in changed)


def _depends_on_batch(encoder: ModuleEncoder, sounds: Tensor) -> bool:
    whole = _seeded(encoder, sounds, 0)
    for row in range(len(sounds)):
        mine = sounds[row : row + 1]
        alone, again = (_seeded(encoder, mine, seed) for seed in (0, 1))
        copies = _seeded(encoder, mine.expand_as(sounds), 0)  # a batch too, but of nothing else
        for stage, found in whole.items():
            by_chance = max(
                _distance(again[stage], alone[stage]),
                _distance(copies[stage][row : row + 1], alone[stage]),
            )
            if not _alike(found[row : row + 1], alone[stage], BATCH, 3 * by_chance):
                return True
    return False


def _seeded(encoder: ModuleEncoder, sounds: Tensor, seed: int) -> dict[str, Tensor]:
    seed_all(encoder.module, seed)
    return encoder.activations(sounds, list(encoder.stages))


def _sounds(length: int) -> Tensor:
    """Return silence, noise of several levels, and a tone: float32 [B, T]."""
    gain = torch.tensor([[10 ** (level / 20)] for level in LEVELS_DB])
    noise = torch.randn(1, length, generator=torch.Generator().manual_seed(length))
    tone = 0.1 * torch.sin(0.2 * torch.arange(length))[None]
    return torch.cat([torch.zeros(1, length), 0.15 * gain * noise, tone])  # below full scale


def _distance(found: Tensor, expected: Tensor) -> float:
    if found.shape != expected.shape:
        return 0.0
    return float((found.double() - expected.double()).nan_to_num().norm())


def _alike(found: Tensor, expected: Tensor, tolerance: float, more: float = 0.0) -> bool:
    if found.shape != expected.shape:
        return False
    if not expected.is_floating_point():
        return float((found != expected).double().mean()) <= FLIPPED
    both = found.isnan() == expected.isnan()
    if not both.all():
        return False
    found, expected = found.nan_to_num(), expected.nan_to_num()
    return _distance(found, expected) <= tolerance * float(expected.double().norm()) + more
