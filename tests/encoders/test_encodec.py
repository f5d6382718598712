import urllib.error
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from tonotopy.encoders import InputError, load
from tonotopy.encoders.weights import state_sha256

pytestmark = pytest.mark.numerical

FIELDS = {"first_layer": 7, "downsample1": 12, "downsample2": 30, "downsample3": 118, "stack_end": 798}
UNBOUNDED = ("lstm", "latent", "quantized_1", "quantized_2", "quantized_4", "quantized", "codes")
CONVOLUTIONS = [
    "first_layer", "residual1", "downsample1", "residual2", "downsample2",
    "residual3", "downsample3", "residual4", "stack_end",
]  # fmt: skip


def test_stages_of_24khz(encodec_24khz):
    stages = encodec_24khz.stages
    assert list(stages) == [*CONVOLUTIONS, *UNBOUNDED]
    assert {name: stages[name].receptive_field for name in FIELDS} == FIELDS
    assert all(stages[name].receptive_field is None for name in UNBOUNDED)
    assert [stages[name].hop for name in FIELDS] == [1, 2, 8, 40, 320]
    assert {stage.name: stage.kind for stage in stages.values() if stage.kind != "nonlinear"} == {
        "first_layer": "convolution",
        "codes": "codes",
    }


def test_encoder_has_the_published_size(encodec_24khz):
    assert sum(p.numel() for p in encodec_24khz.module.codec.encoder.parameters()) == 7_425_792


