import numpy as np
import pytest
import xarray as xr

from tonotopy.encoders import available, load
from tonotopy.probes.engine.session import Session
from tonotopy.probes.filters.tiling import tiling
from tonotopy.probes.run.registry import registered
from tonotopy.reports import figures
from tonotopy.reports.chapters import CHAPTERS
from tonotopy.reports.figures.folding.alias_map import tone_columns
from tonotopy.reports.figures.folding.collapse import sharing_pairs, verdict
from tonotopy.reports.known_answers import checks
from tonotopy.reports.numbers import side_by_side
from tonotopy.reports.runs import Subject, encoders_of
from tonotopy.reports.selecting import at_stage

from ..reports import folding
from .captions import assert_captioned


@pytest.fixture(scope="module")
def tones():
    return folding.aliasing(0)


@pytest.fixture(scope="module")
def random():
    return [folding.aliasing(1), folding.aliasing(2)]


def test_columns_of_tones_never_touch_and_never_claim_a_gap():
    frequency = np.array([50.0, 100.0, 101.0, 3000.0, 3200.0])
    edges, values = tone_columns(frequency, np.arange(5.0)[:, None])
    low, high = edges[::2], edges[1::2]
    assert (np.diff(edges) >= 0).all()
    assert ((low < frequency) & (frequency < high)).all()
    assert (np.log2(high / low) <= 1 / 8 + 1e-9).all()
    assert values[::2, 0].tolist() == [0, 1, 2, 3, 4]
    assert np.isnan(values[1::2]).all()


def test_the_alias_map_shows_power_where_the_prediction_is_drawn(tones):
    figure = figures.alias_maps(tones, name="toy").figure
    one, axes = at_stage(tones, "stack_end"), figure.axes[1]
    mesh, drawn = axes.collections[0], axes.lines
    level = np.asarray(mesh.get_array()).reshape(51, -1)[:, ::2]  # columns of tones, without the gaps
    brightest = level.argmax(0) / 50 * float(one.nyquist_hz)
    assert np.abs(brightest - one.predicted_fold).max() <= float(one.nyquist_hz) / 100 + 1e-9
    line, dots = (np.asarray(one.get_data()) for one in drawn)
    assert np.isin(dots[1], one.predicted_fold).all()
    assert 0 < dots.shape[1] < len(one.frequency)
    turns = np.diff(np.sign(np.diff(line[1]))) != 0
    first, last = np.floor(2 * line[0, [0, -1]] / folding.FRAME_RATE_HZ)
    assert turns.sum() == last - first


def test_bars_of_the_ledger_are_whole(tones, random):
    drawn = figures.ledger(tones, random, "toy", folding.intermodulation(), [folding.intermodulation()])
    for axes in drawn.figure.axes:
        ends = {}
        for bars in axes.containers:
            for patch in bars:
                ends[patch.get_y()] = ends.get(patch.get_y(), 0) + patch.get_width()
        assert len(ends) == 4  # two stages, each with random weights below
        assert np.allclose(list(ends.values()), 1)
    rows = drawn.data[(drawn.data.stage == "stack_end") & (drawn.data.played == "single tones")]
    rows = rows.set_index("part")
    assert rows.loc["fold", ["share (1)", "random weights 1", "random weights 2"]].tolist() == [0.25] * 3
    assert rows.loc["mean shift", "share (1)"] == 0.375
    assert rows.loc["fold", ["by chance (1)", "p"]].tolist() == pytest.approx([0.02, 0.001])
    assert_captioned(drawn)
    single, pairs = (axes.get_legend_handles_labels()[1] for axes in drawn.figure.axes)
    assert "fold by chance" in single
    assert "intermodulation" not in single
    assert "intermodulation" in pairs


def test_the_sweep_tells_how_much_moves(tones, random):
    drawn = figures.ledger_by_level(tones, random, "toy")
    rows = drawn.data[drawn.data.stage == "stack_end"]
    assert (rows["changes its part (share)"] == 0.31).all()
    assert (rows["changes its part, random weights 2"] == 0.31).all()
    assert len(drawn.figure.axes[0].lines) <= 4
    assert [tick.get_text() for tick in drawn.figure.axes[0].get_xticklabels()] == ["−40", "−20", "0"]


def test_pairs_that_share_a_fold_are_marked_and_no_others(tones):
    one = at_stage(tones, "stack_end")
    i, j = sharing_pairs(one)
    assert len(i) == 9
    assert np.allclose(one.predicted_fold.values[i], one.predicted_fold.values[j])
    drawn = figures.confusion_map(tones, name="toy")
    marks = drawn.figure.axes[1].lines[0]
    x, y = np.asarray(marks.get_data())
    assert (y > x).all()  # one half of the matrix stays bare
    rows = drawn.data.set_index("stage")
    assert rows.loc["stack_end", "pairs that share a fold"] == 9
    assert rows.loc["stack_end", "their mean similarity (1)"] == pytest.approx(0.7)
    assert rows.loc["stack_end", "mean similarity of others (1)"] == pytest.approx(0.1)
    assert rows.loc["first_layer", "pairs that share a fold"] == 0
    assert np.isnan(rows.loc["first_layer", "their mean similarity (1)"])
    assert [len(axes.get_xticks()) >= 2 for axes in drawn.figure.axes[:2]] == [True, True]


