"""A small codec, and ports of it with one fault each."""

import copy
from typing import Any

import torch
from torch import nn
from torch.nn import functional
from torch.nn.utils import parametrizations

from tonotopy.encoders import wrap
from tonotopy.encoders.quantization import residual_quantization

RATE = 8_000
STAGES = {
    "first_layer": "first",
    "block_1": "blocks.0",
    "stack_end": "blocks.1",
    "latent": "last",
    "quantized_1": "sums.0",
    "quantized": "sums.1",
    "codes": "codes",
}


class Conv(nn.Module):
    """A convolution under weight norm, padded on the left."""

    def __init__(self, channels, others, kernel, stride=1):
        super().__init__()
        self.conv: Any = parametrizations.weight_norm(nn.Conv1d(channels, others, kernel, stride))
        norm: Any = self.conv.parametrizations.weight
        with torch.no_grad():  # as training leaves it: no longer the norm of the direction
            norm.original0.mul_(torch.rand(others, 1, 1) + 0.5)
        self.padding, self.is_left = kernel - stride, True

    def forward(self, x):
        padding = (self.padding, 0) if self.is_left else (0, self.padding)
        return self.conv(functional.pad(x, padding))


class Block(nn.Module):
    """A residual unit and a layer that downsamples by 4."""

    def __init__(self, channels):
        super().__init__()
        self.inner = Conv(channels, channels, 3)
        self.down = Conv(channels, 2 * channels, 8, 4)

    def forward(self, x):
        return self.down(functional.elu(x + self.inner(functional.elu(x))))


class Codec(nn.Module):
    """Hop 16, a latent of 16 channels, 4 codebooks of 32 entries."""

    def __init__(self):
        super().__init__()
        self.first = Conv(1, 4, 7)
        self.blocks = nn.Sequential(Block(4), Block(8))
        self.last = Conv(16, 16, 3)
        self.up = nn.ConvTranspose1d(16, 1, 16, 16)
        self.books = nn.ParameterList(torch.randn(32, 16) * 0.2 / (1 + i) for i in range(4))
        self.sums = nn.ModuleList([nn.Identity(), nn.Identity()])
        self.codes = nn.Identity()

    def forward(self, x):  # [B, 1, T]
        latent = self.last(self.blocks(self.first(x)))
        found = residual_quantization(latent.transpose(1, 2), list(self.books))  # [B, F, Q, D]
        self.sums[0](found.vectors[:, :, 0].transpose(1, 2))
        self.sums[1](found.vectors[:, :, -1].transpose(1, 2))
        return self.codes(found.codes.transpose(1, 2))


def codec(seed=0):
    torch.manual_seed(seed)
    return Codec().eval()


def encoder_of(module, prepare=None, decode=lambda module, latent: module.up(latent), known=True):
    """Wrap a codec; its codebooks are known or not."""
    encoder: Any = wrap(module, RATE, STAGES, "codec", prepare=prepare, decode=decode)
    if known:
        encoder.codebooks = tuple(book.detach() for book in module.books)
    return encoder


def with_module(encoder, module):
    """Return an encoder like another, of a module of the same geometry: `wrap` need not measure it again."""
    found: Any = copy.copy(encoder)
    found.module = module.eval()
    found.codebooks = tuple(book.detach() for book in module.books)
    found.decode = lambda latent, scale=None: module.up(latent).detach()[:, 0]
    return found


class Port:
    """An encoder in which the sounds, a stage or what is decoded was changed on its way."""

    def __init__(self, encoder, stage="", change=lambda x: x, played=lambda w: w, decoded=lambda d: d):
        self.encoder, self.stage, self.change, self.played, self.decoded = (
            encoder,
            stage,
            change,
            played,
            decoded,
        )
        self.name = "port"

    def __getattr__(self, name):
        if name.startswith("__") or name == "encoder":
            raise AttributeError(name)
        return getattr(self.encoder, name)

    def run(self, waveforms, stages):
        found = self.encoder.run(self.played(waveforms), stages)
        return {s: self.change(v) if s == self.stage else v for s, v in found.items()}

    def decode(self, latent, scale=None):
        return self.decoded(self.encoder.decode(latent))


def delayed(waveforms, samples, taps=128):
    """Delay [B, T] by a fraction of a sample, by a windowed sinc."""
    t = torch.arange(-taps, taps + 1, dtype=torch.float64) - samples
    kernel = torch.sinc(t) * torch.cos(torch.pi * t / (2 * taps + 2)) ** 2
    padded = functional.pad(waveforms.double()[:, None], (taps, taps))
    return functional.conv1d(padded, kernel.flip(0)[None, None]).float()


def ported(change):
    """Return a copy of the codec in which something was changed."""
    module = copy.deepcopy(codec())
    with torch.no_grad():
        change(module)
    return module
