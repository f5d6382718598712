import numpy as np
import pytest
import torch
from torch import nn

from tonotopy.encoders.base import ModuleEncoder, Stage, Weights
from tonotopy.encoders.weights import randomly_initialised, state_sha256


def encoder_of(module, stages, taps, sample_rate=24_000, name="test", **options):
    weights = Weights("random", state_sha256(module.state_dict()))
    return ModuleEncoder(name, module, sample_rate, {s.name: s for s in stages}, taps, weights, **options)


class Leaky(nn.Module):
    """y[t] = a y[t - 1] + x[t]: an unbounded receptive field with a closed form, 1 / |1 - a exp(-jw)|."""

    def __init__(self, a):
        super().__init__()
        self.a = a
        self.end = nn.Identity()

    def forward(self, x):
        from scipy.signal import lfilter

        filtered = np.asarray(lfilter([1.0], [1.0, -self.a], x.numpy()), dtype=np.float32)
        return self.end(torch.from_numpy(filtered))


@pytest.fixture
def leaky():
    module = Leaky(0.99)
    return encoder_of(module, [Stage("first_layer", 1, 1, None, 0)], {"first_layer": "end"})


@pytest.fixture
def stack():
    """Two strided convolutions with a ReLU between: hop 6, receptive field 8 + 2 * 4 = 16."""
    module = randomly_initialised(
        lambda: nn.Sequential(nn.Conv1d(1, 5, 8, stride=2), nn.ReLU(), nn.Conv1d(5, 7, 5, stride=3)), 3
    )
    stages = [Stage("first_layer", 5, 2, 8, 7, "convolution"), Stage("latent", 7, 6, 16, 15)]
    kernels = {"first_layer": module[0].weight.detach().double().numpy()[:, 0]}
    return encoder_of(module, stages, {"first_layer": "0", "latent": "2"}, kernels=kernels)