@pytest.mark.parametrize("which", ["encodec_24khz", "encodec_48khz"])
def test_stages_say_what_is_heard(which, request, noise):
    encoder = request.getfixturevalue(which)
    heard = encoder.run(noise(2, 6401), list(encoder.stages))
    for name, stage in encoder.stages.items():
        assert heard[name].shape == (2, stage.channels, -(-6401 // stage.hop))
        assert heard[name].is_floating_point() == (stage.kind != "codes")


@pytest.mark.parametrize("name", CONVOLUTIONS)
def test_a_frame_sees_its_receptive_field_and_nothing_else(encodec_24khz, noise, name):
    stage = encodec_24khz.stages[name]
    frame = -(-2000 // stage.hop)
    last = frame * stage.hop + stage.latency
    first = last - stage.receptive_field + 1
    waveforms = noise(1, 4000).repeat(5, 1)
    for row, sample in enumerate((first, last, first - 1, last + 1), start=1):
        waveforms[row, sample] += 1000.0
    plain, *others = encodec_24khz.run(waveforms, [name])[name][:, :, frame]
    moved = [bool((other - plain).abs().max() > 1e-5 * plain.abs().max()) for other in others]
    assert moved == [True, True, False, False]


@pytest.mark.parametrize("which", ["encodec_24khz", "encodec_48khz"])
def test_first_layer_is_its_closed_form_at_every_level(which, request, noise, predicted):
    encoder = request.getfixturevalue(which)
    for level in (1e-3, 0.1, 10.0):
        waveforms = noise(2, 2000, level)
        expected, frames = predicted(encoder, "first_layer", waveforms)
        heard = encoder.run(torch.cat([waveforms, torch.zeros(1, 2000)]), ["first_layer"])["first_layer"]
        response = (heard - heard[2]).double().numpy()[:2, :, frames].transpose(0, 2, 1)
        assert np.abs(response - expected).max() < 1e-5 * np.abs(expected).max() + 1e-7


def test_48khz_hears_the_whole_segment_behind_its_first_norm(encodec_48khz):
    fields = {name: stage.receptive_field for name, stage in encodec_48khz.stages.items()}
    assert fields.pop("first_layer") == 7
    assert set(fields.values()) == {None}
    assert encodec_48khz.stages["first_layer"].latency == 3  # not causal: centred


def test_48khz_divides_by_the_scale_it_states(encodec_48khz, noise):
    waveforms = noise(2, 4800)
    scale = encodec_48khz.scale(waveforms)
    np.testing.assert_allclose(scale.numpy(), 1e-8 + np.sqrt((waveforms.numpy() ** 2).mean(1)), rtol=1e-6)
    quiet, loud = (encodec_48khz.run(gain * waveforms, ["latent"])["latent"] for gain in (1.0, 4.0))
    torch.testing.assert_close(quiet, loud, rtol=1e-3, atol=1e-3)


def test_48khz_gives_what_the_package_gives(encodec_48khz, noise):
    waveforms = noise(1, 47_000)  # below the stride of the package's overlapping segments
    codec = encodec_48khz.module.codec
    codec.set_target_bandwidth(12.0)  # 8 codebooks
    with torch.inference_mode():
        ((codes, scale),) = codec.encode(waveforms[:, None].expand(-1, 2, -1))
    alike = (encodec_48khz.run(waveforms, ["codes"])["codes"] == codes).all(1)
    assert alike.float().mean() > 0.9  # but for ties that rounding decides, see test_folded
    torch.testing.assert_close(encodec_48khz.scale(waveforms), scale[:, 0])


def test_24khz_gives_what_the_package_gives(encodec_24khz, noise):
    waveforms = noise(2, 12_000)
    codec = encodec_24khz.module.codec
    codec.set_target_bandwidth(6.0)  # 8 codebooks
    with torch.inference_mode():
        ((codes, _),) = codec.encode(waveforms[:, None])
        quantized = codec.quantizer.decode(codes.transpose(0, 1))
        latent = codec.encoder(waveforms[:, None])
        sound = codec.decoder(latent)[:, 0]
    heard = encodec_24khz.run(waveforms, ["latent", "quantized", "codes"])
    torch.testing.assert_close(heard["latent"], latent, rtol=0, atol=1e-5 * float(latent.abs().max()))
    torch.testing.assert_close(encodec_24khz.decode(latent), sound)
    alike = (heard["codes"] == codes).all(1)  # but for ties that rounding decides, see test_folded
    assert alike.float().mean() > 0.9
    torch.testing.assert_close(heard["quantized"].mT[alike], quantized.mT[alike], rtol=1e-4, atol=1e-6)


def test_random_codebooks_are_filled_and_used(encodec_24khz, noise):
    assert "filled" in encodec_24khz.weights.note
    heard = encodec_24khz.run(noise(4, 24_000), ["latent", "quantized", "codes"])
    left = (heard["latent"] - heard["quantized"]).square().mean()
    spread = (heard["latent"] - heard["latent"].mean(dim=(0, 2), keepdim=True)).square().mean()
    assert left < 0.9 * spread  # zeros would leave all of it, and more
    assert min(len(book.unique()) for book in heard["codes"].transpose(0, 1)) > 10


def test_seed_makes_the_weights(encodec_24khz):
    before = torch.get_rng_state()
    again, other = (load("encodec_24khz", weights="random", seed=seed) for seed in (0, 1))
    assert torch.equal(torch.get_rng_state(), before)
    assert again.weights.sha256 == encodec_24khz.weights.sha256
    assert other.weights.sha256 != encodec_24khz.weights.sha256


def test_codebooks_do_not_depend_on_the_number_of_threads(encodec_24khz):
    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(3 - min(threads, 2))
        again = load("encodec_24khz", weights="random", seed=0)
    finally:
        torch.set_num_threads(threads)
    assert again.weights.sha256 == encodec_24khz.weights.sha256


def test_number_of_codebooks(encodec_24khz, noise):
    four = load("encodec_24khz", weights="random", codebooks=4)
    waveforms = noise(1, 6400)
    codes = four.run(waveforms, ["codes"])["codes"]
    assert torch.equal(codes, encodec_24khz.run(waveforms, ["codes"])["codes"][:, :4])
    for wrong in (0, 33):
        with pytest.raises(InputError, match=f"codebooks {wrong}: encodec_24khz has 1 to 32"):
            load("encodec_24khz", weights="random", codebooks=wrong)


@pytest.mark.parametrize(("stage", "deeper"), [("first_layer", 1), ("stack_end", 13), ("latent", None)])
def test_it_stops_at_the_deepest_stage(encodec_24khz, noise, stage, deeper):
    called = []
    module = encodec_24khz.module
    behind = module.quantize if deeper is None else module.codec.encoder.model[deeper]
    handle = behind.register_forward_pre_hook(lambda *_: called.append(True))
    encodec_24khz.run(noise(1, 3200), [stage])
    assert not called
    encodec_24khz.run(noise(1, 3200), [stage, "codes"])
    handle.remove()
    assert called == [True]


@pytest.mark.parametrize("suffix", [".th", ".safetensors"])
def test_a_file_gives_the_model_it_was_saved_from(encodec_24khz, noise, tmp_path, suffix):
    path = tmp_path / f"model{suffix}"
    state = encodec_24khz.module.codec.state_dict()
    save_file(state, path) if suffix == ".safetensors" else torch.save(state, path)
    loaded = load("encodec_24khz", weights=path, seed=7)
    assert loaded.weights.source == str(path)
    assert loaded.weights.note == ""
    assert loaded.weights.sha256 == encodec_24khz.weights.sha256 == state_sha256(state)
    waveforms = noise(1, 6400)
    assert torch.equal(
        loaded.run(waveforms, ["codes"])["codes"], encodec_24khz.run(waveforms, ["codes"])["codes"]
    )


def test_a_file_of_another_architecture(encodec_48khz, tmp_path):
    path = tmp_path / "other.th"
    torch.save(encodec_48khz.module.codec.state_dict(), path)
    with pytest.raises(InputError, match=r"other\.th: of another architecture: the file lacks"):
        load("encodec_24khz", weights=path)


@pytest.fixture
def cache(tmp_path, monkeypatch) -> Path:
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    return tmp_path / "checkpoints"


def test_without_network_one_line_says_what_to_do(cache, monkeypatch):
    def refuse(*_args, **_kwargs):
        raise urllib.error.URLError("Name or service not known")

    monkeypatch.setattr(torch.hub, "download_url_to_file", refuse)
    with pytest.raises(InputError) as raised:
        load("encodec_24khz")
    message = str(raised.value)
    assert "\n" not in message
    for part in (
        "encodec_24khz-d7cc33bc.th",
        str(cache),
        "https://",
        "not known",
        "weights='random'",
        "path",
    ):
        assert part in message


def test_a_spoilt_download_is_not_opened(cache):
    cache.mkdir()
    (cache / "encodec_24khz-d7cc33bc.th").write_bytes(b"half a file")
    with pytest.raises(InputError, match="does not begin with d7cc33bc: delete it and retry"):
        load("encodec_24khz")
