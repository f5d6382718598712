from collections import Counter
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from tonotopy.encoders import InputError, load
from tonotopy.encoders.musicgen.coded import CodedClips
from tonotopy.encoders.musicgen.model import addition
from tonotopy.encoders.musicgen.planted import (
    PLANTED,
    expected_level_dbfs,
    expected_share,
    planted_dictionary_arrays,
    planted_direction,
)
from tonotopy.encoders.musicgen.planted_codec import FACTORS, LEVELS_DBFS
from tonotopy.probes.dictionaries import steering as steering_module
from tonotopy.probes.dictionaries.dictionary import Dictionary, Origin
from tonotopy.probes.dictionaries.files import write_dictionary
from tonotopy.probes.dictionaries.labels.base import Label, Truth
from tonotopy.probes.dictionaries.labels.classifier import Classified
from tonotopy.probes.dictionaries.material import Clips
from tonotopy.probes.dictionaries.probes import STEERING
from tonotopy.probes.dictionaries.steering import refuses, steering
from tonotopy.probes.dictionaries.steering_directions import (
    LabelledSounds,
    Steered,
    choose,
    means_direction,
    random_directions,
)
from tonotopy.probes.dictionaries.steering_judges import FAMILY, Judge, Judged, steered_sounds
from tonotopy.probes.dictionaries.steering_table import DOSES, TESTED, Found, table
from tonotopy.probes.dictionaries.variables import VARIABLES
from tonotopy.probes.engine.progress import Progress
from tonotopy.probes.engine.session import Session
from tonotopy.probes.statistics.resampling import ALPHA

pytest.importorskip("transformers")

PLANTED_STREAM = "control:planted_stream"
SMALL: dict[str, Any] = {"permutations": 99, "directions": 39, "frames": 24, "seeds": 3}
SEED = 1  # so few random directions, none of which is all for one level by chance
LOUD, QUIET = "level -12 dBFS", "level -33 dBFS"


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def planted(*factors: str) -> Any:
    """The control, whose clips are known by some factors only."""
    model: Any = load(PLANTED_STREAM)
    clips: CodedClips = model.known_clips()
    own = {name: clips.factors[name] for name in factors or FACTORS}
    short = clips.codes[..., :16]
    classes = {name: FACTORS[name] for name in own}
    model.known_clips = lambda: replace(clips, codes=short, factors=own, classes=classes)
    return model


def writing(path, rows: dict[str, torch.Tensor]) -> str:
    """Store the dictionary that reads what is planted, and writes something else for some features."""
    encoder, bias, decoder = planted_dictionary_arrays()
    decoder = decoder.clone()
    for feature, row in rows.items():
        decoder[list(PLANTED).index(feature)] = row
    zeros = torch.zeros(len(encoder))
    own = Dictionary(encoder, bias, decoder, zeros, 3, "topk", origin=Origin("", "layer_0"))
    write_dictionary(own, path)
    return str(path)


def by_label(result, text):
    """What is known of the feature of a label."""
    (place,) = np.flatnonzero(result["label"].values[0] == text)
    return result.isel(stage=0, steered=place)


@pytest.fixture(scope="module")
def levels():
    return steering(Session(planted("level"), seed=SEED), **SMALL)


@pytest.fixture(scope="module")
def whole():
    return steering(Session(planted(), seed=SEED), **SMALL)


# --- the control ---------------------------------------------------------------------------------------


