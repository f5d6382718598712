import types

import numpy as np
import pytest
import torch
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from tonotopy.encoders import ModuleEncoder, load, wrap
from tonotopy.encoders.base import Stage
from tonotopy.encoders.weights import randomly_initialised
from tonotopy.probes.engine.session import Session
from tonotopy.probes.engine.store import ZARR_FORMAT
from tonotopy.probes.folding.invertibility import invertibility, jacobian_kernels
from tonotopy.probes.folding.polyphase import FLOOR, polyphase_singular_values
from tonotopy.synth.errors import InputError

from ..conftest import encoder_of

CPU = torch.device("cpu")
BANKS = {
    "n_channels": st.integers(1, 9),
    "hop": st.integers(1, 6),
    "length": st.integers(1, 19),
    "seed": st.integers(0, 2**16),
}


def bank(n_channels, length, seed):
    return np.random.default_rng(seed).standard_normal((n_channels, length))


def extremes(kernels, hop):
    values = polyphase_singular_values(kernels, hop)
    return values.min(), values.max()


def at(encoder, stage, **options):
    return invertibility(Session(encoder, [stage]), **options).sel(stage=stage)


def conv(kernels, hop):
    layer = nn.Conv1d(1, len(kernels), kernels.shape[1], stride=hop, bias=False)
    layer.weight.data = torch.from_numpy(kernels).float()[:, None]
    return layer


def deep(module, stage, sample_rate=1000):
    """An encoder whose one stage, the module's output, is not known to be linear."""
    return encoder_of(module, [stage], {stage.name: ""}, sample_rate=sample_rate)


# closed forms


def test_the_decimator_keeps_one_of_320_columns():
    found = at(load("control:decimator"), "first_layer")
    assert found.method == "polyphase"
    assert found.smallest_singular_value == 0
    assert found.largest_singular_value == pytest.approx(1, abs=1e-12)
    assert found.smallest_nonzero_singular_value == pytest.approx(1, abs=1e-12)
    assert np.isinf(found.condition_number)
    assert found.rank_share == found.channels_per_hop == 1 / 320


def test_the_stft_meets_its_window_s_lower_frame_bound():
    """Real and imaginary channels of bins 0 .. N/2 hold N/2 sum |w x|^2 and half of what is at both ends.

    So the bank's energy is at least ``(N/2) sum_n x[n]^2 sum_m w[n + m S]^2``, and little more for
    sounds that have nothing at DC and Nyquist.
    """
    found = at(load("filterbank:stft"), "first_layer")
    n, hop = 1024, 320
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(n) / n)
    overlap = [np.square(window[first::hop]).sum() for first in range(hop)]
    assert found.smallest_singular_value**2 == pytest.approx(n / 2 * min(overlap), rel=0.01)
    assert found.smallest_singular_value**2 >= n / 2 * min(overlap) * (1 - 1e-9)
    assert found.largest_singular_value**2 >= n / 2 * max(overlap)
    assert found.condition_number == found.largest_singular_value / found.smallest_singular_value
    assert (found.rank_share, found.linearisation_error < 1e-4) == (1, True)


@pytest.mark.parametrize("hop", [1, 2, 7])
def test_an_orthonormal_basis_has_ones_throughout(hop):
    kernels, _ = np.linalg.qr(bank(hop, hop, seed=hop))
    np.testing.assert_allclose(polyphase_singular_values(kernels, hop), 1, atol=1e-12)


def test_a_perfect_reconstruction_bank_has_ones_throughout():
    """Daubechies 1988, four taps: an orthonormal basis of overlapping filters."""
    root = np.sqrt(3)
    low = np.array([1 + root, 3 + root, 3 - root, 1 - root]) / (4 * np.sqrt(2))
    high = low[::-1] * [1, -1, 1, -1]
    encoder = wrap(nn.Sequential(conv(np.stack([low, high]), 2)), 8000, {"first_layer": "0"})
    found = at(encoder, "first_layer")
    for name in ("smallest_by_turn", "largest_by_turn", "smallest_singular_value", "condition_number"):
        np.testing.assert_allclose(found[name], 1, atol=1e-6)  # float32 weights


def test_one_filter_at_hop_one_is_its_frequency_response():
    kernel = bank(1, 5, seed=0)
    turns = np.linspace(0, 0.5, 33)
    expected = np.abs(np.exp(2j * np.pi * np.outer(turns, np.arange(5))) @ kernel[0])
    np.testing.assert_allclose(polyphase_singular_values(kernel, 1, 33)[:, 0], expected, rtol=1e-9)


# properties


