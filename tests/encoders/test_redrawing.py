"""Baselines at the trained level, and of shuffled weights."""

import copy
from typing import Any

import pytest
import torch
from torch import nn

from tonotopy.encoders import InputError, load, wrap
from tonotopy.encoders.abilities import BASELINE_KINDS, draws
from tonotopy.encoders.matching import match
from tonotopy.encoders.redrawing import permute, redrawn, reference
from tonotopy.encoders.weights import randomly_initialised, weights_of, with_weights

RATE = 8_000
CODEC = "codec.encoder."  # the half that is heard at the stages


@pytest.fixture(scope="module")
def trained():
    return {name: load(name) for name in ("codec_tiny", "samplecnn_tiny")}


@pytest.fixture(scope="module")
def drawn(trained):
    return {
        (name, kind): encoder.randomised(3, kind=kind)
        for name, encoder in trained.items()
        for kind in BASELINE_KINDS
    }


def outputs(encoder: Any) -> dict[str, torch.Tensor]:
    """What every convolution on the way to the latent gives of the reference."""
    found = {}
    handles = [
        part.register_forward_hook(lambda _part, _inputs, output, name=name: found.update({name: output}))
        for name, part in encoder.module.named_modules()
        if isinstance(part, nn.Conv1d)
    ]
    encoder.run(reference(encoder.sample_rate, encoder.sample_rate // 2), ["latent"])
    for handle in handles:
        handle.remove()
    return found


def furthest_db(name, encoder, other, level) -> float:
    due, found = outputs(encoder), outputs(other)
    assert set(found) == set(due)
    assert len(due) == {"codec_tiny": 18, "samplecnn_tiny": 7}[name]
    return max(abs(20 * float(torch.log10(level(found[n]) / level(due[n])))) for n in due)


def rms(output):
    return output.square().mean().sqrt()


def varying(output):
    return (output - output.mean(dim=(0, 2), keepdim=True)).square().mean().sqrt()


@pytest.mark.parametrize("level", [rms, varying])
@pytest.mark.parametrize("name", ["codec_tiny", "samplecnn_tiny"])
def test_matched_convolutions_answer_as_strongly_as_trained_ones(trained, drawn, name, level):
    assert furthest_db(name, trained[name], drawn[name, "matched"], level) < 1
    assert furthest_db(name, trained[name], drawn[name, "random"], level) > 10


def departure(encoder, level_db):
    """How far the answer to a sound at another level is from the answer at that of the reference, scaled."""
    sound = reference(encoder.sample_rate, encoder.sample_rate // 2)[:1]
    gain = 10 ** (level_db / 20)
    found = encoder.run(torch.cat([sound, gain * sound, 0 * sound]), ["latent"])["latent"]
    plain, scaled, silence = found.double()
    return float(((scaled - silence) / gain - (plain - silence)).norm() / (plain - silence).norm())


def test_level_matters_to_a_matched_codec_and_hardly_to_one_at_its_default_scale(trained, drawn):
    """At the default scale all stays on one side of every kink: what is stable there is a linear map."""
    assert departure(drawn["codec_tiny", "random"], -20) < 0.1
    for encoder in (trained["codec_tiny"], drawn["codec_tiny", "matched"], drawn["codec_tiny", "permuted"]):
        assert departure(encoder, -20) > 0.8


def test_without_biases_rectified_answers_scale_with_the_level_matched_or_not():
    """So level says nothing about a network that has none, and matching it changes its scale alone."""

    def net():
        return nn.Sequential(
            nn.Conv1d(1, 8, 9, stride=2, bias=False), nn.ReLU(), nn.Conv1d(8, 8, 5, bias=False), nn.ReLU()
        )

    encoder: Any = wrap(randomly_initialised(net, 1), RATE, {"first_layer": "0", "latent": "3"})
    with torch.no_grad():
        encoder.module[0].weight.mul_(30)
    random, matched = (encoder.randomised(5, kind=kind) for kind in ("random", "matched"))
    assert max(departure(one, db) for one in (random, matched) for db in (-40, 40)) < 1e-5
    answers = [one.run(reference(RATE, RATE), ["latent"])["latent"] for one in (random, matched)]
    ratio = answers[1].norm() / answers[0].norm()
    assert not 0.9 < ratio < 1.1
    assert torch.allclose(answers[1], ratio * answers[0], rtol=1e-3, atol=1e-5 * float(answers[1].max()))


@pytest.mark.parametrize("name", ["codec_tiny", "samplecnn_tiny"])
def test_permuted_weights_are_the_trained_values_elsewhere(trained, drawn, name):
    shuffled = dict(with_weights(drawn[name, "permuted"].module))
    for part, module in with_weights(trained[name].module):
        own = weights_of(module)
        for key, values in weights_of(shuffled[part]).items():
            torch.testing.assert_close(values.flatten().sort()[0], own[key].flatten().sort()[0])
            assert values.numel() == 1 or not torch.allclose(values, own[key])


@pytest.mark.parametrize("kind", ["matched", "permuted"])
def test_draws_follow_from_the_seed_and_say_what_they_are(trained, drawn, kind):
    encoder, one = trained["samplecnn_tiny"], drawn["samplecnn_tiny", kind]
    same, other = (encoder.randomised(seed, kind=kind) for seed in (3, 4))
    assert one.weights.sha256 == same.weights.sha256
    assert len({e.weights.sha256 for e in (encoder, one, other)}) == 3
    assert (one.stages, one.weights.source) == (encoder.stages, kind)
    assert "seed 3" in one.weights.note
    assert "7 norms" in one.weights.note
    kernels = one.module.get_parameter("blocks.0.conv.weight")[:, 0].double()
    assert torch.equal(torch.from_numpy(one.kernels("first_layer")), kernels)


@pytest.mark.parametrize("kind", ["random", "matched", "permuted"])
def test_codebooks_are_filled_from_the_latents_of_the_network_itself(trained, drawn, kind):
    own = drawn["codec_tiny", kind]
    assert "filled by k-means" in own.weights.note
    noise = reference(24_000, 12_000)
    for book, theirs in zip(own.codebooks, trained["codec_tiny"].codebooks, strict=True):
        assert book.abs().max() > 0
        assert not torch.allclose(book, theirs)
    found = own.run(noise, ["latent", "quantized"])
    lost = (found["latent"] - found["quantized"])[..., 10:]
    spread = found["latent"] - found["latent"].mean(dim=(0, 2), keepdim=True)
    assert lost.norm() < 0.8 * spread[..., 10:].norm()
    assert own.decode(found["quantized"]).std() > 0


def test_what_a_note_says_of_a_codec(drawn):
    note = drawn["codec_tiny", "matched"].weights.note
    assert "36 layers at the trained level, within 0.00 dB (RMS), 0.00 dB (what varies)" in note
    assert "2 by their weights" in note  # of either half the LSTM


class Twice(nn.Module):
    """One convolution that is called twice, a recurrent layer, a norm and a projection behind."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.utils.parametrizations.weight_norm(nn.Conv1d(1, 6, 8, stride=4))
        self.again = nn.Conv1d(6, 6, 3, padding=1)
        self.norm = nn.BatchNorm1d(6)
        self.recur = nn.GRU(6, 5, batch_first=True)
        self.out = nn.Linear(5, 5)
        self.unused = nn.Linear(2, 2)

    def forward(self, sounds):
        found = self.again(torch.tanh(self.again(self.first(sounds))))
        return self.out(self.recur(self.norm(found).transpose(1, 2))[0])


def play(network):
    with torch.inference_mode():
        network(reference(RATE, 2000)[:, None])


@torch.no_grad()
def test_matching_takes_modules_as_they_come():
    learned, other = (randomly_initialised(Twice, seed).eval() for seed in (0, 1))
    for parameter in learned.parameters():
        parameter.mul_(2).add_(0.1)
    learned.get_submodule("norm").running_var.fill_(9.0)  # type: ignore[union-attr]
    kept = copy.deepcopy(learned.state_dict())
    note = match(learned, other, play, seed=1)
    assert all(torch.equal(value, kept[key]) for key, value in learned.state_dict().items())
    assert note.startswith("4 layers at the trained level, within ")
    assert "1 by their weights" in note
    assert note.endswith("statistics of 1 norms from the same sounds")
    for name, wanted in weights_of(learned.get_submodule("recur")).items():
        assert float(rms(weights_of(other.get_submodule("recur"))[name])) == pytest.approx(float(rms(wanted)))
    sounds = reference(RATE, 2000)[:, None]
    first = [network.get_submodule("first")(sounds) for network in (learned, other)]
    assert float(rms(first[1])) == pytest.approx(float(rms(first[0])), rel=1e-4)
    assert float(varying(first[1])) == pytest.approx(float(varying(first[0])), rel=1e-4)
    assert not any(part._forward_hooks or part._forward_pre_hooks for part in other.modules())


@torch.no_grad()
def test_shuffling_takes_weights_as_they_take_effect():
    learned = randomly_initialised(Twice, 0).eval()
    other = copy.deepcopy(learned)
    permute(learned, other, play, seed=1)
    for name in ("first", "again", "recur", "unused"):
        for key, values in weights_of(learned.get_submodule(name)).items():
            shuffled = weights_of(other.get_submodule(name))[key]
            torch.testing.assert_close(shuffled.flatten().sort()[0], values.flatten().sort()[0])
    assert not torch.equal(other.get_submodule("norm").running_mean, torch.zeros(6))  # type: ignore[arg-type]


def test_silent_layers_are_left_and_counted():
    learned, other = (randomly_initialised(lambda: nn.Sequential(nn.Conv1d(1, 3, 4)), s) for s in (0, 1))
    with torch.no_grad():
        learned[0].weight.zero_()  # type: ignore[index, union-attr]
        note = match(learned, other, play, seed=0)
    assert "1 of them silent" in note
    assert other[0].weight.abs().max() > 0  # type: ignore[index, union-attr]


class Front(nn.Module):
    """A basis kept as a convolution, and a layer that learns."""

    def __init__(self) -> None:
        super().__init__()
        self.front = nn.Conv1d(1, 8, 32, stride=8, bias=False)
        turns = torch.arange(4)[:, None] * torch.arange(32) / 32
        with torch.no_grad():
            self.front.weight.copy_(torch.cat([torch.cos(2 * torch.pi * turns), torch.sin(turns)])[:, None])
        self.conv = nn.Conv1d(8, 6, 3)

    def forward(self, sounds):
        return self.conv(torch.relu(self.front(sounds)))


@pytest.mark.parametrize("kind", BASELINE_KINDS)
def test_a_fixed_basis_stays_in_every_baseline(kind):
    taps = {"first_layer": "front", "latent": "conv"}
    loose: Any = wrap(Front(), RATE, taps)
    fixed: Any = wrap(Front(), RATE, taps, fixed=("front",))
    kernels = fixed.kernels("first_layer")
    twin = fixed.randomised(1, kind=kind)
    assert (twin.kernels("first_layer") == kernels).all()
    assert not torch.equal(twin.module.conv.weight, fixed.module.conv.weight)
    assert (twin.randomised(2, kind=kind).kernels("first_layer") == kernels).all()  # and in theirs
    assert (loose.randomised(1, kind=kind).kernels("first_layer") != kernels).any()


def test_what_is_fixed_must_be_there():
    with pytest.raises(InputError, match="fixed: Front has no submodule 'fornt'; it has front, conv"):
        wrap(Front(), RATE, {"latent": "conv"}, fixed=("fornt",))


def test_kinds_that_are_none_or_not_drawn_are_refused(trained):
    with pytest.raises(InputError, match="baseline 'shuffled': must be random, matched, permuted"):
        trained["codec_tiny"].randomised(0, kind="shuffled")
    with pytest.raises(InputError, match="baseline 'matched': it is drawn at random only"):
        draws(load("musicvae_tiny").randomised, "matched")

    class Square(nn.Module):
        def forward(self, values):
            return values.square()

    odd = nn.utils.parametrize.register_parametrization(nn.Conv1d(1, 2, 3), "weight", Square())
    with pytest.raises(InputError, match="no permuted baseline: "):
        redrawn("permuted", odd, lambda: copy.deepcopy(odd), play, seed=0)
    # weights that nothing says how to draw can be shuffled all the same
    normed: Any = wrap(
        nn.Sequential(nn.utils.parametrizations.weight_norm(nn.Conv1d(1, 2, 3))), RATE, {"a": "0"}
    )
    assert normed.randomised(0, kind="permuted").weights.source == "permuted"