def test_levels_survive_and_reach_the_closed_form(levels):
    assert levels.attrs["n_steered"] == levels.attrs["n_survive"] == levels.attrs["n_means_survive"] == 2
    assert levels.attrs["no_direction"] == "level: 6"  # those between are neither loudest nor quietest
    assert levels.attrs["least_p_holm"] == pytest.approx(0.05)
    for feature, sign in ((LOUD, 1), (QUIET, -1)):
        one = by_label(levels, feature.removeprefix("level "))
        assert int(one["steered_feature"]) == list(PLANTED).index(feature)
        assert (int(one["sign"]), str(one["target"].values)) == (sign, "level")
        assert float(one["p"]) == pytest.approx(1 / 40)
        level = (one["unsteered"] + one["change"]).sel(descriptor="level")
        for dose in (2.0, 4.0, 8.0):
            exact = expected_level_dbfs(24, dose, feature)
            assert float(level.sel(dose=dose)) == pytest.approx(exact, rel=0.02)
        assert float(one["effect"]) == pytest.approx(
            sign * float(one["change"].sel(descriptor="level", dose=4))
        )
    assert levels["norm"].values == pytest.approx([1.0], abs=1e-5)


@pytest.mark.parametrize(("feature", "dose"), [(LOUD, 0.5), (QUIET, 0.5), ("level -24 dBFS", 1.0)])
def test_shares_and_levels_follow_the_closed_form_at_small_doses(feature, dose):
    class Counting(Judge):
        def __call__(self, sounds):
            power = np.square(sounds.astype(float)).reshape(len(sounds), -1, 320).mean(-1)  # [B, F]
            nearest = np.abs(10 * np.log10(power)[..., None] - np.array(LEVELS_DBFS)).argmin(-1)
            return np.stack([power.mean(1), (nearest == PLANTED[feature][1]).mean(1)], axis=1)

    found = steered_sounds(
        planted(), "layer_1", dose * planted_direction(feature)[None], range(2000), 20, Counting(24_000)
    )
    power, share = found.values[0].mean(0)
    assert 10 * np.log10(power) == pytest.approx(expected_level_dbfs(20, dose, feature), rel=0.02)
    assert share == pytest.approx(expected_share(20, dose, feature), rel=0.02)


def test_a_level_leaves_all_else_alone(levels):
    model, rows = planted(), 4 * planted_direction(LOUD).repeat(6, 1)
    codes = model.generate(30, seeds=range(6), edit=addition("layer_0", rows))
    before = model.generate(30, seeds=range(6))
    assert torch.equal(codes[:, [0, 2]], before[:, [0, 2]])
    assert not torch.equal(codes[:, 1], before[:, 1])
    one = by_label(levels, "-12 dBFS")
    for descriptor, least in (("f0", 0.01), ("centroid", 0.05), ("voiced_share", 0.05)):
        assert abs(float(one["change"].sel(descriptor=descriptor, dose=TESTED))) < least
    assert float(one["off_target_p"].sel(descriptor="level")) == pytest.approx(2 / 40)


def test_features_of_all_factors_go_the_way_of_their_clips(whole):
    assert whole.attrs["n_steered"] == 6
    assert whole.attrs["no_direction"] == "level: 6, pitch: 6, timbre: 6"
    assert "nothing can survive" in whole.attrs["remark"]  # six at 1/40
    assert "119 random directions" in whole.attrs["remark"]
    assert whole.attrs["n_survive"] == 0
    assert by_label(whole, "225 Hz")["sign"] == -1
    assert by_label(whole, "1200 Hz")["sign"] == 1
    assert (whole["effect"].values[0, :6] > 0.05).all()
    cosines = whole["means_cosine"].values[0, :6]
    assert (cosines > 0.8).all()


@pytest.mark.parametrize("known", STEERING.known, ids=lambda known: known.what)
def test_known_answers_hold(whole, known):
    value = known.value(whole, 24_000)
    assert known.holds(value), value


