"""Whether a processor can multiply in half the bits: some cannot, and say so only when they are tried."""

from __future__ import annotations

from functools import cache

import torch

from ..musicvae.lstm import LSTMLayer
from ..weights import randomly_initialised


def precision_of(wants_bfloat16: bool, device: torch.device) -> str:
    """Return what a training's matrices are multiplied in on a device: "bfloat16" or "float32".

    Parameters
    ----------
    wants_bfloat16 : bool
        Whether the recipe would have bfloat16, where it can be had.
    device : torch.device
    """
    return "bfloat16" if wants_bfloat16 and learns_in_bfloat16(device.type) else "float32"


@cache
def learns_in_bfloat16(device_type: str) -> bool:
    """Say whether an LSTM can learn in bfloat16 on a kind of device ("cpu", "cuda"), by letting one.

    What a processor states of itself would not do: oneDNN emulates bfloat16 on some that lack its
    instructions, and can be held (``ONEDNN_MAX_CPU_ISA``) to fewer than there are.
    """
    layer = randomly_initialised(lambda: LSTMLayer(4, 4), 0).to(device_type)
    assert isinstance(layer, LSTMLayer)
    inputs = torch.ones(1, 2, 4, device=device_type)
    try:
        with torch.autocast(device_type, torch.bfloat16):
            outputs, state = layer(inputs)
            last, _ = layer.step(inputs[:, 0], state)
        (outputs.float().sum() + last.float().sum()).backward()
    except RuntimeError:
        return False
    return True
