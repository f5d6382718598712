import json
import sys

import numpy as np
import pytest
import torch

from tonotopy.probes.dictionaries.labels.clap import Clap
from tonotopy.probes.dictionaries.labels.classifier import folder_classifier
from tonotopy.synth.errors import InputError

from .test_classifier import sounding

pytestmark = pytest.mark.numerical

TEXTS = ("a tone", "noise", "a drum")


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    """A random CLAP of 16 channels, with a tokenizer of single letters, as transformers saves them."""
    transformers = pytest.importorskip("transformers")
    path = tmp_path_factory.mktemp("clap")
    torch.manual_seed(0)
    text: dict = {"vocab_size": 40, "hidden_size": 16, "intermediate_size": 16, "projection_dim": 16}
    text |= {"num_hidden_layers": 1, "num_attention_heads": 2, "max_position_embeddings": 66}
    audio: dict = {"window_size": 4, "num_mel_bins": 16, "spec_size": 64, "hidden_size": 32, "aff_block_r": 2}
    audio |= {"depths": [1, 1], "num_attention_heads": [2, 2], "patch_embeds_hidden_size": 16}
    audio |= {"num_hidden_layers": 2, "projection_dim": 16}
    config = transformers.ClapConfig(text_config=text, audio_config=audio, projection_dim=16)
    transformers.ClapModel(config).save_pretrained(path)
    letters = ["<s>", "<pad>", "</s>", "<unk>", "<mask>", *"abcdefghijklmnopqrstuvwxyzT.", "Ġ"]
    (path / "vocab.json").write_text(json.dumps({letter: i for i, letter in enumerate(letters)}))
    (path / "merges.txt").write_text("#version: 0.2\n")
    tokenizer = transformers.RobertaTokenizer.from_pretrained(path)
    extractor = transformers.ClapFeatureExtractor(
        feature_size=16, sampling_rate=8000, hop_length=80, max_length_s=1, fft_window_size=256,
        frequency_max=4000, truncation="rand_trunc",
    )  # fmt: skip
    transformers.ClapProcessor(feature_extractor=extractor, tokenizer=tokenizer).save_pretrained(path)
    return path


def test_embeddings_are_of_norm_1_and_repeatable(folder):
    clap, evidence = Clap(folder, TEXTS), sounding(n=12, seconds=1.3)  # longer than it takes at once
    sounds, texts = clap.embed_sounds(evidence), clap.embed_texts(TEXTS)
    assert (sounds.shape, texts.shape) == ((12, 16), (3, 16))
    np.testing.assert_allclose(np.linalg.norm(sounds, axis=1), 1, atol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(texts, axis=1), 1, atol=1e-5)
    np.testing.assert_allclose(Clap(folder).embed_sounds(evidence), sounds, atol=1e-6)
    np.testing.assert_allclose(clap.embed_texts(TEXTS[1:2]), texts[1:2], atol=1e-5)  # padding changes nothing
    assert len(np.unique(texts.round(4), axis=0)) == 3


def test_labels_are_the_texts_nearest_to_top_clips(folder):
    clap, evidence = Clap(folder, TEXTS), sounding(n=60)
    labels = clap.label(evidence)
    said = clap.embed_sounds(evidence) @ clap.embed_texts(TEXTS).T
    top = evidence.top(0, evidence.held_out, 10)
    assert labels[0].score == pytest.approx(said[top, TEXTS.index(labels[0].text)].mean(), abs=1e-5)
    assert labels[0].measure == "cosine"
    found = evidence.top(0, evidence.found, 10)
    above = said[found].mean(0) - said[evidence.found].mean(0)
    assert labels[0].text == TEXTS[above.argmax()]
    assert abs(labels[0].baseline - said[evidence.held_out, above.argmax()].mean()) < 0.01


def test_a_text_longer_than_the_model_takes(folder):
    assert np.isfinite(Clap(folder).embed_texts(("drum " * 500,))).all()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"template": "sound"}, "has no {} for the text"),
        ({"texts": ("a", "a")}, "texts: 2 given, distinct"),
        ({"texts": ("a", " ")}, "distinct ones that say something"),
    ],
)
def test_texts_that_say_nothing(options, said):
    with pytest.raises(InputError, match=said):
        Clap("none", **options)
    with pytest.raises(InputError, match="texts: none given"):
        Clap("none").label(sounding())


def test_no_such_model(tmp_path):
    pytest.importorskip("transformers")
    with pytest.raises(InputError, match="no such model") as error:
        Clap(tmp_path, TEXTS).label(sounding())
    assert "\n" not in str(error.value)


def test_without_transformers(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(InputError, match="need transformers") as error:
        Clap(tmp_path, TEXTS).label(sounding())
    assert str(error.value) == "CLAP labels need transformers: pip install 'tonotopy[models]'"
    with pytest.raises(InputError, match="need transformers"):
        folder_classifier(tmp_path)