def test_what_is_not_steered_is_empty_and_the_schema_holds(whole):
    assert set(whole.variables) <= set(VARIABLES["steering"])
    assert set(VARIABLES["steering"]) == set(whole.variables)
    for name, values in whole.variables.items():
        assert values.attrs["units"] == VARIABLES["steering"][str(name)].units
    empty = whole.isel(steered=slice(6, None))
    assert (empty["steered_feature"] == -1).all()
    assert (empty["label"] == "").all()
    assert not empty["survives"].any()
    for name in ("change", "effect", "p", "p_holm", "off_target_p", "token_loss"):
        assert np.isnan(empty[name].values).all()
    there = whole.isel(steered=slice(0, 6))
    for name in ("change", "effect", "effect_means", "p", "p_holm", "token_loss", "token_loss_means"):
        assert np.isfinite(there[name].values).all()
    assert whole["sound_after"].dtype == np.int16
    assert whole["sound_after"].sizes["sample"] == 24 * 320
    assert not np.array_equal(there["sound_before"], there["sound_after"])


def test_dose_0_changes_nothing_and_the_same_is_found_again(levels):
    assert (levels["change"].isel(steered=slice(0, 2)).sel(dose=0.0) == 0).all()
    again = steering(Session(planted("level"), seed=SEED), **SMALL)
    for name in ("change", "change_random", "token_loss_random", "p", "sound_after"):
        np.testing.assert_array_equal(again[name], levels[name])


# --- attacks -------------------------------------------------------------------------------------------


class _Shy(torch.nn.Module):
    """A head of levels that grows quieter the larger the stream is, whichever way it goes."""

    def __init__(self, head):
        super().__init__()
        self.head = head

    def forward(self, stream):
        large = (stream.norm(dim=-1, keepdim=True) - 2.5).clamp(min=0)
        return self.head(stream) - 0.7 * large * torch.arange(8)


def test_where_all_directions_are_quieter_a_feature_must_be_more_so(tmp_path):
    """A feature that writes nothing seems to do as its label says, and so does every random direction."""
    model = planted("level")
    model.decoder.lm_heads[1] = _Shy(model.decoder.lm_heads[1])
    aside = torch.linalg.svd(planted_dictionary_arrays()[2])[2][-1]  # orthogonal to all that is read
    found = steering(Session(model, seed=SEED), dictionary=writing(tmp_path / "a", {QUIET: aside}), **SMALL)
    one = by_label(found, "-33 dBFS")
    assert float(found["change_random"].sel(descriptor="level").mean()) < -2
    assert float(one["effect"]) > 2
    assert float(one["p"]) > 0.1
    assert not bool(one["survives"])
    assert float(one["effect_means"]) > float(one["effect"])


def test_a_feature_that_writes_nothing_does_not_survive(tmp_path):
    aside = torch.linalg.svd(planted_dictionary_arrays()[2])[2][-1]
    path = writing(tmp_path / "a", {QUIET: aside, LOUD: aside})
    found = steering(Session(planted("level"), seed=SEED), dictionary=path, **SMALL)
    assert found["effect"].values[0, :2] == pytest.approx([0, 0], abs=1e-6)
    assert found.attrs["n_survive"] == found.attrs["n_beats_means"] == 0
    assert found.attrs["n_means_survive"] == 2


def test_a_feature_that_goes_the_wrong_way_does_not_survive(tmp_path):
    path = writing(tmp_path / "a", {LOUD: planted_direction(QUIET), QUIET: planted_direction(LOUD)})
    found = steering(Session(planted("level"), seed=SEED), dictionary=path, **SMALL)
    assert (found["effect"].values[0, :2] < -3).all()
    assert found["p"].values[0, :2] == pytest.approx([1, 1])
    assert found.attrs["n_survive"] == 0
    assert found.attrs["n_means_survive"] == 2


def test_the_norm_is_in_units_of_what_is_written(tmp_path, levels):
    path = writing(tmp_path / "a", {f: 3 * planted_direction(f) for f in (LOUD, QUIET)})
    few = {**SMALL, "directions": 2, "seeds": 2}
    found = steering(Session(planted("level"), seed=SEED), dictionary=path, **few)
    assert found["norm"].values == pytest.approx([3.0], abs=1e-5)
    assert found["stream_norm"].values == pytest.approx(levels["stream_norm"].values)