@pytest.mark.parametrize(
    ("chance", "said"), [(0.45, "above chance"), (0.75, "below chance"), (0.55, "not told from chance")]
)
def test_collapse_is_judged_against_chance(tones, chance, said):
    moved = at_stage(tones, "stack_end").assign(collapse_chance=chance)
    assert verdict(moved) == f"0.60 (0.50 to 0.70), {said} ({chance:.2f})"


def test_collapse_without_pairs_is_said_not_drawn(tones, random):
    drawn = figures.collapse_by_stage(tones, random, "toy")
    said = "2 pairs share a fold and lie far enough apart, too few for collapse"
    assert drawn.data[drawn.data.stage == "first_layer"]["in words"].unique().tolist() == [said]
    (axes,) = drawn.figure.axes
    assert said in [text.get_text().replace("\n", " ") for text in axes.texts]
    drawn_at = [np.asarray(line.get_ydata()).item() for line in axes.lines if line.get_marker() == "o"]
    assert drawn_at == [1.15]


def test_where_nothing_folds_nothing_collapses(tones):
    shallow = at_stage(tones, "first_layer").assign(collapse=0.0, n_sharing=0)
    assert verdict(shallow) == "no two tones that it answers share a fold: nothing collapses"


def test_rejection_tells_what_the_bank_does(tones, random):
    drawn = figures.rejection(tones, random, "toy")
    rows = drawn.data[drawn.data.stage == "stack_end"]
    assert rows["all channels together (dB)"].tolist() == [-4.5] * 3
    assert rows["stage's Nyquist (Hz)"].tolist() == pytest.approx([folding.FRAME_RATE_HZ / 2] * 3)
    nothing_above = tones.assign(bank_rejection=tones.bank_rejection.where(tones.stage == "stack_end"))
    assert "No tone above Nyquist at first_layer." in figures.rejection(nothing_above).reading


def test_the_comparison_names_the_widest_gap(run):
    (one,) = encoders_of(run)
    other = run.copy(deep=True)
    other["toy"].attrs["encoder"] = "other"
    other["toy/aliasing"]["bank_share"].loc[{"component": "fold", "stage": "first_layer"}] = 0.05
    (two,) = encoders_of(other)
    drawn = figures.comparison(side_by_side([one, two], list(CHAPTERS.values())))
    assert "Furthest apart: At fold at first_layer." in drawn.reading
    rows = drawn.data[(drawn.data.measure == "At fold") & (drawn.data.stage == "first_layer")]
    assert dict(zip(rows.encoder, rows.value, strict=True)) == {"toy": 1.0, "other": pytest.approx(0.05)}
    assert_captioned(drawn)
    labels = drawn.figure.axes[0].get_legend_handles_labels()[1]
    assert labels == ["toy", "other"]


def control(name, probe, **values):
    stage = {"stage": ["first_layer"], "n_channels": ("stage", [1])}
    data = xr.Dataset(values, {**stage, "component": ["mean_shift", "fold", "harmonic_2", "harmonic_4"]})
    root = xr.Dataset(attrs={"encoder": name, "sample_rate": 24_000})
    return Subject(name, xr.DataTree(root, children={probe: xr.DataTree(data)}))


@pytest.mark.parametrize(
    ("shift", "second", "holds"),
    [
        (0.8106, 0.1801, [True, True, True]),
        (0.8094, 0.1801, [True, True, True]),
        (0.8076, 0.19, [False, False, True]),
    ],
)
def test_a_wrong_measurement_fails_its_known_answer(shift, second, holds):
    bank_share = (("stage", "frequency", "component"), [[[shift, 0.0, second, 0.0072]]])
    found = checks([control("control:rectifier", "aliasing", bank_share=bank_share)])
    assert [check.holds for check in found] == holds
    assert {check.encoder for check in found} == {"control:rectifier"}


@pytest.mark.parametrize(
    ("name", "value", "holds"),
    [
        ("control:decimator", 0.0, True),
        ("control:decimator", 1e-3, False),
        ("filterbank:stft", 0.0, False),
        ("filterbank:stft", 24.0, False),
        ("filterbank:stft", 24.688, True),
    ],
)
def test_the_decimator_cannot_be_undone_and_the_transform_can(name, value, holds):
    (check,) = checks([control(name, "invertibility", smallest_singular_value=("stage", [value]))])
    assert check.holds is holds


@pytest.mark.parametrize("sample_rate", [8_000, 24_000, 48_000])
def test_the_answers_of_tiling_hold_at_any_sample_rate(sample_rate):
    for name in ("filterbank:stft", "filterbank:gammatone", "control:decimator"):
        found = tiling(Session(load(name, sample_rate=sample_rate)))
        root = xr.Dataset(attrs={"encoder": name, "sample_rate": sample_rate})
        (check,) = checks([Subject(name, xr.DataTree(root, children={"tiling": xr.DataTree(found)}))])
        assert check.holds, check


def test_known_answers_are_of_encoders_that_there_are():
    known = [answer.control for probe in registered() for answer in probe.known]
    assert len(known) > 25
    assert set(known) <= set(available())
