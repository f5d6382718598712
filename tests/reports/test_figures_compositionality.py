"""Figures of compositional stability on controls, whose answers are known."""

import numpy as np
import pytest

from tonotopy.encoders import load
from tonotopy.probes.composition.compositionality import compositionality
from tonotopy.probes.composition.mixtures import Condition
from tonotopy.probes.engine.session import Session
from tonotopy.reports import figures
from tonotopy.reports.figures.drawing import TRAINED
from tonotopy.reports.selecting import of_kind

from .illustrated import assert_illustrated, row_of

CONDITIONS = (
    *(Condition("partial", density, -20.0) for density in (1, 4, 8)),
    Condition("partial", 4, -40.0),
    Condition("pitch", 1, -20.0),
    Condition("chord", 0, -20.0),
)


@pytest.fixture(scope="module")
def measured():
    names = ("filterbank:stft", "filterbank:stft_magnitude", "control:decimator", "control:texture")
    return {name: compositionality(Session(load(name)), conditions=CONDITIONS) for name in names}


def drawn_by(axes, colour):
    return [line for line in axes.lines if line.get_color() == colour]


def test_the_condition_that_stands_for_a_kind(measured):
    result = measured["filterbank:stft"]
    assert [int(of_kind(result, kind)["density"]) for kind in ("partial", "pitch", "chord")] == [4, 1, 0]
    assert float(of_kind(result)["component_level_dbfs"]) == -20


def test_the_index_is_drawn_over_density_at_one_level(measured):
    result, random = measured["filterbank:stft_magnitude"], [measured["control:decimator"]]
    drawn = figures.index_by_density(result, random, "magnitude")
    [line] = drawn_by(drawn.figure.axes[0], TRAINED)
    assert list(np.asarray(line.get_xdata())) == [1, 4, 8]
    expected = result["index"].sel(stage="first_layer").values[:3]
    assert line.get_ydata() == pytest.approx(expected)
    assert_illustrated(drawn)
    for others, index in zip((1, 4, 8), expected, strict=True):
        row = row_of(drawn.data, others=others, **{"level (dBFS)": -20.0})
        assert row["index"] == pytest.approx(index)
        assert row["index, random weights 1"] == pytest.approx(0, abs=0.005)
    quiet = row_of(drawn.data, **{"level (dBFS)": -40.0})
    assert quiet["index"] == pytest.approx(float(result["index"].isel(condition=3).item()))
    assert quiet["AUC"] == pytest.approx(float(result["auc"].isel(condition=3).item()))


def test_the_index_of_every_kind_stands_beside_the_stft(measured):
    drawn = figures.index_by_kind(measured["control:texture"], [], measured, "texture")
    axes = drawn.figure.axes
    assert [a.get_title(loc="left") for a in axes] == ["partials, 4 others", "pitches, 1 other", "chords"]
    dashed = [line for line in axes[0].lines if line.get_linestyle() == "--"]
    assert np.allclose(dashed[0].get_xdata(), of_kind(measured["filterbank:stft"])["index"].item())
    assert_illustrated(drawn)
    for kind, others in (("partials", 4), ("pitches", 1), ("chords", 0)):
        row = row_of(drawn.data, of=kind, others=others, **{"level (dBFS)": -20.0})
        one = of_kind(
            measured["control:texture"], {"partials": "partial", "pitches": "pitch"}.get(kind, "chord")
        )
        assert row["AUC"] == pytest.approx(one["auc"].item())


def test_a_matrix_is_bright_on_the_diagonal_where_partials_keep_their_place(measured):
    drawn = figures.overlap_matrices(measured["filterbank:stft"], [measured["control:decimator"]], "stft")
    stft, decimator = (np.asarray(axes.images[0].get_array()) for axes in drawn.figure.axes[:2])
    assert np.diag(stft).min() > 0.99
    assert stft[~np.eye(16, dtype=bool)].mean() < 0.01
    assert decimator.min() > 0.99
    assert_illustrated(drawn)
    whole = row_of(drawn.data, weights="stft", partial="all")
    assert whole["diagonal"] > 0.99
    assert whole["elsewhere"] < 0.01
    assert row_of(drawn.data, weights="random weights", partial="all")["elsewhere"] > 0.99
    labelled = [t.get_text() for t in drawn.figure.axes[1].get_xticklabels()]
    assert len(labelled) == 3
    assert labelled[0] == f"{of_kind(measured['filterbank:stft'])['component_frequency'].values[0]:.0f}"


def test_the_lesson_puts_the_decimator_below_the_stft_at_the_same_error(measured):
    controls = {name: result for name, result in measured.items() if name != "control:texture"}
    drawn = figures.additivity_lesson(measured["control:texture"], [], controls, "texture")
    crosses = [line for line in drawn.figure.axes[0].lines if line.get_marker() == "X"]
    place = {
        name: [float(np.ravel(axis)[0]) for axis in (line.get_xdata(), line.get_ydata())]
        for name, line in zip(controls, crosses, strict=True)
    }
    assert place["filterbank:stft"][0] == place["control:decimator"][0] == 1e-8
    assert place["filterbank:stft"][1] - place["control:decimator"][1] > 0.98
    assert_illustrated(drawn)
    assert row_of(drawn.data, name="filterbank:stft")["index"] == pytest.approx(1, abs=0.005)
    assert row_of(drawn.data, name="control:decimator")["index"] == pytest.approx(0, abs=0.005)
