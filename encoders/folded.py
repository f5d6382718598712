"""A SEANet for inference: the numbers of the encodec package's modules, to the bit, in less time.

Weight norms are folded into weights, which the package makes anew at every call, and sums are made in place.
"""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.weight_norm import WeightNorm


def folded(module: nn.Module) -> nn.Module:
    """Return a module that gives what another gives in inference; the same one if it has nothing to fold.

    Examples
    --------
    >>> from torch.nn.utils.parametrizations import weight_norm
    >>> folded(nn.Sequential(nn.Conv1d(1, 2, 3), nn.ReLU()))[1]
    ReLU()
    """
    from encodec.modules.seanet import SEANetResnetBlock

    if isinstance(module, nn.Conv1d):
        return _folded_convolution(module)
    children = {name: folded(child) for name, child in module.named_children()}
    if all(child is module.get_submodule(name) for name, child in children.items()):
        return module
    other = copy.copy(module)
    other._modules = dict(children)
    return _Residual(other) if isinstance(module, SEANetResnetBlock) else other


def state_of(module: nn.Module) -> tuple[tuple[int, int], ...] | None:
    """Tell a module's weights from what they were; None where that cannot be told, or hooks are at work."""
    tensors = [*module.parameters(), *module.buffers()]
    if any(tensor.is_inference() for tensor in tensors) or any(map(_is_hooked, module.modules())):
        return None
    return tuple((id(tensor), tensor._version) for tensor in tensors)


def _is_hooked(module: nn.Module) -> bool:
    before = module._forward_pre_hooks.values()
    return bool(module._forward_hooks) or not all(isinstance(hook, WeightNorm) for hook in before)


def _folded_convolution(module: nn.Conv1d) -> nn.Conv1d:
    norms = [hook for hook in module._forward_pre_hooks.values() if isinstance(hook, WeightNorm)]
    if not norms:
        return module
    conv = copy.copy(module)
    conv._forward_pre_hooks = type(module._forward_pre_hooks)()
    with torch.no_grad():
        weight = norms[0].compute_weight(module).detach()
    kept = {name: value for name, value in module._parameters.items() if name == "bias"}
    conv.__dict__.pop("weight", None)
    conv._parameters = {"weight": nn.Parameter(weight, requires_grad=False), **kept}
    return conv


class _Residual(nn.Module):
    """A residual block, whose sum is made in place."""

    def __init__(self, block: Any) -> None:
        super().__init__()
        self.block = nn.Sequential(
            *(nn.ELU(one.alpha, inplace=i > 0) if isinstance(one, nn.ELU) else one
              for i, one in enumerate(block.block))
        )  # fmt: skip
        self.shortcut = block.shortcut
        self.eval()

    def forward(self, x: Tensor) -> Tensor:
        return self.block(x).add_(self.shortcut(x))
