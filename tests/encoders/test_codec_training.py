import csv
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch
from safetensors import safe_open

from tonotopy.encoders.codec import CodecConfig, build
from tonotopy.encoders.codec import codec as load_codec
from tonotopy.encoders.training.audio import AudioStore
from tonotopy.encoders.training.codec import (
    CodecTask,
    calibrate,
    losses,
    quantize,
    replace_dead,
    train_codec,
)
from tonotopy.encoders.training.codec_evaluation import held_out
from tonotopy.encoders.training.codec_material import (
    CodecMaterial,
    CodecRecipe,
    gather,
    segment_samples,
    segments,
    split_recordings,
)
from tonotopy.encoders.training.fidelity import MelSpectra
from tonotopy.encoders.training.labels import find_labels
from tonotopy.encoders.weights import randomly_initialised
from tonotopy.synth.errors import InputError
from tonotopy.synth.recordings import find_recordings

pytestmark = pytest.mark.numerical

RATE = 8_000
SMALL = CodecConfig(
    RATE, n_filters=4, dimension=8, ratios=(4, 2, 2, 2), codebooks=3, entries=8, lstm_layers=1
)
SHORT = CodecRecipe(steps=12, batch_size=4, seconds=0.2, unquantized_steps=3)


def write_tone(path: Path, frequencies_hz: list[float], seconds: float = 1.2) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    time_s = np.arange(round(seconds * RATE)) / RATE
    soundfile.write(
        path, np.sum([0.2 * np.sin(2 * np.pi * f * time_s) for f in frequencies_hz], axis=0), RATE
    )


@pytest.fixture(scope="module")
def tones(tmp_path_factory):
    """A corpus of low and high lines and chords."""
    folder = tmp_path_factory.mktemp("tones")
    rows = [("path", "label", "split", "group", "kind")]
    for label, lowest_hz in (("low", 200.0), ("high", 400.0)):
        for n, split in enumerate(["training"] * 4 + ["validation"] * 2 + ["test"] * 3):
            name, kind = f"{label}/{n}.wav", ("line", "chords")[n % 2]
            frequency_hz = lowest_hz * 2 ** (n / 12)
            write_tone(folder / name, [frequency_hz * ratio for ratio in ((1,), (1, 1.26, 1.5))[n % 2]])
            rows.append((name, label, split, f"{label}{n // 6}", kind))
    with open(folder / "labels.csv", "w", newline="") as opened:
        csv.writer(opened).writerows(rows)
    return folder


@pytest.fixture(scope="module")
def recordings(tmp_path_factory):
    folder = tmp_path_factory.mktemp("recordings")
    for n, name in enumerate("abcde"):
        write_tone(folder / f"{name}.wav", [300.0 + 50 * n])
    return folder


@pytest.fixture(scope="module")
def trained(tones, recordings, tmp_path_factory):
    out = tmp_path_factory.mktemp("out") / "codec"
    before = torch.get_rng_state()
    scores = train_codec(tones, out, SMALL, SHORT, recordings)
    assert torch.equal(torch.get_rng_state(), before)  # the caller's random state is left alone
    return out, scores


@pytest.fixture
def codec():
    return randomly_initialised(lambda: build(SMALL), 0).train()


def noise_material(n: int = 3) -> CodecMaterial:
    """Recordings of white noise at full scale, a second each."""
    samples = np.random.default_rng(0).integers(-32767, 32768, n * RATE).astype(np.int16)
    store = AudioStore(samples, np.arange(n + 1) * RATE, np.ones(n, np.float32), np.arange(n), ())
    return CodecMaterial(store, None)


@pytest.mark.usefixtures("one_thread")
def test_it_learns_tones(tones, tmp_path):
    recipe = replace(SHORT, steps=80, unquantized_steps=25, learning_rate=5e-3, mixed_share=0.0)
    scores = train_codec(tones, tmp_path / "out", SMALL, recipe)
    assert (scores.si_sdr_db["trained"][:, 2] > scores.si_sdr_db["untrained"][:, 2] + 3).mean() > 0.8
    assert scores.mel_distance["trained"].mean() < scores.mel_distance["untrained"].mean()


def test_what_training_leaves_behind(trained):
    out, scores = trained
    encoder = load_codec(weights=out / "model.safetensors")
    assert encoder.sample_rate == RATE
    assert encoder.stages["latent"].hop == 32
    assert [len(book) for book in encoder.codebooks] == [8, 8, 8]
    assert encoder.weights.note == ""
    with safe_open(out / "model.safetensors", framework="pt") as opened:
        assert json.loads(opened.metadata()["codec"])["dimension"] == 8
        assert {opened.get_tensor(name).dtype for name in opened.keys()} == {torch.float16}  # noqa: SIM118
        assert not any("embed_avg" in name or "cluster_size" in name for name in opened.keys())  # noqa: SIM118
    with open(out / "log.csv", newline="") as opened:
        assert [row["step"] for row in csv.DictReader(opened)] == ["12"]
    assert scores.counts == (1, 2, 3, 0)


