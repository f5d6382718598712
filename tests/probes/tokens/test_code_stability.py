import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from tonotopy.encoders import load
from tonotopy.encoders.base import ModuleEncoder, Stage, Weights
from tonotopy.encoders.quantization import residual_quantization
from tonotopy.probes import codes
from tonotopy.probes.engine.session import Session
from tonotopy.probes.tokens.code_stability import certainty, relative_margins
from tonotopy.synth import partials

RATE, HOP = 8000, 8


def patches(seed, entries=32):
    return torch.from_numpy(np.random.default_rng(seed).normal(0, 0.1, (entries, HOP))).float()


class Patches(ModuleEncoder):
    """Codes are the nearest patches of waveform, residual by residual; `end` and `back` may spoil it."""

    def __init__(self, books, end=lambda latent: latent, back=1.0):
        module = nn.Identity()
        stages = [
            Stage("latent", HOP, HOP, HOP, HOP - 1),
            Stage("quantized", HOP, HOP, HOP, HOP - 1),
            Stage("codes", len(books), HOP, HOP, HOP - 1, "codes"),
        ]
        super().__init__("patches", module, RATE, {s.name: s for s in stages}, {}, Weights("none", "0" * 64))
        self.codebooks, self._end, self._back = tuple(books), end, back

    def run(self, waveforms, stages):
        latent = self._end(torch.as_tensor(waveforms).unflatten(1, (-1, HOP)))  # [B, F, D]
        made = residual_quantization(latent, self.codebooks)
        quantized = made.vectors[..., -1, :].transpose(1, 2)
        heard = {
            "latent": latent.transpose(1, 2),
            "quantized": quantized,
            "codes": made.codes.transpose(1, 2),
        }
        return {stage: heard[stage] for stage in stages}

    def decode(self, latent, scale=None):
        return self._back * latent.transpose(1, 2).flatten(1)


def heard(encoder):
    return codes(Session(encoder), partials(120, 3000, count=5), contexts=2, density=2, phases=3).sel(
        stage="codes"
    )


def test_decoding_what_one_codebook_chose_gives_it_back():
    found = heard(Patches([patches(0)]))
    assert (found.reencoded_same == 1).all()
    assert (found.reencoded_step == 1).all()
    assert float(found.unrelated_same.mean()) < 0.5  # not because everything is the same
    assert str(found.remark.values) == ""


def test_drift_from_the_first_generation_and_from_the_last_are_told_apart():
    """The decoder turns the sign over, and with every entry its negative is in the book."""
    book = patches(0)
    found = heard(Patches([torch.cat([book, -book])], back=-1.0))
    assert found.reencoded_same.mean(("component", "codebook")).values.tolist() == [0, 1, 0]
    assert found.reencoded_step.mean(("component", "codebook")).values.tolist() == [0, 0, 0]


def test_a_residual_codebook_makes_generations_drift_no_further_than_its_decisions():
    found = heard(Patches([patches(0), 0.1 * patches(1)]))
    assert 0.5 < float(found.reencoded_same.mean()) <= 1


def test_codes_that_count_from_the_start_change_with_it():
    def counted(latent):  # every other frame is turned over
        sign = 1.0 - 2.0 * (torch.arange(latent.shape[1]) % 2)
        return latent * sign[:, None]

    steady, counting = heard(Patches([patches(0)])), heard(Patches([patches(0)], counted))
    assert (steady.shifted_same.sel(delay=[1, 8]) == 1).all()
    assert float(counting.shifted_same.sel(delay=1).mean()) < 0.2
    assert (counting.shifted_same.sel(delay=8) == 1).all()
    np.testing.assert_array_equal(steady.delay, np.array([1, 2, 4, 8, 64]) / HOP)


def test_what_the_batch_does_to_codes_is_found():
    found = heard(Patches([patches(0)], lambda latent: latent + 0.1 * (len(latent) == 1)))
    assert found.arithmetic.values.tolist() == ["batch of one", "two threads", "float64 distances"]
    assert float(found.arithmetic_changed[0].mean()) > 0.1
    assert (found.arithmetic_changed[1:] == 0).all()
    assert found.arithmetic_distance.values[0] > 0.01
    assert found.arithmetic_margin.values[0] > 0
    assert found.arithmetic_certainty.values[0] > 1  # rounding does not explain it
    assert (found.arithmetic_certainty[1:] == 0).all()


