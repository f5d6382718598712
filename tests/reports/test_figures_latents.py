"""Figures of latents: of a control whose latents are known, and of made-up models of any size."""

from __future__ import annotations

import base64
import io
import wave

import numpy as np
import pytest
import xarray as xr
from matplotlib.collections import LineCollection
from matplotlib.colors import to_hex

from tonotopy.encoders import load
from tonotopy.probes.engine.session import Session
from tonotopy.probes.latents import feature_set
from tonotopy.probes.latents.materials import MELODIES, PRIOR, RANDOM_NOTES, Material
from tonotopy.probes.run.registry import registered
from tonotopy.reports import figures
from tonotopy.reports.figures.drawing import TRAINED
from tonotopy.reports.figures.latents.features import by_feature
from tonotopy.reports.latent_audio import SAMPLE_RATE, played, traversal_clips
from tonotopy.synth.melodies import notes, prior_samples

from ..reports import latents as made_up
from .illustrated import assert_illustrated, row_of

SMALL = {"samples": 600, "permutations": 19}


@pytest.fixture(scope="module")
def control() -> dict[str, xr.Dataset]:
    session = Session(load("control:planted"))
    others = prior_samples(session.encoder.decode, 16, 150, 1)
    real = Material(MELODIES, others, np.arange(150) // 3, "others")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tonotopy.probes.latents.encodings.real_material", lambda *_: real)
        return {p.name: probed(p)(session) for p in registered("melody")}


def probed(probe):
    return probe.with_settings(**{k: v for k, v in SMALL.items() if k in probe.takes})


@pytest.fixture(scope="module")
def drawn(control):
    random = made_up.latents(16, random=True)
    fewer = made_up.features(5, seed=1)
    return {
        one.name: one
        for one in (
            figures.sigma_and_mu(control["latents"], [random], "toy"),
            figures.active_by_threshold(control["latents"], [random], "toy"),
            figures.accuracy_by_kept(control["reconstruction"], "toy"),
            figures.phik_matrix(control["features"], [fewer], "toy"),
            figures.activation(control["activation"], [control["activation"]], "toy"),
            figures.traversal_rolls(control["traversals"], "toy"),
            figures.traversal_effects(control["traversals"], "toy"),
            figures.models_side_by_side({"toy": control, "other": {"latents": made_up.latents(512, 37)}}),
        )
    }


def assert_whole(one: figures.Illustration) -> None:
    one.figure.savefig(io.BytesIO(), format="png", dpi=50)
    box, (width, height) = one.figure.get_tightbbox(), one.figure.get_size_inches()
    assert box.x0 > -0.03, one.name
    assert box.y0 > -0.03, one.name
    assert box.x1 < width + 0.03, one.name
    assert box.y1 < height + 0.03, one.name
    assert one.alt.endswith("."), one.name
    assert_illustrated(one)
    assert all(axes.has_data() for axes in one.figure.axes if axes.axison), one.name


def lines(axes) -> dict[str, np.ndarray]:
    return {str(line.get_label()): np.array(line.get_xydata()) for line in axes.get_lines()}


def test_figures_are_whole(drawn):
    assert len(drawn) == 8
    for one in drawn.values():
        assert_whole(one)


@pytest.mark.parametrize(("dimensions", "music"), [(128, 21), (512, 37), (128, 0), (4, 4)])
def test_sigma_and_counts_of_models_of_any_size(dimensions, music):
    own, random = made_up.latents(dimensions, music), made_up.latents(dimensions, random=True)
    several = figures.sigma_and_mu(own, [random], "toy"), figures.active_by_threshold(own, [random], "toy")
    for one in several:
        assert_whole(one)
    data = several[0].data
    assert (data["active"] == "yes").sum() == music
    assert len(data) == min(dimensions, 300)
    assert (data["mean sigma, random weights 1"] < 0.9).all()
    used = row_of(several[1].data, criterion="sigma", used="yes")
    assert used[["dimensions, prior samples", "random weights 1"]].tolist() == [music, dimensions]
    labels = {str(label) for axes in several[0].figure.axes for label in lines(axes)}
    assert ("active latents" in labels) == bool(music)


def test_sigma_stands_in_order_of_relevance(drawn, control):
    above, below = drawn["sigma-and-mu"].figure.axes
    own = control["latents"].sel(material=PRIOR)
    music = lines(above)["active latents"]
    assert music[:, 0].tolist() == [1, 2, 3]
    assert music[:, 1] == pytest.approx(own["mean_sigma"].values[[11, 2, 6]])
    assert lines(above)["other dimensions"][:, 0].tolist() == list(range(4, 17))
    bars = [c for c in below.collections if isinstance(c, LineCollection)]
    reach = {segment[0][0]: segment[1][1] - segment[0][1] for c in bars for segment in c.get_segments()}
    assert reach[1] == pytest.approx(2 * np.sqrt(own["variance_mu"].values[11]))
    assert reach[16] == 0


def test_the_data_tell_both_sums_of_variances():
    own = made_up.latents(128, 21)
    one = own.sel(material=PRIOR)
    one["total_variance"].values[one["is_active"].values[0]] = 0.5
    one["total_variance"].values[~one["is_active"].values[0]] = 2.0
    data = figures.sigma_and_mu(own, name="toy").data
    total = data.groupby("active")["variance of mu and mean squared sigma"]
    assert total.min().to_dict() == total.max().to_dict() == {"yes": 0.5, "no": 2.0}


def test_counts_are_the_data_and_thresholds_used_are_ringed(drawn, control):
    axes = drawn["active-by-threshold"].figure.axes[0]
    counts = control["latents"]["count"].sel(material=PRIOR)
    for criterion in ("sigma", "variance", "divergence"):
        assert lines(axes)[criterion][:, 1].tolist() == counts.sel(criterion=criterion).values.tolist()
    rings = [line.get_xydata()[0].tolist() for line in axes.get_lines() if len(line.get_xydata()) == 1]
    assert rings == [[0.1, 3], [0.01, 3], [0.01, 3]]
    random = lines(drawn["active-by-threshold"].figure.axes[1])["sigma"]
    assert random[random[:, 0] < 0.3, 1].tolist() == [16] * int((random[:, 0] < 0.3).sum())


def test_criteria_that_part_are_in_the_data():
    own, random = made_up.latents(128, 21), made_up.latents(128, random=True)
    drawn = figures.active_by_threshold(own, [random])
    assert "believe the lower number" in drawn.reading
    for criterion, threshold, count in (("sigma", 0.1, 128), ("variance", 0.01, 0)):
        row = row_of(drawn.data, criterion=criterion, used="yes")
        assert row[["threshold", "random weights 1"]].tolist() == [threshold, count]
    agreed = row_of(drawn.data, criterion="sigma", used="yes")["also by variance"]
    assert agreed == pytest.approx(own["agreement"].sel(criterion="sigma", other_criterion="variance").item())
    assert len(figures.active_by_threshold(own).figure.axes) == 1


def test_accuracy_reaches_all_with_the_active_latents_alone(drawn, control):
    above, below = drawn["accuracy-by-kept"].figure.axes
    curves = lines(above)
    relevance = curves["most relevant first"]
    assert relevance[relevance[:, 0] >= 3, 1].tolist() == [1, 1, 1, 1]
    least = curves["least relevant first"]
    assert np.ptp(least[least[:, 0] <= 8, 1]) == 0
    assert lines(below)["onsets, free-running"][0, 1] < least[0, 1]
    assert curves["active latents: 3"][:, 0].tolist() == [3, 3]
    where = {"order": "relevance", "measure": "free-running", "dimensions kept": 3}
    row = row_of(drawn["accuracy-by-kept"].data, **where)
    assert row[["right (%)", "lost (percentage points)"]].tolist() == [100, 0]


def test_losses_are_told_in_percentage_points(control):
    changed = control["reconstruction"].copy(deep=True)
    at = {"order": "relevance", "kept": 3, "measure": "onsets"}
    for name, value in {
        "accuracy": 0.75,
        "loss_to_all": 0.25,
        "loss_low": 0.2,
        "loss_high": 0.3,
    }.items():
        changed[name].loc[at] = value
    data = figures.accuracy_by_kept(changed, "toy").data
    row = row_of(data, order="relevance", measure="onsets", **{"dimensions kept": 3})
    columns = [
        "right (%)",
        *(f"lost{end} (percentage points)" for end in ("", ", low (95 %)", ", high (95 %)")),
    ]
    assert row[columns].tolist() == pytest.approx([75, 25, 20, 30])
    half = data[data["measure"] == "free-running"].groupby("order")["half-way there with"].unique()
    assert (half["relevance"].tolist(), half["reversed"].tolist()) == ([3], [16])


def test_activation_is_the_data(drawn, control):
    curves, found = lines(drawn["activation"].figure.axes[0]), control["activation"]
    for material in (PRIOR, RANDOM_NOTES, MELODIES):
        assert curves[material][:, 1] == pytest.approx(found["active"].sel(material=material).values)
        data = drawn["activation"].data
        (nats,) = data[data["melodies"] == material]["information (nats)"].unique()
        assert nats == pytest.approx(float(found["information"].sel(material=material)))


def test_a_model_without_active_latents_is_drawn(control):
    none = control["activation"].copy(deep=True)
    for name in ("active", "active_low", "active_high"):
        none[name][:] = 0.0
    none.attrs["active_latents"] = 0
    assert_whole(figures.activation(none, name="toy"))


def coloured(image) -> np.ndarray:
    return ~np.ma.getmaskarray(image.get_array())


def test_phik_is_coloured_where_it_counts_and_grey_elsewhere(drawn, control):
    found = by_feature(control["features"])
    axes = [a for a in drawn["phik-matrix"].figure.axes if a.get_title(loc="left") in made_up.GROUPS]
    assert [a.get_title(loc="left") for a in axes] == ["pitch", "rhythm", "melody"]
    for one in axes:
        portion = found.isel(feature=found["feature_group"].values == one.get_title(loc="left"))
        grey, colour = one.images
        counts = (portion["p_corrected"].values <= 0.05) & (portion["phik"].values >= 0.1)
        assert counts.any()
        assert (coloured(colour) == counts).all()
        assert (coloured(grey) == ~counts & portion["phik"].notnull().values).all()
        assert np.ma.filled(colour.get_array(), 0)[counts] == pytest.approx(portion["phik"].values[counts])
        assert [t.get_text() for t in one.get_yticklabels()] == portion["feature"].values.tolist()


def test_phik_data_hold_what_was_planted(drawn):
    data = drawn["phik-matrix"].data
    features = data[data["group"].notna()]
    strongest = features.loc[features["phik, rank 1"].idxmax()]
    assert strongest[["feature", "group"]].tolist() == ["P11 Most Common Pitch", "pitch"]
    assert strongest["p, rank 1"] == pytest.approx(0.05)
    assert "P22" in drawn["phik-matrix"].reading.split("never change: ")[1]
    assert "best of 5 dimensions" in data
    whole = row_of(data, feature="all features, mean or sum")
    assert whole["more than random weights"] == features["more than random weights"].sum() > 0


def test_rows_are_the_greatest_of_a_vector():
    result = made_up.features(4)
    rows, ids = by_feature(result), result["feature_id"].values
    place = rows["feature"].values.tolist().index("P20 Pitch Class Distribution")
    assert rows["phik"].values[place] == pytest.approx(result["phik"].values[:, ids == "P20"].max(1))
    assert not any(label.startswith("P22") for label in rows["feature"].values)
    assert len(rows["feature"]) == len(set(ids)) - 1


def test_random_weights_are_compared_over_as_many_dimensions():
    own, random = made_up.features(4), made_up.features(8, seed=1)
    random["phik"].values[4:] = random["phik"].values[4:] * 0 + 1.0  # beyond the first four: not to be seen
    for drawn, label in (
        (figures.phik_matrix(own, [random], "toy"), "random weights"),
        (figures.phik_matrix(random, [own], "toy"), "best of 4 dimensions"),
    ):
        best = [lines(axes)[label][:, 0] for axes in drawn.figure.axes if label in lines(axes)]
        assert len(best) == 3
        assert np.concatenate(best).max() < 1


@pytest.mark.parametrize("gone", [("rhythm",), ("pitch", "rhythm", "melody")])
def test_groups_without_a_value_are_left_out_or_blank(gone):
    result = made_up.features(6)
    there = np.isin(result["feature_group"].values, gone)
    for name in ("phik", "p_corrected"):
        result[name].values[:, there] = np.nan
    assert_whole(figures.phik_matrix(result, [made_up.features(6, seed=1)], "toy"))


def rolled(axes, column: int) -> list[tuple[str, float]]:
    """Return colour and pitch of every note drawn in one of five rolls that stand side by side."""
    width = axes.get_xlim()[1] / (5 + 4 * 0.08)
    start = column * 1.08 * width
    return [
        (to_hex(c.get_colors()[0]), segment[0][1])
        for c in axes.collections
        for segment in c.get_segments()
        if start <= segment[0][0] < start + width
    ]


def test_rolls_show_what_changes_and_what_does_not(drawn, control):
    found = control["traversals"]
    grid = [[rolled(axes, column) for column in range(5)] for axes in drawn["traversal-rolls"].figure.axes]
    assert len(grid) == 6
    for row, rank in zip(grid, (0, 1, 2, 3, 4, -1), strict=True):
        there = len(notes(found["example"].values[rank, 3][None]).midi)
        assert [colour for colour, _ in row[2]] == ["#9a9a9a"] * there
    for roll in (*grid[-1], *grid[3]):  # the unused dimension, and one that carries nothing
        assert {colour for colour, _ in roll} == {"#9a9a9a"}
    for roll in (grid[0][0], grid[0][4]):  # all notes move with the pitch
        assert TRAINED.lower() in {colour for colour, _ in roll}
        assert "#9a9a9a" not in {colour for colour, _ in roll}
    high = notes(found["example"].values[0, -1][None]).midi
    drawn_at = [midi for colour, midi in grid[0][4] if colour == TRAINED.lower()]
    assert sorted(drawn_at) == sorted(high.tolist())
    low, top = drawn["traversal-rolls"].figure.axes[0].get_ylim()
    assert low < 41
    assert top > 76 + 7 or top > high.max()


def test_effects_show_directions_and_verdicts(drawn, control):
    found, one = control["traversals"], drawn["traversal-effects"]
    matrix = one.figure.axes[0]
    names = [t.get_text() for t in matrix.get_yticklabels()]
    row = names.index("P11 Most Common Pitch")
    place = found["feature"].values.tolist().index("Most Common Pitch")
    shown = np.asarray(matrix.images[0].get_array())[row]
    assert shown == pytest.approx(found["direction"].values[:, place])
    marks = {tuple(cell): m.get_marker() for m in matrix.get_lines() for cell in m.get_xydata().tolist()
             if m.get_marker() not in ("", "None")}  # fmt: skip
    assert marks[0, row] == "o"
    assert all(k < 3 for k, _ in marks)  # nothing else moves
    confirmed = int((found["verdict"].values == "confirmed").sum())
    assert list(marks.values()).count("o") == confirmed
    foretold = one.data["foretold"].value_counts()
    assert foretold["confirmed"] == confirmed
    assert "contradicted" not in foretold
    unused = one.data[one.data["dimension (rank)"] == found["rank"].values[-1]]
    assert (unused[["features moved", "steps changed at most (%)"]] == 0).all(axis=None)


def test_contradictions_and_a_control_that_moves_are_told(control):
    changed = control["traversals"].copy(deep=True)
    changed["verdict"] = changed["verdict"].astype("U12")
    changed["verdict"].loc[{"rank": 1, "group": "pitch"}] = "contradicted"
    changed["p_corrected"].values[-1, :2] = 0.01
    one = figures.traversal_effects(changed, "toy")
    assert one.data["foretold"].value_counts()["contradicted"] == 1
    unused = one.data[one.data["dimension (rank)"] == changed["rank"].values[-1]]
    assert unused["features moved"].unique().tolist() == [
        int((changed["p_corrected"].values[-1] <= 0.05).sum())
    ]
    assert "x" in [line.get_marker() for line in one.figure.axes[0].get_lines()]


def test_dose_and_response_are_the_data(drawn, control):
    found, panels = control["traversals"], drawn["traversal-effects"].figure.axes[-3:]
    for i, axes in enumerate(panels):
        for group, claimed in zip(found["group"].values, found["claimed_feature"].values[i], strict=True):
            place = found["feature"].values.tolist().index(claimed)
            assert lines(axes)[group][:, 1] == pytest.approx(found["response"].values[i, :, place])


def test_models_stand_side_by_side(drawn):
    one = drawn["models-side-by-side"]
    panels = {axes.get_title(loc="left"): axes for axes in one.figure.axes}
    dots = [line.get_xydata()[0].tolist() for line in panels["active latents"].get_lines()
            if line.get_marker() == "o"]  # fmt: skip
    assert dots == [[3, 0], [37, 1]]
    best = lines(panels["best feature of rank 1"])
    assert best["pitch"][0, 0] > 0.9
    assert max(best["rhythm"][0, 0], best["melody"][0, 0]) < 0.5
    assert row_of(one.data, model="other", measure="active latents")["value"] == 37
    share = row_of(one.data, model="other", measure="share of dimensions")["value"]
    assert share == pytest.approx(100 * 37 / 512)


def samples(source: str) -> np.ndarray:
    with wave.open(io.BytesIO(base64.b64decode(source.split(",")[1]))) as file:
        assert file.getframerate() == SAMPLE_RATE
        assert file.getnchannels() == 1
        return np.frombuffer(file.readframes(file.getnframes()), "<i2") / 32767


def test_traversals_can_be_heard(control):
    clips = traversal_clips(control["traversals"])
    labels = [clip.label for clip in clips]
    assert labels[:3] == ["rank 1 at -3", "rank 1 at 0", "rank 1 at +3"]
    assert 7 <= len(labels) <= 9
    assert sum(len(clip.source) for clip in clips) < 1_200_000
    sounds = np.array([samples(clip.source) for clip in clips])
    assert sounds.shape[1] == 4 * SAMPLE_RATE
    assert 0.85 < np.abs(sounds).max() < 0.91
    raw = [played(control["traversals"]["example"].values[0, k]) for k in (0, 3, 6)]
    gain = [np.sqrt((s**2).mean() / (r**2).mean()) for s, r in zip(sounds, raw, strict=False)]
    assert gain == pytest.approx([gain[0]] * 3, rel=0.02)


def test_a_melody_at_zero_is_heard_once(control):
    same = control["traversals"].copy(deep=True)
    same["example"][:] = same["example"].values[0, 3]
    labels = [clip.label for clip in traversal_clips(same)]
    assert labels == ["rank 1 at -3", "rank 1 at 0", "rank 1 at +3", "rank 2 at -3", "rank 2 at +3",
                      "rank 3 at -3", "rank 3 at +3"]  # fmt: skip


def test_silence_and_long_melodies_can_be_played(control):
    silent = control["traversals"].copy(deep=True)
    silent["example"][:] = 0
    assert all((samples(clip.source) == 0).all() for clip in traversal_clips(silent))
    long = np.tile(control["traversals"]["example"].values, 8)
    there = control["traversals"].drop_vars(["example", "step"])
    there = there.assign(example=(("rank", "dose", "step"), long))
    assert len(samples(traversal_clips(there)[0].source)) == 8 * SAMPLE_RATE


def test_notes_sound_at_their_pitch_while_they_last():
    roll = np.zeros(32, np.uint8)
    roll[8], roll[16] = 50, 1  # A4 (MIDI 69 less 19) for two quarters from the third
    sound = played(roll)
    quarter = SAMPLE_RATE // 2
    assert not sound[: 2 * quarter].any()
    assert not sound[4 * quarter + 1 :].any()
    sounding = sound[2 * quarter : 4 * quarter]
    spectrum = np.abs(np.fft.rfft(sounding * np.hanning(len(sounding))))
    assert np.argmax(spectrum) * SAMPLE_RATE / len(sounding) == pytest.approx(440, abs=1.5)
    quarters = [np.sqrt((part**2).mean()) for part in (sounding[:quarter], sounding[quarter:])]
    assert quarters[0] > 2 * quarters[1] > 0  # it dies away
    assert abs(sounding[0]) < 0.05 * np.abs(sounding).max()  # and begins without a click
    assert np.abs(sounding[: round(0.005 * SAMPLE_RATE)]).max() > 0.3 * np.abs(sounding).max()


def test_features_asked_about_fit_beside_a_figure():
    assert set(feature_set.labels().groups) == set(made_up.GROUPS)
    assert all(len(label) <= 36 for label in by_feature(made_up.features(2))["feature"].values)
