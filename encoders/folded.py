"""A SEANet for inference: the numbers of the encodec package's modules, to the bit, in less time.

Weight norms are folded into weights, which the package makes anew at every call; what is padded by nothing
is not copied; sums are made in place.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.weight_norm import WeightNorm

State = tuple[tuple[int, int], ...]


def folded(module: nn.Module) -> nn.Module:
    """Return a module that gives what another gives in inference; the same one if it has nothing to fold.

    Examples
    --------
    >>> folded(nn.Sequential(nn.Conv1d(1, 2, 3), nn.ReLU()))[1]
    ReLU()
    """
    from encodec.modules.conv import SConv1d
    from encodec.modules.seanet import SEANetResnetBlock

    if isinstance(module, nn.Conv1d):
        return _without_norm(module)
    children = {name: folded(child) for name, child in module.named_children()}
    if all(child is module.get_submodule(name) for name, child in children.items()):
        return module
    other = copy.copy(module)
    other._modules = dict(children)
    if isinstance(module, SConv1d) and other.get_submodule("conv.conv").kernel_size == (1,):
        return children["conv"]  # not padded
    return _Residual(other) if isinstance(module, SEANetResnetBlock) else other


def state_of(module: nn.Module) -> State | None:
    """Tell a module's weights from what they were; None where that cannot be told, or hooks are at work."""
    found = []
    for part in _parts(module):
        if part._forward_hooks or not all(
            isinstance(h, WeightNorm) for h in part._forward_pre_hooks.values()
        ):
            return None
        for tensor in (*part._parameters.values(), *part._buffers.values()):
            if tensor is not None:
                if tensor.is_inference():
                    return None
                found.append((id(tensor), tensor._version))
    return tuple(found)


def _parts(module: nn.Module) -> Iterator[nn.Module]:
    waiting = [module]  # torch's own walk takes as long as a small network
    while waiting:
        part = waiting.pop()
        yield part
        waiting += [child for child in part._modules.values() if child is not None]


def _without_norm(module: nn.Conv1d) -> nn.Conv1d:
    """Return a convolution with the weight that its weight norm gives."""
    norms = [hook for hook in module._forward_pre_hooks.values() if isinstance(hook, WeightNorm)]
    if not norms:
        return module
    conv = copy.copy(module)
    conv._forward_pre_hooks = type(module._forward_pre_hooks)()
    conv.__dict__.pop("weight", None)  # of the last call
    with torch.no_grad():
        weight = nn.Parameter(norms[0].compute_weight(module).detach(), requires_grad=False)
    conv._parameters = {"weight": weight, "bias": module._parameters["bias"]}
    return conv


class _Residual(nn.Module):
    """A residual block, whose sum is made in place."""

    def __init__(self, block: Any) -> None:
        super().__init__()
        parts = enumerate(block.block)
        inner = (nn.ELU(one.alpha, inplace=i > 0) if isinstance(one, nn.ELU) else one for i, one in parts)
        self.block, self.shortcut = nn.Sequential(*inner), block.shortcut
        self.eval()

    def forward(self, x: Tensor) -> Tensor:
        """Return the sum of both ways."""
        return self.block(x).add_(self.shortcut(x))
