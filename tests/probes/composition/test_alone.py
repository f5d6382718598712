"""What is measured of one condition does not depend on which others are measured with it."""

import numpy as np
import pytest
import torch
from torch import nn

from tonotopy.encoders import load
from tonotopy.encoders.base import Stage
from tonotopy.probes.composition import access, compositionality, place, presence, stability
from tonotopy.probes.composition.mixtures import Condition, partial_ensemble, pitch_ensemble
from tonotopy.probes.composition.readout import readout
from tonotopy.probes.engine.session import Session

from ..conftest import encoder_of

CONDITIONS = (
    Condition("pitch", 4, -20.0), Condition("partial", 2, -20.0), Condition("partial", 8, -20.0),
    Condition("partial", 8, -50.0), Condition("chord", 0, -20.0),
)  # fmt: skip
QUESTIONS = {
    "presence": presence.measure,
    "stability": stability.measure,
    "access": access.measure,
    "place": place.measure,
    "compositionality": compositionality.compositionality,
}


class Smoothed(nn.Module):
    """Four bands of 1.3 ms, smoothed for ever: what a frame is depends on when the stage has settled."""

    def __init__(self):
        super().__init__()
        kernels = torch.hann_window(32) * torch.cos(torch.outer(torch.arange(1, 5.0), torch.arange(32.0)) / 5)
        self.register_buffer("kernels", kernels[:, None])
        self.end = nn.Identity()

    def forward(self, x):
        bands = nn.functional.conv1d(x, self.get_buffer("kernels"), stride=32)
        smoothed = [bands[..., 0]]
        for frame in bands.unbind(-1)[1:]:
            smoothed.append(0.8 * smoothed[-1] + frame + 0.2 * frame.square())
        return self.end(torch.stack(smoothed, -1))


@pytest.fixture(scope="module")
def smoothed():
    """An encoder whose receptive field is unbounded, and which is not linear."""
    return encoder_of(Smoothed(), [Stage("latent", 4, 32, None, 31)], {"latent": "end"}, sample_rate=24_000)


def assert_same(alone, among):
    """Whether a result is the same to the last digit, up to what it is padded to."""
    for name, values in alone.data_vars.items():
        other = among[name].transpose(*values.dims)
        other = other.isel({dim: slice(0, size) for dim, size in values.sizes.items()})
        np.testing.assert_array_equal(values.values, other.values, err_msg=str(name))


@pytest.mark.parametrize("question", QUESTIONS)
@pytest.mark.parametrize("kind", ["partial", "pitch"])
def test_a_condition_alone_is_what_it_is_among_others(smoothed, question, kind):
    measure = QUESTIONS[question]
    among = measure(Session(smoothed), conditions=CONDITIONS)
    one = next(c for c in CONDITIONS if c.kind == kind)
    alone = measure(Session(smoothed), conditions=(one,))
    label = alone["condition"].item()
    assert_same(alone, among.sel(condition=[label]))


def test_a_density_alone_is_read_as_among_others():
    encoder = load("filterbank:stft_magnitude")
    among, alone = (readout(Session(encoder), densities=d) for d in ((2, 8, 16), (8,)))
    assert_same(alone, among.sel(density=[8]))


@pytest.mark.parametrize("ensemble", [partial_ensemble, pitch_ensemble])
def test_contexts_of_a_few_begin_those_of_many(ensemble):
    few, many = (ensemble(24_000, most=most).context_sounds for most in (2, 40))
    for one, other in zip(few, many, strict=True):
        for a, b in zip(one, other, strict=False):
            np.testing.assert_array_equal(a.frequency_hz, b.frequency_hz)
            np.testing.assert_array_equal(a.phase_rad, b.phase_rad)
