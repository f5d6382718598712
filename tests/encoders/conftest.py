import numpy as np
import pytest
import torch

from tonotopy.encoders import load
from tonotopy.encoders.base import Encoder


@pytest.fixture(scope="session")
def encodec_24khz():
    return load("encodec_24khz", weights="random")


@pytest.fixture(scope="session")
def encodec_48khz():
    return load("encodec_48khz", weights="random")


@pytest.fixture
def noise():
    """Float32 [B, T] white noise, the same at every call."""

    def make(batch: int, length: int, level: float = 0.1) -> torch.Tensor:
        return level * torch.randn(batch, length, generator=torch.Generator().manual_seed(length))

    return make


@pytest.fixture
def predicted():
    """What a stage's closed form says of float32 [B, T] waveforms, in the frames that lie wholly on them."""

    def predict(encoder: Encoder, stage: str, waveforms: torch.Tensor) -> tuple[np.ndarray, slice]:
        known, kernels = encoder.stages[stage], encoder.kernels(stage)
        assert kernels is not None
        field = kernels.shape[1]
        assert known.receptive_field == field
        assert kernels.dtype == np.float64
        before = field - 1 - known.latency
        first = max(0, -(-before // known.hop))
        start = first * known.hop + known.latency - field + 1
        windows = waveforms[:, start:].double().unfold(1, field, known.hop).numpy()
        return windows @ kernels.T, slice(first, first + windows.shape[1])  # [B, F, C]

    return predict


@pytest.fixture(scope="module")
def one_thread():
    """On one thread, what a module shares too: another number of them rounds otherwise on some processors."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)