def test_a_direction_that_silences_is_not_what_a_label_says(tmp_path):
    """Pitch features that write the level -33, which is silence here."""
    model = planted("pitch")
    model.codec.module.get_buffer("rms")[0] = 0.0
    silence = planted_direction(QUIET)
    path = writing(tmp_path / "a", {"pitch 225 Hz": silence})
    found = steering(Session(model, seed=SEED), dictionary=path, **SMALL)
    one = by_label(found, "225 Hz")
    assert float(one["effect"]) == 0
    assert float(one["silent_share"].sel(dose=TESTED)) == 1
    assert (one["undefined_share"].sel(dose=TESTED) == 1).all()
    assert float(one["p"]) > 0.2
    assert not bool(one["survives"])
    assert float(by_label(found, "1200 Hz")["silent_share"].sel(dose=TESTED)) < 1
    assert 0 <= float(found["silent_random"].item()) < 0.5


def test_families_are_judged_by_a_tagger(monkeypatch):
    """Levels go by the names of families here, and the tagger takes what is loud for an organ."""

    def loud(sounds, _):
        organ = np.sqrt(np.square(sounds).mean(1)) / 0.5
        return np.stack([organ, 1 - organ], 1)

    tagger = Classified(loud, ("organ", "bass"))
    monkeypatch.setattr(steering_module, "samplecnn_classifier", lambda: tagger)
    names = ("bass", "brass", "guitar", "ensemble", "piano", "pipe", "reed", "organ")  # from quiet to loud
    model: Any = load(PLANTED_STREAM)
    clips: CodedClips = model.known_clips()
    short, family = clips.codes[..., :16], {"family": clips.factors["level"]}
    own = replace(clips, codes=short, factors=family, classes={"family": names})
    model.known_clips = lambda: own
    found = steering(Session(model, seed=SEED), **SMALL)
    assert found.attrs["no_target"] == "family: 6"  # the tagger knows two
    assert found.attrs["n_steered"] == found.attrs["n_survive"] == 2
    for name in ("organ", "bass"):
        one = by_label(found, name)
        assert (str(one["target"].values), int(one["sign"])) == (FAMILY + name, 1)
        assert float(one["effect"]) > 0.02
    assert found["descriptor"].values[-2:].tolist() == [FAMILY + "organ", FAMILY + "bass"]


# --- parts ---------------------------------------------------------------------------------------------


def test_adding_nothing_is_exactly_nothing():
    model: Any = load("musicgen_tiny", weights="random")
    judge, nothing = Judge(model.sample_rate), torch.zeros(2, 128)
    kept: list[int] = []
    found = steered_sounds(model, "layer_1", nothing, (5, 6), 12, judge, kept.append, keep=True)
    codes = model.generate(12, seeds=(5, 6, 5, 6))
    sounds = model.decode_codes(codes).numpy()
    np.testing.assert_array_equal(found.first, sounds[::2])
    np.testing.assert_array_equal(found.values.reshape(4, -1), judge(sounds))
    losses = model.token_losses(codes).mean((1, 2)).double().numpy()
    np.testing.assert_allclose(found.losses.ravel(), losses, rtol=1e-6)
    assert sum(kept) == 4
    assert found.values.shape == (2, 2, 6)
    pushed = steered_sounds(model, "layer_1", 50 * random_directions(1, 128, [0]), (5, 6), 12, judge)
    assert (pushed.losses != found.losses[:1]).all()


def test_a_model_without_labels_is_not_steered():
    model: Any = load("musicgen_tiny", weights="random")
    generator = np.random.default_rng(0)
    clips = CodedClips(
        generator.integers(256, size=(96, 4, 28)).astype(np.uint8),
        np.where(np.arange(96) % 2, "validation", "training"),
        np.arange(96),
        {"register": ("low", "high")},
        {"register": generator.integers(2, size=96)},
        {},
    )
    model.known_clips = lambda: clips
    model.codes_any_sound = False
    found = steering(
        Session(model), features=16, tokens=2048, permutations=99, directions=9, seeds=2, frames=12
    )
    assert found.attrs["n_steered"] == 0
    assert list(found["stage"].values) == ["layer_1"]
    assert "nothing is steered by" in found.attrs["remark"]
    assert np.isnan(found["change_random"].values).all()
    assert not found["survives"].any()