@given(**BANKS, frames=st.sampled_from([4, 6, 10]))
def test_singular_values_are_those_of_the_bank_on_a_circle(n_channels, hop, length, seed, frames):
    """The dense matrix of all frames of a periodic signal, taken apart by nothing but LAPACK."""
    kernels = bank(n_channels, length, seed)
    dense = np.zeros((frames, n_channels, frames * hop))
    for frame in range(frames):
        for tap in range(length):
            dense[frame, :, (frame * hop + tap) % (frames * hop)] += kernels[:, tap]
    expected = np.zeros(frames * hop)
    found = np.linalg.svd(dense.reshape(-1, frames * hop), compute_uv=False)
    expected[: len(found)] = found
    values = polyphase_singular_values(kernels, hop, n_turns=frames // 2 + 1)
    mirrored = np.concatenate([values, values[1:-1]])
    tolerance = 2 * FLOOR * expected.max()
    np.testing.assert_allclose(np.sort(mirrored.ravel())[::-1], expected, atol=tolerance)


@given(**BANKS, gain=st.floats(1e-6, 1e6), before=st.integers(0, 13), after=st.integers(0, 13))
def test_gain_scales_order_and_delay_change_nothing(n_channels, hop, length, seed, gain, before, after):
    kernels = bank(n_channels, length, seed)
    values = polyphase_singular_values(kernels, hop, 33)
    order = np.random.default_rng(seed).permutation(n_channels)
    moved = np.pad(kernels[order], ((0, 0), (before, after)))
    tolerance = 2 * FLOOR * gain * values.max()
    changed = polyphase_singular_values(gain * moved, hop, 33)
    np.testing.assert_allclose(changed, gain * values, rtol=1e-6, atol=tolerance)


@given(**BANKS)
def test_fewer_channels_than_hop_are_never_invertible(n_channels, hop, length, seed):
    values = polyphase_singular_values(bank(n_channels, length, seed), hop + n_channels, 9)
    assert (values[:, n_channels:] == 0).all()
    assert (np.diff(values, axis=1) <= 0).all()


@given(**BANKS)
def test_a_bank_twice_over_gains_the_root_of_two(n_channels, hop, length, seed):
    kernels = bank(n_channels, length, seed)
    once, twice = (polyphase_singular_values(k, hop, 17) for k in (kernels, np.tile(kernels, (2, 1))))
    np.testing.assert_allclose(twice, np.sqrt(2) * once, rtol=1e-6, atol=4 * FLOOR * once.max())


@pytest.mark.parametrize(("n_channels", "hop", "length"), [(12, 8, 64), (9, 8, 24), (1, 1, 7), (20, 5, 60)])
@pytest.mark.parametrize("seed", range(3))
def test_extremes_are_found_within_a_percent(n_channels, hop, length, seed):
    kernels = bank(n_channels, length, seed)
    found = at(wrap(nn.Sequential(conv(kernels, hop)), 8000, {"first_layer": "0"}), "first_layer")
    fine = polyphase_singular_values(kernels.astype(np.float32), hop, 4001)
    assert found.smallest_singular_value == pytest.approx(fine.min(), rel=0.01)
    assert found.largest_singular_value == pytest.approx(fine.max(), rel=0.01)
    np.testing.assert_allclose(found.largest_by_turn[::8], fine[:: 4000 // 8, 0], rtol=1e-5)
    np.testing.assert_allclose(found.smallest_by_turn[::8], fine[:: 4000 // 8, -1], rtol=1e-4)


# linearisations


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("filterbank:stft", {"sample_rate": 4000}),
        ("filterbank:gammatone", {"sample_rate": 4000}),
        ("control:decimator", {}),
        ("samplecnn_tiny", {}),
        ("encodec_24khz", {"weights": "random"}),
    ],
)
def test_the_jacobian_of_a_linear_stage_is_its_closed_form(name, options):
    encoder = load(name, **options)
    assert isinstance(encoder, ModuleEncoder)
    expected = encoder.kernels("first_layer")
    assert expected is not None
    answer, stage = encoder.differentiable("first_layer"), encoder.stages["first_layer"]
    found = jacobian_kernels(answer, stage, expected.shape[1], CPU)
    np.testing.assert_allclose(found, expected, atol=1e-6 * np.abs(expected).max())


@pytest.fixture
def convolutions():
    """Two strided convolutions, and their composition [7, 16] at hop 6, from numpy."""
    stack = randomly_initialised(
        lambda: nn.Sequential(nn.Conv1d(1, 5, 8, stride=2), nn.Conv1d(5, 7, 5, stride=3)), 3
    )
    first, second = stack.children()
    weights = [layer.get_parameter("weight").detach().double().numpy() for layer in (first, second)]
    composed = np.zeros((7, 16))
    for tap in range(5):
        composed[:, 2 * tap : 2 * tap + 8] += weights[1][:, :, tap] @ weights[0][:, 0]
    return first, second, composed


def test_a_linear_stack_is_its_composed_kernel(convolutions):
    first, second, composed = convolutions
    encoder = wrap(nn.Sequential(first, second), 8000, {"latent": "1"})
    stage = encoder.stages["latent"]
    found = jacobian_kernels(encoder.differentiable("latent"), stage, 16, CPU)
    np.testing.assert_allclose(found, composed, atol=1e-6)
    smallest, largest = extremes(composed, 6)
    assert at(encoder, "latent").largest_singular_value == pytest.approx(largest, rel=1e-3)
    assert at(encoder, "latent").smallest_singular_value == pytest.approx(smallest, rel=0.01)


def test_a_nonlinear_stage_is_linearised_where_silence_puts_it(convolutions):
    first, second, composed = convolutions
    encoder = deep(nn.Sequential(first, second, nn.Tanh()), Stage("latent", 7, 6, 16, 15))
    silence = encoder.run(torch.zeros(1, 60), ["latent"])["latent"][0, :, 0].double().numpy()
    smallest, largest = extremes((1 - silence**2)[:, None] * composed, 6)
    found = at(encoder, "latent")
    assert found.method == "jacobian"
    assert found.largest_singular_value == pytest.approx(largest, rel=1e-3)
    assert found.smallest_singular_value == pytest.approx(smallest, rel=0.01)
    assert found.linearisation_error < 1e-3
    assert found.remark == ""


def test_the_jacobian_is_that_of_torch_func(stack):
    """Frame 1 of the stage sees samples 6 to 21."""
    answer = stack.differentiable("latent")
    expected = torch.func.jacrev(lambda x: answer(x[None])[0, :, 1])(torch.zeros(30)).detach().numpy()
    found = jacobian_kernels(answer, stack.stages["latent"], 16, CPU)
    np.testing.assert_allclose(found, expected[:, 6:22], atol=1e-6)
    assert not expected[:, [*range(6), *range(22, 30)]].any()


@pytest.mark.parametrize("wrong", [lambda k: 1.3 * k, lambda k: np.roll(k, 1, axis=1)])
def test_kernels_that_are_off_are_noticed(stack, wrong):
    assert at(stack, "first_layer").linearisation_error < 1e-4
    stack._kernels["first_layer"] = wrong(stack._kernels["first_layer"])
    assert at(stack, "first_layer").linearisation_error > 0.2


class Recurrent(nn.Module):
    """h[t] = tanh(a h[t - 1] + x[t]): around silence 1 / |1 - a exp(-j theta)|."""

    def __init__(self, a):
        super().__init__()
        self.rnn = nn.RNN(1, 1, bias=False, batch_first=True)
        self.rnn.weight_hh_l0.data.fill_(a)
        self.rnn.weight_ih_l0.data.fill_(1.0)

    def forward(self, x):
        return self.rnn(x.transpose(1, 2))[0].transpose(1, 2)


def test_an_unbounded_stage_is_heard_as_far_back_as_it_remembers():
    found = at(deep(Recurrent(0.9), Stage("latent", 1, 1, None, 0)), "latent")
    assert found.kernel_length == pytest.approx(np.log(1e-8) / (2 * np.log(0.9)), abs=1)
    assert found.smallest_singular_value == pytest.approx(1 / 1.9, rel=1e-3)
    assert found.largest_singular_value == pytest.approx(1 / 0.1, rel=1e-3)
    assert found.remark == ""
    forever = at(deep(Recurrent(0.9999), Stage("latent", 1, 1, None, 0)), "latent")
    assert str(forever.remark.values).endswith("answers: remembers more than 2 s, the rest is left out")


def test_encodec_s_latent_through_the_lstm():
    found = at(load("encodec_24khz", weights="random"), "latent")
    assert found.method == "jacobian"
    assert 2718 < found.kernel_length < 24_000
    assert found.smallest_singular_value == 0
    assert found.rank_share == found.channels_per_hop == 0.4  # every channel tells something of its own
    assert found.smallest_nonzero_singular_value > FLOOR * found.largest_singular_value
    assert found.linearisation_error < 0.02


def test_a_layer_that_is_dead_at_silence_counts_as_zeros():
    module = nn.Sequential(conv(bank(4, 6, seed=0), 3), nn.ReLU())
    module[0].bias = nn.Parameter(torch.full((4,), -5.0))
    found = at(deep(module, Stage("latent", 4, 3, 6, 5)), "latent")
    assert (found.method, found.remark) == ("jacobian", "dead at silence: nothing answers")
    assert found.smallest_singular_value == found.largest_singular_value == found.linearisation_error == 0
    assert found.rank_share == 0
    assert np.isinf(found.condition_number)
    assert np.isnan(found.smallest_nonzero_singular_value)


# what has no derivative

VALUES = ("smallest_singular_value", "largest_singular_value", "condition_number", "rank_share")


def assert_none(found, remark):
    assert found.method == "none"
    assert remark in str(found.remark.values)
    assert all(np.isnan(found[name]) for name in VALUES)
    assert found.smallest_by_turn.isnull().all()


@pytest.mark.parametrize(
    ("name", "stage", "remark"),
    [
        ("control:texture", "quantized", "steps have no derivative"),
        ("control:texture", "codes", "steps have no derivative"),
        ("control:rectifier", "first_layer", "quiet noise is answered"),
        ("filterbank:stft_magnitude", "first_layer", "quiet noise is answered"),
    ],
)
def test_controls_without_a_derivative(name, stage, remark):
    assert_none(at(load(name, sample_rate=4000), stage), remark)


def test_a_model_that_divides_by_its_level_has_no_derivative_at_silence():
    encoder = load("encodec_48khz", weights="random")
    assert_none(at(encoder, "stack_end"), "the Jacobian at silence is not finite")
    first = at(encoder, "first_layer")
    assert (first.method, first.linearisation_error < 1e-3) == ("polyphase", True)


def test_a_tie_is_remarked_upon():
    found = at(deep(nn.Sequential(conv(bank(8, 2, seed=0), 2), nn.MaxPool1d(3)), Stage("latent", 8, 6, 6, 5)),
               "latent")  # fmt: skip
    assert found.method == "jacobian"  # of the first of the three
    assert found.linearisation_error > 0.5
    assert "a corner or a tie" in str(found.remark.values)


def test_encoders_that_gradients_do_not_flow_through(leaky, stack):
    assert_none(at(leaky, "first_layer"), "no derivative: ")
    given = types.SimpleNamespace(
        name="given", sample_rate=24_000, stages=stack.stages, weights=stack.weights, device=CPU,
        run=stack.run, kernels=lambda stage: None,
    )  # fmt: skip
    assert_none(at(given, "latent"), "given has no `differentiable`")


# the dataset


def test_all_canonical_stages_by_default(stack):
    found = invertibility(Session(stack))
    assert found.stage.values.tolist() == ["first_layer", "latent"]
    assert found.method.values.tolist() == ["polyphase", "jacobian"]
    assert found.smallest_by_turn.dims == ("stage", "turn")
    assert (float(found.turn[0]), float(found.turn[-1])) == (0, 0.5)
    assert found.channels_per_hop.values.tolist() == [5 / 2, 7 / 6]
    assert all("units" in v.attrs and "long_name" in v.attrs for v in found.variables.values())
    low, high = found.smallest_by_turn.min("turn"), found.largest_by_turn.max("turn")
    assert (found.smallest_singular_value <= low).all()
    assert (found.smallest_singular_value > 0.5 * low).all()
    np.testing.assert_allclose(found.largest_singular_value, high, rtol=0.01)
    assert invertibility(Session(stack)).identical(found)  # nothing is drawn


def test_the_result_survives_the_disk(stack, tmp_path):
    found = invertibility(Session(stack, ["latent"]))
    xr.DataTree(found).to_zarr(tmp_path / "kept.zarr", zarr_format=ZARR_FORMAT)
    with xr.open_datatree(tmp_path / "kept.zarr", engine="zarr") as kept:
        xr.testing.assert_identical(kept.to_dataset().load(), found)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((np.zeros(3), 1), r"kernels of shape \(3,\): must be \[C, L\]"),
        ((np.zeros((0, 3)), 1), r"kernels of shape \(0, 3\): must be \[C, L\]"),
        ((np.full((1, 3), np.nan), 1), "kernels: every tap must be a finite number"),
        ((np.ones((1, 3)), 0), "hop 0: must be at least 1 sample"),
        ((np.ones((1, 3)), 1, 1), "n_turns 1: must be at least 2"),
    ],
)
def test_banks_that_are_none(arguments, message):
    with pytest.raises(InputError, match=message):
        polyphase_singular_values(*arguments)


def test_a_stage_that_is_not_there(stack):
    with pytest.raises(InputError, match="stage 'middle': test has no such stage"):
        invertibility(Session(stack, ["middle"]))
