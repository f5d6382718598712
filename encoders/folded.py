"""A SEANet for inference: the numbers of the encodec package's modules, within rounding, in less time.

Weight norms are folded into weights, which the package makes anew at every call. The channels of a frame lie
beside one another in memory, as convolutions of few channels want them. What is padded by nothing is not
copied, and what an ELU gives is written where it is padded. Sums are made in place.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.weight_norm import WeightNorm

from ._elu import elu

State = tuple[tuple[int, int], ...]


def folded(module: nn.Module) -> nn.Module:
    """Return a module that gives what another gives in inference; the same one if it has nothing to fold.

    Examples
    --------
    >>> folded(nn.Sequential(nn.ELU(), nn.ReLU()))[1]
    ReLU()
    """
    from encodec.modules.conv import SConv1d
    from encodec.modules.seanet import SEANetResnetBlock

    if isinstance(module, nn.Conv1d):
        return _Convolution(module)
    children = {name: folded(child) for name, child in module.named_children()}
    if all(child is module.get_submodule(name) for name, child in children.items()):
        return module
    other = copy.copy(module)
    other._modules = dict(children)
    if isinstance(module, nn.Sequential):
        parts = list(other._modules.items())
        for (name, before), (_, after) in pairwise(parts):
            if isinstance(before, nn.ELU) and isinstance(after, _Padded):
                other._modules[name], after.alpha = nn.Identity(), before.alpha
    if isinstance(module, SConv1d):
        return _Padded(other)
    return _Residual(other) if isinstance(module, SEANetResnetBlock) else other


def state_of(module: nn.Module) -> State | None:
    """Tell a module's weights from what they were; None if it cannot be told, or folded: hooks, float64."""
    found = []
    for part in _parts(module):
        if part._forward_hooks or not all(
            isinstance(h, WeightNorm) for h in part._forward_pre_hooks.values()
        ):
            return None
        for tensor in (*part._parameters.values(), *part._buffers.values()):
            if tensor is not None:
                if tensor.is_inference() or tensor.dtype != torch.float32:
                    return None
                found.append((id(tensor), tensor._version))
    return tuple(found)


def _parts(module: nn.Module) -> Iterator[nn.Module]:
    waiting = [module]  # torch's own walk takes as long as a small network
    while waiting:
        part = waiting.pop()
        yield part
        waiting += [child for child in part._modules.values() if child is not None]


class _Convolution(nn.Module):
    """A convolution of [b, C, T], whose channels are beside one another in memory before and after it."""

    def __init__(self, conv: nn.Conv1d) -> None:
        super().__init__()
        (self.size,), (self.stride,), (self.dilation,) = conv.kernel_size, conv.stride, conv.dilation
        self.padding, self.groups = int(conv.padding[0]), conv.groups
        norms = [hook for hook in conv._forward_pre_hooks.values() if isinstance(hook, WeightNorm)]
        with torch.no_grad():
            weight = norms[0].compute_weight(conv) if norms else conv.weight  # [C', C, k]
        self.kernel = weight.detach().unsqueeze(2).contiguous(memory_format=torch.channels_last)
        self.bias = conv._parameters["bias"]
        self.eval()

    def forward(self, x: Tensor) -> Tensor:
        """Return [b, C', T'] of [b, C, T]."""
        if x.shape[1] == self.dilation == 1 and not self.padding:  # waveforms: in a fraction of the time
            windows = x.squeeze(1).unfold(-1, self.size, self.stride)  # [b, T', k]
            found = functional.linear(windows.flatten(0, 1), self.kernel[:, 0, 0], self.bias)
            return found.unflatten(0, windows.shape[:2]).transpose(1, 2)
        planes = x.transpose(1, 2).contiguous().transpose(1, 2).unsqueeze(2)  # channels last
        found = functional.conv2d(
            planes,
            self.kernel,
            self.bias,
            (1, self.stride),
            (0, self.padding),
            (1, self.dilation),
            self.groups,
        )
        return found.squeeze(2)


class _Padded(nn.Module):
    """The package's padded convolution, which adds frames before and after those that there are."""

    def __init__(self, padded: Any) -> None:
        super().__init__()
        self.conv, self.causal, self.mode = padded.conv, padded.causal, padded.pad_mode
        self.alpha: float | None = None  # of the ELU before it, if that is made here
        self.eval()

    def forward(self, x: Tensor) -> Tensor:
        """Return [b, C', T'] of [b, C, T]."""
        from encodec.modules.conv import get_extra_padding_for_conv1d, pad1d

        conv: Any = self.conv.conv
        total = (conv.size - 1) * conv.dilation - (conv.stride - 1)
        extra = get_extra_padding_for_conv1d(x, conv.size, conv.stride, total)
        right = 0 if self.causal else total // 2
        left, right = total - right, right + extra
        if x.requires_grad or self.mode != "reflect" or x.shape[-1] <= max(left, right):
            opened = x if self.alpha is None else functional.elu(x, self.alpha)
            return self.conv(pad1d(opened, (left, right), mode=self.mode))
        return self.conv(x if left == right == 0 and self.alpha is None else self._reflected(x, left, right))

    def _reflected(self, x: Tensor, left: int, right: int) -> Tensor:
        """Return [b, C, left + T + right], the channels beside one another in memory."""
        frames, end = x.transpose(1, 2), left + x.shape[-1]  # [b, T, C]
        padded = frames.new_empty(len(frames), end + right, frames.shape[-1])
        if self.alpha is None:
            padded[:, left:end] = frames
        else:
            _open(frames, padded, left, self.alpha)
        padded[:, :left] = padded[:, left + 1 : 2 * left + 1].flip(1)
        padded[:, end:] = padded[:, end - right - 1 : end - 1].flip(1)
        return padded.transpose(1, 2)


def _open(frames: Tensor, out: Tensor, start: int, alpha: float) -> None:
    """Write the ELU of [b, T, C] into [b, T', C], from frame `start` on."""
    if frames.device.type != "cpu":
        out[:, start : start + frames.shape[1]] = functional.elu(frames, alpha)
        return
    given, found = frames.contiguous().flatten(1).numpy(), out.flatten(1).numpy()
    elu(given, found, start * frames.shape[-1], np.float32(alpha))


class _Residual(nn.Module):
    """A residual block, whose sum and second ELU are made in place."""

    def __init__(self, block: Any) -> None:
        super().__init__()
        parts = enumerate(block.block)
        inner = (_InPlace(one.alpha) if i and isinstance(one, nn.ELU) else one for i, one in parts)
        self.block, self.shortcut = nn.Sequential(*inner), block.shortcut
        self.eval()

    def forward(self, x: Tensor) -> Tensor:
        """Return the sum of both ways."""
        return self.block(x).add_(self.shortcut(x))


class _InPlace(nn.Module):
    """An ELU of what nobody else reads."""

    def __init__(self, alpha: float) -> None:
        super().__init__()
        self.alpha = alpha

    def forward(self, x: Tensor) -> Tensor:
        """Return the ELU of [b, C, T], in its place."""
        frames = x.transpose(1, 2)
        if x.requires_grad or not frames.is_contiguous():
            return functional.elu_(x, self.alpha)
        _open(frames, frames, 0, self.alpha)
        return x