def test_who_is_refused_and_which_settings():
    stft = load("filterbank:stft")
    assert "generates nothing" in str(refuses(Session(stft)))
    assert "generates nothing" in str(STEERING.refusal(Session(stft)))
    with pytest.raises(InputError, match="nothing to steer"):
        steering(Session(stft))
    session = Session(planted())
    assert refuses(session) is None
    for name, value in (("frames", 7), ("frames", 3000), ("seeds", 1), ("directions", 0), ("most", 0)):
        setting: dict[str, Any] = {name: value}
        with pytest.raises(InputError, match=name):
            steering(session, **setting)
        with pytest.raises(InputError, match=name):
            refuses(session, **setting)
    with pytest.raises(InputError, match="no layer of"):
        steering(session.at(["latent"]), **SMALL)


def label(text, factor="register", p=0.01, score=0.9, kept=True, feature=0):
    return Label(feature, "known truth", factor, text, score, "AUC", 0.6, held_out_p=p, kept=kept)


def test_the_clearest_labels_are_chosen_and_no_more_than_three_of_one():
    labels = [
        *(label("low", p=0.02, score=0.8 + 0.01 * i, feature=i) for i in range(5)),
        label("high", p=0.001, feature=9),
        label("major", "chord quality", feature=10),
        label("middle", feature=11),
        label("sparse", "density", p=0.03, feature=12),
        label("dense", "density", kept=False, feature=13),
    ]
    ways = {"low": -1, "high": 1, "middle": 0, "sparse": -1}
    found = choose(labels, 5, Judge(24_000), lambda one, _: ways[one.text])
    assert [one.label.feature for one in found.steered] == [9, 4, 3, 2, 12]
    assert [one.sign for one in found.steered] == [1, -1, -1, -1, -1]
    assert found.without_target == Counter({"chord quality": 1})
    assert found.without_direction == Counter({"register": 1})
    assert len(choose(labels, 2, Judge(24_000), lambda one, _: ways[one.text]).steered) == 2


def some_sounds(**columns):
    """Clips of three registers, two families and a number, with descriptors as given."""
    register, family = np.repeat([0, 1, 2], 20), np.tile([0, 1], 30)
    truths = (
        Truth("register", register, ("low", "middle", "high")),
        Truth("family", family, ("organ", "pipe")),
        Truth("f0", 100.0 + np.arange(60), (), "Hz"),
    )
    clips = Clips(torch.zeros(60, 1, 1, dtype=torch.int64), truths, np.arange(60), "")
    return LabelledSounds((clips,), np.ones(60, bool), np.stack(list(columns.values()), 1), tuple(columns))


def test_clips_say_which_way_a_label_points():
    noise = np.random.default_rng(0).normal(size=(3, 60))
    register, family = np.repeat([0, 1, 2], 20), np.tile([0, 1], 30)
    found = some_sounds(
        centroid=5 * register + noise[0], upside_down=-5 * register + noise[0], unrelated=noise[1],
        organ=1.0 * (family == 0) + 0.1 * noise[2], never=np.full(60, np.nan),
    )  # fmt: skip
    for text, way in (("low", -1), ("high", 1), ("not low", 1), ("not high", -1), ("middle", 0)):
        assert found.sign(label(text), "centroid") == way
        assert found.sign(label(text), "upside_down") == -way
        assert found.sign(label(text), "unrelated") == found.sign(label(text), "never") == 0
    assert found.sign(label("higher f0", "f0"), "centroid") == 1
    assert found.sign(label("lower f0", "f0"), "centroid") == -1
    assert found.sign(label("organ", "family"), "organ") == 1
    assert found.sign(label("not organ", "family"), "organ") == -1
    assert found.sign(label("pipe", "family"), "organ") == 0  # its own clips have less of it


