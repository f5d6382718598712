"""What the probes say of the control whose dictionary and labels are known."""

import numpy as np
import pytest
import torch

pytest.importorskip("transformers")

from tonotopy.encoders import load
from tonotopy.encoders.musicgen.planted import PLANTED
from tonotopy.probes.dictionaries.firing import Moments, firings
from tonotopy.probes.dictionaries.labelling import labels
from tonotopy.probes.dictionaries.learning import TRAINED, bundled
from tonotopy.probes.dictionaries.material import labelled_clips
from tonotopy.probes.dictionaries.measures import dictionaries, refuses
from tonotopy.probes.dictionaries.numbers import FATES, explained_variance, principal_components_variance
from tonotopy.probes.dictionaries.probes import DICTIONARIES, LABELS
from tonotopy.probes.engine.progress import Progress
from tonotopy.probes.engine.session import Session
from tonotopy.probes.run.schema import validate_probe

TOKENS = 10_000


@pytest.fixture(scope="module")
def session():
    return Session(load("control:planted_stream"), ["layer_1"])


@pytest.fixture(scope="module")
def measured(session):
    return dictionaries(session, tokens=TOKENS)


@pytest.fixture(scope="module")
def labelled(session):
    return labels(session, permutations=199, tokens=TOKENS)


@pytest.mark.parametrize(("probe", "result"), [(DICTIONARIES, "measured"), (LABELS, "labelled")])
def test_what_is_known_of_the_control_holds(probe, result, request):
    found = request.getfixturevalue(result)
    validate_probe("control", probe.variables, found)
    assert probe.known
    for one in probe.known:
        assert one.holds(one.value(found, 0)), one.what


def test_the_planted_dictionary_is_exact(measured, session):
    own = measured.sel(variant=TRAINED).isel(stage=0)
    assert float(own["l0"]) == 3
    assert float(own["unused_share"]) == 0
    assert float(own["explained_variance"]) == pytest.approx(1, abs=1e-9)
    assert float(own["cross_entropy_with"]) == pytest.approx(float(own["cross_entropy"]), abs=1e-5)
    np.testing.assert_allclose(own["recovered"], 1, atol=1e-5)
    # clips are as long as one another, and every feature is active all through those of its own value
    (clips,) = labelled_clips(session.encoder, None)
    values = np.concatenate([np.bincount(truth.values, minlength=8) for truth in clips.truths])
    np.testing.assert_allclose(own["clip_rate"], values / len(clips), atol=1e-9)
    np.testing.assert_allclose(own["token_rate"], values / len(clips), atol=1e-9)
    assert own["funnel"].sel(fate=list(FATES)).values.tolist() == 2 * [
        [24 * (fate == "surviving") for fate in FATES]
    ]


def test_ablations_cost_what_the_streams_hold(measured):
    """Without the stream all eight values are as likely as any other."""
    zero = float(measured["cross_entropy_ablated"].sel(ablation="zero")[0])
    assert zero == pytest.approx(np.log(8), abs=1e-5)


def test_a_frozen_decoder_is_worse(measured):
    found = measured["explained_variance"].isel(stage=0)
    assert float(found.sel(variant="frozen decoder")) < 0.8 * float(found.sel(variant=TRAINED))


def test_labels_are_those_planted_and_no_others(labelled):
    own = labelled.isel(stage=0)
    for i, (name, (factor, _)) in enumerate(PLANTED.items()):
        assert str(own["label_factor"][i].values) == factor
        assert f"{factor} {own['label'][i].values!s}" == name
    assert bool(own["is_kept"].all())
    assert int(own["n_kept"].sel(variant=TRAINED)) == 24
    assert int(own["n_kept_shuffled"]) <= 1
    assert float(own["mcc"].sel(variant=TRAINED).min()) > 0.9
    assert abs(float(own["chance_mcc"])) < 0.1


def test_examples_are_the_clips_that_excite_a_feature(labelled):
    own = labelled.isel(stage=0)
    shown = own["shown_feature"].values
    assert len(set(shown.tolist())) == len(shown)
    firing = own["example_firing"].values  # [shown, example, frame]
    assert np.isfinite(firing).all()
    assert (firing.max(-1) > 0.5).all()
    sounds = own["example_sound"].values.astype(float)
    assert (np.abs(sounds).max(-1) > 300).all()  # -33 dBFS is the quietest


def test_firings_are_counted_over_all_clips(session):
    encoder = session.encoder
    clips = labelled_clips(encoder, None)
    dictionary = bundled(encoder.name, "layer_1", encoder.weights.sha256)
    assert dictionary is not None
    found, moments = firings(encoder, clips, {("layer_1", "own"): dictionary}, Progress(show=False))
    rows = encoder.run_codes(clips[0].inputs, ["layer_1"])["layer_1"].transpose(1, 2).flatten(0, 1)
    features = dictionary.encode(rows)
    own = found["layer_1", "own"]
    np.testing.assert_allclose(own.token_rate, (features > 0).double().mean(0).numpy())
    assert own.explained_variance == pytest.approx(
        explained_variance(rows, dictionary.decode(features)), abs=1e-9
    )
    np.testing.assert_allclose(
        moments["layer_1"].components_variance((1, 8)),
        principal_components_variance(rows, (1, 8)),
        rtol=1e-6,
    )


def test_moments_of_parts_are_those_of_the_whole():
    rows = 5 + torch.randn(100, 3, generator=torch.Generator().manual_seed(0))
    moments = Moments()
    moments.add(rows[:30])
    moments.add(rows[30:])
    torch.testing.assert_close(moments.mean, rows.mean(0))
    assert moments.squares == pytest.approx(float((rows - rows.mean(0)).double().square().sum()), rel=1e-6)


def test_encoders_without_clips_are_refused_in_a_sentence():
    reason = refuses(Session(load("codec_tiny")))
    assert reason == "no labelled clips come with codec_tiny, and no corpus is given"
    assert refuses(Session(load("control:planted_stream"))) is None
