import io
import re

import numpy as np
import pytest
import torch
from torch import nn

from tonotopy.encoders import wrap
from tonotopy.probes.engine.session import Session
from tonotopy.probes.filters.tiling import tiling
from tonotopy.reports.figures.filters.coverage import coverage_by_stage
from tonotopy.reports.figures.filters.gram import gram_matrices
from tonotopy.reports.figures.filters.tiling import tiling_numbers
from tonotopy.synth import partials_at

from .illustrated import assert_illustrated

SPACINGS = ("linear", "log", "mel", "ERB-rate")
FIGURES = (coverage_by_stage, gram_matrices, tiling_numbers)
QUANTITIES = re.compile(r"\(Hz\)|\(dB re|\(0 = |\(1\)|channel|stage")


def measured(seed, channels=6, silent=False):
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        module = nn.Sequential(nn.Conv1d(1, channels, 12, stride=3), nn.ReLU(), nn.Conv1d(channels, 9, 3))
    if silent:
        module.load_state_dict({k: torch.zeros_like(v) for k, v in module.state_dict().items()})
    encoder = wrap(module, 24_000, {"first_layer": "0", "latent": "2"}, name="toy")
    return tiling(Session(encoder), partials_at((np.arange(48) + 0.5) * 250, level_dbfs=0.0))


@pytest.fixture(scope="module")
def results():
    return measured(0), [measured(1), measured(2)]


@pytest.fixture(scope="module")
def drawn(results):
    one, random = results
    return {draw.__name__: draw(one, random, "toy") for draw in FIGURES}


def test_figures_hold_data_and_say_what_they_show(drawn):
    for name, one in drawn.items():
        used = [axes for axes in one.figure.axes if axes.axison]
        assert all(axes.has_data() for axes in used), name
        shared = [text.get_text() for text in one.figure.texts]
        for which in ("x", "y"):
            labels = [getattr(axes, f"get_{which}label")() for axes in used] + shared
            assert any(QUANTITIES.search(label) for label in labels), (name, which)
        assert one.question.endswith("?"), name
        assert one.alt.endswith("."), name
        assert "first_layer" in one.alt, name
        assert "latent" in one.alt, name
        assert "random" in one.alt, name


def test_no_text_is_cut_off_and_no_legend_lies_on_axes(drawn):
    for name, one in drawn.items():
        one.figure.savefig(io.BytesIO(), format="png", dpi=50)  # runs the layout
        box = one.figure.get_tightbbox()
        width, height = one.figure.get_size_inches()
        assert min(box.x0, box.y0) > -0.03, name
        assert box.x1 < width + 0.03, name
        assert box.y1 < height + 0.03, name
        for legend in one.figure.legends:
            frame = legend.get_window_extent()
            assert not any(frame.overlaps(axes.get_tightbbox()) for axes in one.figure.axes), name


def test_tables_carry_numbers_of_the_data(drawn, results):
    one, random = results[0].sel(stage="latent"), [r.sel(stage="latent") for r in results[1]]
    row = drawn["coverage_by_stage"].data.set_index("stage").loc["latent"]
    assert row["highest re lowest (dB)"] == float(one.frame_bound_ratio)
    assert row["highest re lowest (dB), random weights 2"] == float(random[1].frame_bound_ratio)
    assert row["within 3 dB of the mean (share)"] == float(one.evenly_covered_share)
    row = drawn["gram_matrices"].data.set_index("stage").loc["latent"]
    assert row["mean off the diagonal (1)"] == float(one.mean_coherence)
    assert row["mean off the diagonal, random weights 1"] == float(random[0].mean_coherence)
    rows = drawn["tiling_numbers"].data.set_index(["stage", "measure (1)"]).loc["latent"]
    assert rows.loc["effective rank, share", "encoder"] == float(one.effective_rank_share)
    assert rows.loc["effective rank, share", "random weights 1"] == float(random[0].effective_rank_share)
    distances = [rows.loc[f"distance from even {n} spacing", "encoder"] for n in SPACINGS]
    assert distances == one.spacing_distance.values.tolist()
    for each in drawn.values():
        assert_illustrated(each)


def test_what_is_drawn_is_what_was_measured(drawn, results):
    one = results[0].sel(stage="latent")
    line = drawn["coverage_by_stage"].figure.axes[1].lines[0]
    np.testing.assert_allclose(line.get_ydata(), one.coverage.values)
    mesh = drawn["gram_matrices"].figure.axes[2].collections[0]
    np.testing.assert_allclose(np.asarray(mesh.get_array()), np.abs(one.gram.values[:9, :9]))
    bottom = drawn["tiling_numbers"].figure.axes[2]
    trained = [line for line in bottom.lines if line.get_marker() == "o"]
    marks = {int(line.get_ydata()[0]): float(line.get_xdata()[0]) for line in trained}
    expected = results[0].spacing_distance.values.ravel()  # stage by stage, scale by scale, from the top
    np.testing.assert_allclose([marks[y] for y in range(8)], expected)
    labels = [text.get_text() for text in bottom.get_yticklabels()]
    assert labels[0] == "first_layer: linear"
    assert labels[4] == "latent: linear"
    low, high = bottom.get_ylim()
    assert low > high  # row 0 is at the top


def test_the_welch_bound_stands_at_linear_stages_only(drawn, results):
    top = drawn["tiling_numbers"].figure.axes[0]
    bounds = [(float(x.get_xdata()[0]), int(x.get_ydata()[0])) for x in top.lines if x.get_marker() == "|"]
    assert bounds == [(float(results[0].welch_bound.sel(stage="first_layer")), 0)]


def test_without_baselines_and_with_a_silent_stage():
    quiet = measured(0, silent=True)
    assert quiet.n_live.values.tolist() == [0, 0]
    for draw in FIGURES:
        assert "no stage" in draw(quiet, name="toy").reading.lower()
        alone = draw(measured(3, channels=1).sel(stage=["latent"]), name="toy")
        assert "random" not in alone.alt
        assert not any("random" in t.get_text() for g in alone.figure.legends for t in g.get_texts())
        assert "latent" in alone.alt
        assert "random" not in "".join(alone.data.columns if alone.data is not None else [])


def test_stages_with_long_names_are_told_apart(results):
    names = [f"model.encoder.layers.{k}.residual_unit" for k in (3, 12)]
    one = tiling_numbers(results[0].assign_coords(stage=names), name="toy")
    top = one.figure.axes[0]
    assert [text.get_text() for text in top.get_yticklabels()] == ["mod.enc.lay.3.res", "mod.enc.lay.12.res"]
    assert len([line for line in top.lines if line.get_marker() == "o"]) == 2
    assert one.data["stage"].unique().tolist() == names