def test_groups_count_once_where_the_way_is_found():
    one = some_sounds(centroid=np.repeat([0.0, 1.0, 2.0], 20) + np.tile([0.1, -0.1], 30))
    assert one.sign(label("high"), "centroid") == 1
    (part,) = one.clips
    whole_groups = replace(part, groups=np.repeat([0, 1, 2], 20))
    assert replace(one, clips=(whole_groups,)).sign(label("high"), "centroid") == 0  # one group of them


def test_the_difference_of_means_leads_to_the_class():
    means = torch.zeros(60, 3)
    means[40:, 1] = 4.0
    sides = some_sounds(x=np.zeros(60)).sides(label("not high"))
    torch.testing.assert_close(means_direction(means, sides, -1), torch.tensor([0.0, -1.0, 0.0]))
    halves = some_sounds(x=np.zeros(60)).sides(label("lower f0", "f0"))
    assert (halves[0].sum(), halves[1].sum(), (halves[0] & halves[1]).sum()) == (30, 30, 0)


def test_a_tagger_says_how_much_of_a_family_there_is():
    def peaky(sounds, _):
        peak = np.abs(sounds).max(1)
        return np.stack([peak, 1 - peak], 1)

    judge = Judge(8_000, Classified(peaky, ("loud", "soft")))
    assert judge.names[-2:] == (FAMILY + "loud", FAMILY + "soft")
    sounds = np.sin(np.arange(8_000)) * np.array([[0.5], [1e-5]])
    np.testing.assert_allclose(judge(sounds)[0, -2:], 0.5, atol=1e-3)
    assert np.isnan(judge(sounds)[1]).all()  # silence has no family


def made(values, like):
    """What became of sounds whose first descriptor is the level: values [V, S]."""
    whole = np.zeros((*np.shape(values), len(Judge(8_000).names)))
    whole[..., 0] = values
    return replace(like, values=whole, losses=np.ones(np.shape(values)), first=np.zeros((len(values), 8)))


def test_ranks_are_corrected_over_all_stages():
    like = Judged(np.zeros(0), np.zeros(0), np.zeros(0))
    before, random = made([[0.0, 0.0]], like), made(np.linspace(-1, 1, 99)[:, None].repeat(2, 1), like)

    def at(*effects):
        doses = [made(np.full((5, 2), e), like) for e in effects]
        steered = [Steered(label("loud", "level", feature=i), "level", 0, 1) for i in range(len(effects))]
        return Found(steered, before, doses, doses[::-1], random, np.zeros(len(effects)))

    arrays, about = table([at(2.0, 0.0), at(3.0)], Judge(8_000), 3, 99)
    np.testing.assert_allclose(arrays["p"], [[0.01, 0.51, np.nan], [0.01, np.nan, np.nan]])
    np.testing.assert_allclose(arrays["p_holm"], [[0.03, 0.51, np.nan], [0.03, np.nan, np.nan]])
    np.testing.assert_allclose(arrays["p_means"], [[0.51, 0.01, np.nan], [0.01, np.nan, np.nan]])
    assert (about["n_steered"], about["n_survive"], about["n_means_survive"]) == (3, 2, 2)
    assert about["n_beats_means"] == 1  # a tie is none
    assert about["least_p_holm"] == pytest.approx(0.03)
    assert (arrays["p_holm"][arrays["survives"]] <= ALPHA).all()
    assert arrays["change"].shape == (2, 3, len(DOSES), 6)


def test_a_forecast_is_printed_where_progress_is_shown(capsys):
    steering(
        Session(planted("level"), progress=Progress(show=True)), **{**SMALL, "directions": 2, "seeds": 2}
    )
    assert "sounds, about 1 minutes" in capsys.readouterr().err