def test_the_card_states_what_was_measured(trained):
    out, scores = trained
    card = (out / "model.md").read_text()
    assert "375 bit/s" not in card
    assert "750 bit/s a codebook, 2250 bit/s in all" in card  # 250 frames a second of 3 bits
    assert f"{scores.recognised['trained', 3].frames.total:,} frames" in card
    pieces = np.array(scores.groups) == "pieces"
    assert f"| 3 | 2250 | {scores.si_sdr_db['trained'][pieces, 2].mean():.1f} (" in card
    assert (
        "tonotopy train codec --corpus CORPUS --recordings RECORDINGS --out OUT --steps 12 --seed 0" in card
    )
    for group in ("pieces", "instruments", "recordings"):
        assert f"Held-out {group}" in card


def test_nothing_held_out_is_learnt(tones, recordings, tmp_path):
    found = find_labels(tones)
    learnt, kept = split_recordings([r.path for r in find_recordings(recordings)])
    assert [path.stem for path in kept] == ["a", "e"]
    material = gather(found, learnt, RATE, tmp_path)
    assert material.recordings is not None
    assert (len(material.corpus), len(material.recordings)) == (8, 3)
    test = held_out(found, kept, RATE, tmp_path)
    assert {sound.name for sound in test if sound.group == "recordings"} == {"a", "e"}
    assert {sound.group for sound in test} == {"pieces", "instruments", "recordings"}
    training = [material.corpus.whole(i) for i in range(8)]
    for sound in test:
        level = np.sqrt(np.mean(np.square(sound.samples)))
        assert 20 * np.log10(level) == pytest.approx(-20, abs=1e-3)
        alike = [np.corrcoef(sound.samples, other)[0, 1] for other in training]
        assert max(alike) < 0.999


def test_interrupted_and_resumed_it_ends_with_the_same_bytes(
    tones, recordings, tmp_path, monkeypatch, trained
):
    monkeypatch.setattr(CodecTask, "stored", 5)
    step, done = CodecTask.step, []

    def interrupted(*arguments):
        done.append(True)
        if len(done) == 8:  # three steps beyond the checkpoint, which lies after the first quantized ones
            raise KeyboardInterrupt
        return step(*arguments)

    monkeypatch.setattr(CodecTask, "step", interrupted)
    out = tmp_path / "out"
    with pytest.raises(KeyboardInterrupt):
        train_codec(tones, out, SMALL, SHORT, recordings)
    assert not (out / "model.safetensors").exists()
    train_codec(tones, out, SMALL, SHORT, recordings)
    assert len(done) == 8 + 12 - 5
    for name in ("model.safetensors", "log.csv", "model.md"):
        assert (out / name).read_bytes() == (trained[0] / name).read_bytes()


def test_segments_follow_from_seed_and_step():
    recipe = replace(SHORT, batch_size=200, rms_dbfs=(-30.0, -12.0), mixed_share=0.5)
    one, again, other = (segments(noise_material(), SMALL, recipe, 0, step) for step in (3, 3, 4))
    assert torch.equal(one[0], again[0])
    assert torch.equal(one[1], again[1])
    assert not torch.equal(one[0], other[0])
    level_dbfs = 20 * one[0].square().mean(dim=1).sqrt().log10()
    assert level_dbfs.min() > -30.001
    assert level_dbfs.max() < -11.999
    assert level_dbfs.std() > 4  # 18 dB, evenly: 5.2
    share = (one[1] == 3).float().mean()  # half, and a third of the others
    assert abs(share - 2 / 3) < 0.1
    assert set(one[1].tolist()) == {1, 2, 3}


def test_segments_never_clip():
    waveforms, _ = segments(noise_material(), SMALL, replace(SHORT, rms_dbfs=(3.0, 6.0)), 0, 0)
    assert waveforms.abs().max() <= 1


def test_calibration_gives_every_convolution_unit_variance(codec, noise):
    waveforms = noise(4, 3_200)
    calibrate(codec, waveforms)
    spreads = []
    convolutions = [m for m in codec.modules() if isinstance(m, (torch.nn.Conv1d, torch.nn.ConvTranspose1d))]
    for module in convolutions:
        module.register_forward_hook(lambda _m, _i, output: spreads.append(float(output.std())))
    with torch.no_grad():
        codec.decoder(codec.encoder(waveforms[:, None]))
    assert spreads[:-1] == pytest.approx([1.0] * (len(spreads) - 1), rel=1e-3)
    assert spreads[-1] == pytest.approx(0.03, rel=1e-3)


