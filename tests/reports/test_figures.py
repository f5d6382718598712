import io
import re

import numpy as np
import pytest
from matplotlib import rcParams
from PIL import Image

from tonotopy.reports import figures
from tonotopy.reports.chapters import CHAPTERS
from tonotopy.reports.figures.drawing import bin_edges
from tonotopy.reports.figures.filters.bandwidth import equivalent_rectangular_bandwidth
from tonotopy.reports.runs import controls_of, encoders_of
from tonotopy.reports.selecting import at_stage, level_db, ranked, spread, stages_with

QUANTITIES = re.compile(
    r"\(Hz\)|\(dB re|\(dBFS\)|\(%|1 = all|share explained|channel|codebook|factor|probability|stage"
)


def found(toy, probe="selectivity"):
    result = toy.result(probe)
    assert result is not None
    return result


@pytest.fixture(scope="module")
def drawn(run):
    (toy,) = encoders_of(run)
    controls = {h.name: found(h) for h in controls_of(run).values()}
    several = [one for chapter in CHAPTERS.values() for one in chapter.figures(toy, ())]
    everything = [*several, figures.control_maps(controls)]
    return {one.name: one for one in everything}


def test_every_figure_is_drawn(drawn):
    assert set(drawn) == {
        "tonotopic-map", "best-frequency", "bandwidth", "tuning-curves-first_layer",
        "tuning-curves-stack_end",
        "codes", "pitch-map", "pitch-shares", "chord-shares", "control-maps",
        "alias-map", "ledger", "ledger-level", "confusion-map", "collapse", "rejection", "representability",
        "invertibility", "coverage", "gram", "tiling",
    }  # fmt: skip


def test_figures_hold_data_and_name_what_they_show(drawn):
    for name, one in drawn.items():
        used = [axes for axes in one.figure.axes if axes.axison]
        assert used, name
        assert all(axes.has_data() for axes in used), name
        shared = [text.get_text() for text in one.figure.texts]
        for which in ("x", "y"):
            labels = [getattr(axes, f"get_{which}label")() for axes in used] + shared
            assert any(QUANTITIES.search(label) for label in labels), (name, which)
        assert one.question.endswith("?"), name
        assert one.alt.endswith("."), name
        assert one.figure.get_suptitle(), name


def test_readings_carry_numbers_of_the_data(drawn, run):
    toy = encoders_of(run)[0]
    tuning = at_stage(found(toy), "first_layer")
    assert "12 channels, 1 silent" in drawn["tonotopic-map"].reading
    bounds = int((tuning.open_band.values & np.isfinite(tuning.bandwidth_3db.values)).sum())
    assert f"{bounds} of them lower bounds" in drawn["bandwidth"].reading
    assert "0.0002 dB" in drawn["tuning-curves-first_layer"].reading
    median = np.nanmedian(at_stage(found(toy, "pitch_tuning"), "first_layer").f0_share)
    assert f"{median:.2f} at first_layer" in drawn["pitch-shares"].reading


def test_no_text_is_cut_off_and_no_legend_lies_on_axes(drawn):
    for name, one in drawn.items():
        one.figure.savefig(io.BytesIO(), format="png", dpi=50)  # runs the layout
        box = one.figure.get_tightbbox()
        width, height = one.figure.get_size_inches()
        assert box.x0 > -0.03, name
        assert box.y0 > -0.03, name
        assert box.x1 < width + 0.03, name
        assert box.y1 < height + 0.03, name
        for legend in one.figure.legends:
            frame = legend.get_window_extent()
            for axes in one.figure.axes:
                assert not frame.overlaps(axes.get_tightbbox()), name


def test_figures_leave_global_settings_alone(run):
    before = dict(rcParams)
    figures.tonotopic_map(found(encoders_of(run)[0]))
    assert dict(rcParams) == before


def test_maps_show_the_channels_in_order_of_best_frequency(run):
    tuning = found(encoders_of(run)[0])
    illustration = figures.tonotopic_map(tuning, name="toy")
    mesh = illustration.figure.axes[0].collections[0]
    levels = np.asarray(mesh.get_array())
    best_column = levels.argmax(axis=1)
    assert (np.diff(best_column) >= -1).all()  # one column of slack: best frequencies are interpolated
    assert len(levels) == 11  # the silent channel has no row
    assert levels.max() == 0.0


def test_a_codes_stage_with_one_codebook_is_visible(run):
    texture = found(controls_of(run)["control.texture"])
    assert stages_with(texture, "change_probability") == ["codes"]
    figure = figures.code_changes(texture, "texture").figure
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=50)
    pixels = np.asarray(Image.open(buffer).convert("RGB")).reshape(-1, 3)
    assert len(np.unique(pixels, axis=0)) > 100


def test_several_levels_show_the_one_at_which_other_probes_play(run):
    tuning = found(encoders_of(run)[0])
    swept = (
        tuning.drop_vars("level_dbfs")
        .expand_dims(level=3, axis=-1)
        .assign_coords(level_dbfs=("level", [-40, -20, 0]))
    )
    kept = ["n_channels", "kind", "nyquist_hz", "receptive_field"]
    swept = swept.assign_coords({name: tuning[name] for name in kept}).assign_coords(
        frequency=tuning.frequency
    )
    assert float(at_stage(swept, "first_layer").level_dbfs) == -20


def test_glasberg_and_moore():
    assert equivalent_rectangular_bandwidth(np.array(1000.0)) == pytest.approx(24.7 * 5.37)


def test_helpers():
    assert ranked(np.array([3.0, np.nan, 1.0])).tolist() == [2, 0]
    assert spread(np.arange(10), 4).tolist() == [0, 3, 6, 9]
    assert np.allclose(bin_edges(np.array([1.0, 4.0, 16.0])), [0.5, 2.0, 8.0, 32.0])
    assert level_db(np.array([[1.0, 0.1, 0.0]]), -40.0).tolist() == [[0.0, -20.0, -40.0]]