def test_what_threads_do_to_codes_is_found_and_threads_are_given_back():
    before = torch.get_num_threads()
    found = heard(Patches([patches(0)], lambda latent: latent + 0.1 * (torch.get_num_threads() > 1)))
    assert torch.get_num_threads() == before
    assert float(found.arithmetic_changed.sel(arithmetic="two threads").mean()) > 0.1
    assert (found.arithmetic_changed.sel(arithmetic="batch of one") == 0).all()


def test_the_edge_of_a_margin_is_that_of_the_first_code_that_changed():
    """The first codebook decides far from any edge, and all later changes follow from the second's."""
    firm = torch.tensor([[0.0], [1000.0]]) * torch.ones(HOP)
    found = heard(Patches([firm, patches(0)], lambda latent: latent + 0.1 * (len(latent) == 1)))
    assert (found.arithmetic_changed.sel(codebook=1) == 0).all()
    assert float(found.margin.sel(codebook=1).min()) > 0.99
    assert 0 < found.arithmetic_margin.values[0] < 0.99


@given(st.integers(0, 1000), st.floats(0, 1))
@settings(derandomize=True, deadline=None, max_examples=40)
def test_no_step_of_less_than_half_the_margin_turns_a_decision(seed, share):
    generator = np.random.default_rng(seed)
    book = torch.from_numpy(generator.normal(size=(16, 3)))
    latent = torch.from_numpy(generator.normal(size=(50, 3)))
    made = residual_quantization(latent, [book])
    step = torch.from_numpy(generator.normal(size=(50, 3)))
    step *= 0.499 * share * made.margins / torch.linalg.vector_norm(step, dim=-1, keepdim=True)
    moved = residual_quantization(latent + step, [book])
    np.testing.assert_array_equal(moved.codes, made.codes)
    relative = relative_margins(made)
    assert (relative >= 0).all()
    assert (relative <= 1 + 1e-12).all()


def test_relative_margins_on_a_line():
    book = torch.tensor([[0.0], [1.0]])
    made = residual_quantization(torch.tensor([[0.0], [0.25], [0.5], [-3.0]]), [book])
    assert relative_margins(made)[:, 0].tolist() == [1.0, 0.5, 0.0, 1.0]
    twice = residual_quantization(torch.tensor([[0.2]]), [torch.ones(2, 1)])
    assert relative_margins(twice).tolist() == [[0.0]]


def test_the_edge_counts_the_size_of_what_is_subtracted():
    """The same margin is firm near zero and lost far from it."""
    for size, firm in ((0.0, True), (1e4, False)):
        book = torch.tensor([[0.0], [1.0]]) + size
        latent = torch.tensor([[0.25]]) + size
        assert bool(certainty(latent, residual_quantization(latent, [book])) > 1) is firm


def test_float32_turns_decisions_near_the_edge_and_no_others():
    """Latents that differ little from one another, and much from zero: those of an untrained codec."""
    generator = torch.Generator().manual_seed(0)
    mean = torch.randn(64, generator=generator) / 8
    latent = mean + 0.001 * torch.randn(4000, 64, generator=generator)
    books = [
        mean + 0.001 * torch.randn(256, 64, generator=generator),
        0.001 * torch.randn(256, 64, generator=generator),
    ]
    exact = residual_quantization(latent.double(), [book.double() for book in books])
    turned = (residual_quantization(latent, books).codes != exact.codes)[:, 0]
    firm = certainty(latent, exact)[:, 0]
    assert turned.sum() > 10
    assert 0.02 < firm[turned].max() < 1
    assert not turned[firm > 1].any()
    assert (firm > 1).sum() > 1000


@pytest.fixture(scope="module")
def tiny():
    encoder = load("codec_tiny", weights="random")
    found = codes(Session(encoder), partials(200, 4000, count=4), contexts=2, density=2, phases=2, frames=2)
    return found.sel(stage="codes")


def test_rounding_explains_every_code_that_batches_threads_or_precision_change(tiny):
    assert (tiny.arithmetic_certainty <= 1).all()
    assert (tiny.arithmetic_distance < 2.0**-20).all()
    assert (tiny.narrow_share <= 1).all()


def test_an_untrained_codec_says_that_its_codebooks_were_filled(tiny):
    assert "untrained: filled by k-means" in str(tiny.remark.values)
    assert "filled by k-means" in tiny.attrs["weights_note"]
    assert (tiny.used > 1).all()
    assert (tiny.entries == 256).all()
    assert (tiny.perplexity <= tiny.used + 1e-9).all()
    assert (np.diff(tiny.margin, axis=0) >= 0).all()
