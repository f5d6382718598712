"""A SEANet that is folded for inference gives what the encodec package's gives, to the bit."""

from typing import Any

import pytest
import torch

from tonotopy.encoders import load
from tonotopy.encoders.base import ModuleEncoder
from tonotopy.encoders.codec import codec_tiny
from tonotopy.encoders.folded import folded, state_of


def _silent(module: Any, inputs: Any, output: Any) -> Any:
    return torch.zeros_like(output)


def as_the_package(encoder, waveforms):
    with torch.inference_mode():
        return ModuleEncoder.activations(encoder, waveforms, list(encoder.stages))


@pytest.mark.parametrize("length", [9000, 7680, 9111, 400])
@pytest.mark.parametrize("name", ["codec_tiny", "encodec_48khz"])
def test_every_stage_is_the_same_to_the_bit(name, length):
    encoder = load(name, weights="random", seed=2)
    waveforms = 0.1 * torch.randn(2, length, generator=torch.Generator().manual_seed(0))
    found, expected = encoder.run(waveforms, list(encoder.stages)), as_the_package(encoder, waveforms)
    assert [stage for stage in expected if not torch.equal(found[stage], expected[stage])] == []


def test_weights_that_change_are_noticed():
    encoder = codec_tiny("random")
    waveforms = 0.1 * torch.randn(1, 3200, generator=torch.Generator().manual_seed(0))
    before = encoder.run(waveforms, ["latent"])["latent"]
    with torch.no_grad():
        encoder.module.get_submodule("codec.encoder.model.3.conv.conv").weight_g.mul_(2)
    after = encoder.run(waveforms, ["latent"])["latent"]
    assert not torch.equal(before, after)
    assert torch.equal(after, as_the_package(encoder, waveforms)["latent"])


def test_hooks_are_at_work():
    encoder = codec_tiny("random")
    layer = encoder.module.get_submodule("codec.encoder.model.12")
    handle = layer.register_forward_hook(_silent)
    silenced = encoder.run(torch.ones(1, 3200), ["stack_end"])["stack_end"]
    handle.remove()
    assert not silenced.any()
    assert encoder.run(torch.ones(1, 3200), ["stack_end"])["stack_end"].any()


def test_what_has_no_weight_norm_is_left_as_it_is():
    plain = torch.nn.Sequential(torch.nn.Conv1d(1, 2, 3), torch.nn.ELU())
    assert folded(plain) is plain
    with torch.inference_mode():
        plain[0].weight = torch.nn.Parameter(torch.ones(2, 1, 3), requires_grad=False)
    assert state_of(plain) is None  # which have no versions to tell a change by
