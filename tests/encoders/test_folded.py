"""A SEANet that is folded for inference gives what the encodec package's gives, within rounding."""

from typing import Any

import numpy as np
import pytest
import torch
from torch.testing import assert_close

from tonotopy.encoders import load
from tonotopy.encoders._elu import elu
from tonotopy.encoders.base import ModuleEncoder
from tonotopy.encoders.codec import codec_tiny
from tonotopy.encoders.folded import folded, state_of


def _silent(module: Any, inputs: Any, output: Any) -> Any:
    return torch.zeros_like(output)


def as_the_package(encoder, waveforms):
    with torch.inference_mode():
        return ModuleEncoder.activations(encoder, waveforms, list(encoder.stages))


@pytest.mark.parametrize("length", [9000, 7680, 9111, 400])
@pytest.mark.parametrize("name", ["codec_tiny", "encodec_24khz", "encodec_48khz"])
def test_every_stage_is_the_same(name, length):
    encoder = load(name, weights="random", seed=2)
    waveforms = 0.1 * torch.randn(2, length, generator=torch.Generator().manual_seed(0))
    found, expected = encoder.run(waveforms, list(encoder.stages)), as_the_package(encoder, waveforms)
    for stage, about in encoder.stages.items():
        assert found[stage].shape == expected[stage].shape
        if not about.codebooks and not about.is_integer:
            assert_close(
                found[stage], expected[stage], rtol=0, atol=1e-5 * float(expected[stage].abs().max())
            )
    alike = (found["codes"] == expected["codes"]).all(1)  # [B, F]
    scale = float(expected["quantized"].abs().max())
    assert_close(found["quantized"].mT[alike], expected["quantized"].mT[alike], rtol=0, atol=1e-5 * scale)
    for b, f in (~alike).nonzero().tolist():  # ties that rounding decides
        one, other = (of["codes"][b, :, f] for of in (found, expected))
        first, residual = int((one != other).nonzero()[0]), expected["latent"][b, :, f].double()
        moved = (found["latent"][b, :, f] - residual).norm()
        for book, code in zip(encoder.codebooks[:first], other, strict=False):
            residual = residual - book[code]
        entries = [encoder.codebooks[first][code[first]].double() for code in (one, other)]
        near, far = ((residual - entry).square().sum() for entry in entries)
        # each was the nearest to what its own way gave, as float32 sums of D products tell
        told = 2.0**-24 * len(residual) * sum((residual.norm() + entry.norm()).square() for entry in entries)
        assert float(abs(near - far)) <= float(2 * moved * (entries[0] - entries[1]).norm() + told)


def test_the_unit_is_exact_within_rounding():
    x = np.concatenate(
        [-np.logspace(-30, 2, 10_001), [0.0, -0.0, 3.5, -np.inf, np.inf], np.logspace(-30, 2, 9)]
    )
    given = x.astype(np.float32)[None]
    out = np.full((1, given.shape[1] + 5), 7.0, np.float32)
    elu(given, out, 3, np.float32(0.5))
    exact = np.where(given > 0, given, 0.5 * np.expm1(given.astype(float)))
    np.testing.assert_allclose(out[:, 3:-2], exact, rtol=2.5 * 2.0**-24, atol=0)
    assert (out[:, [0, 1, 2, -2, -1]] == 7).all()
    elu(np.array([[np.nan]], np.float32), out, 0, np.float32(1))
    assert np.isnan(out[0, 0])


def test_gradients_flow_through_it():
    encoder = codec_tiny("random")
    waveform = (0.1 * torch.randn(1, 3200, generator=torch.Generator().manual_seed(0))).requires_grad_()
    encoder.differentiable("stack_end")(waveform).square().sum().backward()
    assert waveform.grad is not None
    assert float(waveform.grad.abs().sum()) > 0


def test_weights_that_change_are_noticed():
    encoder = codec_tiny("random")
    waveforms = 0.1 * torch.randn(1, 3200, generator=torch.Generator().manual_seed(0))
    before = encoder.run(waveforms, ["latent"])["latent"]
    with torch.no_grad():
        encoder.module.get_submodule("codec.encoder.model.3.conv.conv").weight_g.mul_(2)
    after = encoder.run(waveforms, ["latent"])["latent"]
    assert not torch.equal(before, after)
    assert_close(after, as_the_package(encoder, waveforms)["latent"])


def test_hooks_are_at_work():
    encoder = codec_tiny("random")
    layer = encoder.module.get_submodule("codec.encoder.model.12")
    handle = layer.register_forward_hook(_silent)
    silenced = encoder.run(torch.ones(1, 3200), ["stack_end"])["stack_end"]
    handle.remove()
    assert not silenced.any()
    assert encoder.run(torch.ones(1, 3200), ["stack_end"])["stack_end"].any()


def test_what_has_no_convolution_is_left_as_it_is():
    plain = torch.nn.Sequential(torch.nn.Linear(1, 2), torch.nn.ELU())
    assert folded(plain) is plain


def test_what_cannot_be_told_to_have_changed_is_not_folded():
    plain = torch.nn.Sequential(torch.nn.Conv1d(1, 2, 3), torch.nn.ELU())
    assert state_of(plain) is not None
    with torch.inference_mode():
        plain[0].weight = torch.nn.Parameter(torch.ones(2, 1, 3), requires_grad=False)
    assert state_of(plain) is None  # which have no versions to tell a change by


@pytest.mark.parametrize("options", [{}, {"padding": 2}, {"dilation": 2}, {"stride": 3}, {"groups": 2}])
@pytest.mark.parametrize("channels", [1, 4])
def test_a_bare_convolution_is_the_same(options, channels):
    conv = torch.nn.Conv1d(channels, 8, 5, **({} if channels == 1 and "groups" in options else options))
    x = torch.randn(2, channels, 50, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        assert_close(folded(conv)(x), conv(x))