def test_gradients_go_straight_through_to_the_latent(codec):
    latent = torch.randn(2, 8, 20, requires_grad=True)
    quantized, commitment, _ = quantize(codec, latent, torch.tensor([3, 3]))
    weights = torch.randn(2, 8, 20)
    (quantized * weights).sum().backward()
    torch.testing.assert_close(latent.grad, weights)
    assert commitment > 0


def test_an_example_is_decoded_from_its_own_number_of_codebooks(codec):
    generator = torch.Generator().manual_seed(0)
    latent = torch.randn(3, 8, 20, generator=generator)
    for _ in range(3):
        quantize(codec, latent, torch.tensor([3, 3, 3]))  # the codebooks come to life
    before = [layer.codebook.clone() for layer in codec.quantizer.vq.layers]
    quantized, _, residuals = quantize(codec, latent, torch.tensor([1, 2, 3]))
    assert [tuple(r.shape) for r in residuals] == [(60, 8)] * 3
    # entries move with what they are given: what was chosen are those from before
    other: Any = build(SMALL)
    vq = other.quantizer.vq
    for layer, book in zip(vq.layers, before, strict=True):
        layer._codebook.embed.copy_(book)
    codes = vq.encode(latent)
    for example, n in enumerate((1, 2, 3)):
        expected = vq.decode(codes[:n])[example]
        torch.testing.assert_close(quantized[example], expected, rtol=0, atol=0.2)
        fewer = vq.decode(codes[: n - 1])[example] if n > 1 else torch.zeros_like(expected)
        assert (quantized[example] - expected).norm() < 0.5 * (quantized[example] - fewer).norm()


def test_dead_entries_come_back_to_life_and_stay(codec):
    generator = torch.Generator().manual_seed(0)
    latent = torch.randn(4, 8, 50, generator=generator)
    counts = torch.full((4,), 3)
    quantize(codec, latent, counts)
    book = codec.quantizer.vq.layers[0]._codebook
    for tensor in (book.embed, book.embed_avg):
        tensor[:4] = 1e3  # so far away that nothing is nearest to them
    book.cluster_size[:4] = 1e-3
    _, _, residuals = quantize(codec, latent, counts)
    assert (book.embed[:4] > 100).all()
    assert replace_dead(codec, residuals, 0.05) >= 4
    vectors = latent.transpose(1, 2).flatten(0, 1)
    for entry in book.embed[:4]:
        assert (vectors == entry).all(dim=1).any()
    quantize(codec, latent, counts)  # the next moving average does not undo it
    assert book.embed.abs().max() < 10
    taken = codec.quantizer.vq.layers[0].encode(latent)
    assert set(range(4)) <= set(taken.unique().tolist())
    assert replace_dead(codec, residuals, 0.0) == 0


def test_losses_of_known_errors():
    mel = MelSpectra(RATE)
    original = 0.1 * torch.randn(2, RATE, generator=torch.Generator().manual_seed(0))
    error, distance = losses(mel, original, original)
    assert float(error) == pytest.approx(-3.0)  # the floor
    assert float(distance) == 0
    error, distance = losses(mel, original, torch.zeros_like(original))
    assert float(error) == pytest.approx(np.log10(1.001), abs=1e-4)
    louder = losses(mel, 10 * original, torch.zeros_like(original))
    torch.testing.assert_close(torch.stack(louder), torch.stack((error, distance)))


def test_another_training_in_the_folder_is_not_touched(trained, tones, recordings):
    out, _ = trained
    with pytest.raises(InputError, match="holds another training"):
        train_codec(tones, out, SMALL, replace(SHORT, steps=13), recordings)


def test_a_diverging_training_says_so_in_one_line(tones, tmp_path):
    recipe = replace(SHORT, learning_rate=1e30)
    with pytest.raises(InputError, match=r"training diverged: loss .* choose a lower one") as raised:
        train_codec(tones, tmp_path / "out", SMALL, recipe)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"steps": 0}, "training with 0 steps"),
        ({"batch_size": 0}, "batch 0"),
        ({"learning_rate": 0.0}, "rate 0.0: must be"),
        ({"seconds": 100.0}, "segments of 100.0 s: must be 0.1 to 60"),
    ],
)
def test_unusable_recipes(wrong, message):
    with pytest.raises(InputError, match=message):
        CodecRecipe(**wrong)


def test_segments_too_short_for_the_longest_window(tones, tmp_path):
    recipe = replace(SHORT, seconds=0.1)
    with pytest.raises(
        InputError, match=r"segments of 0\.1 s: 800 samples at 8000 Hz; must be more than 1024"
    ):
        segment_samples(SMALL, recipe)
    with pytest.raises(InputError, match="800 samples"):
        train_codec(tones, tmp_path / "out", SMALL, recipe)
    assert not (tmp_path / "out").exists()
