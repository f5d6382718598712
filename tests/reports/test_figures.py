import io
import re

import numpy as np
import pytest
from matplotlib import rcParams
from matplotlib.figure import Figure
from PIL import Image

from tonotopy.reports import figures, plot
from tonotopy.reports.chapters import CHAPTERS
from tonotopy.reports.drawn import svg_of
from tonotopy.reports.figures.drawing import bin_edges, canvas, in_style
from tonotopy.reports.figures.filters.bandwidth import equivalent_rectangular_bandwidth
from tonotopy.reports.runs import controls_of, encoders_of
from tonotopy.reports.selecting import at_stage, level_db, ranked, spread, stage_with, stages_with
from tonotopy.synth.errors import InputError

from .illustrated import assert_illustrated

QUANTITIES = re.compile(
    r"\(Hz\)|\(1\)|\(dB re|\(dBFS\)|\(%|1 = all|share explained|channel|codebook|factor|probability|stage"
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
        "tonotopic-map", "best-frequency", "bandwidth", "tuning-curves", "codes",
        "pitch-map", "pitch-shares", "chord-shares", "control-maps",
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


def test_tables_carry_the_numbers_that_are_drawn(drawn, run):
    toy = encoders_of(run)[0]
    tuning = at_stage(found(toy), "first_layer")
    staged = {name: one.data for name, one in drawn.items() if one.data is not None and "stage" in one.data}
    tables = {name: data[data.stage == "first_layer"] for name, data in staged.items()}
    channels = tables["tonotopic-map"]
    assert (channels.channels == 12).all()
    assert (channels.silent == 1).all()
    best = np.sort(tuning.best_frequency.values[np.isfinite(tuning.best_frequency.values)])
    np.testing.assert_allclose(channels["best frequency (Hz)"], best)
    (bands,) = tables["bandwidth"].to_dict("records")
    is_there = np.isfinite(tuning.bandwidth_3db.values)
    assert bands["lower bounds among them"] == (tuning.open_band.values & is_there).sum()
    assert bands["median bandwidth (Hz)"] == np.nanmedian(tuning.bandwidth_3db)
    curves = tables["tuning-curves"]
    assert (curves["measured less closed form, median above -40 dB (dB)"] == 2e-4).all()
    shares = tables["pitch-shares"].set_index("factor")
    median = np.nanmedian(at_stage(found(toy, "pitch_tuning"), "first_layer").f0_share)
    assert shares.loc["f0", "median share (1)"] == median
    (ranks,) = tables["best-frequency"].to_dict("records")
    assert (ranks["lowest (Hz)"], ranks["highest (Hz)"]) == (best[0], best[-1])


def test_captions_are_a_sentence_and_tables_can_be_opened(drawn):
    for one in drawn.values():
        assert_illustrated(one)


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
    figures.tonotopic_maps(found(encoders_of(run)[0]))
    assert dict(rcParams) == before


def test_texts_beside_a_rasterized_map_lie_where_matplotlib_saves_them():
    with canvas(2, "a map") as figure:
        axes = figure.subplots()
        axes.pcolormesh(np.eye(3), rasterized=True)
        axes.set(xlabel="frequency (Hz)", ylabel="channel")
    saved = io.StringIO()
    with in_style({"svg.fonttype": "none"}):
        figure.savefig(saved, format="svg")
    places = re.compile(r'<text [^>]* x="([-.\d]+)" y="([-.\d]+)"')
    expected, ours = (np.array(places.findall(t), float) for t in (saved.getvalue(), str(svg_of(figure, ""))))
    assert len(expected) > 5
    np.testing.assert_allclose(ours, expected, atol=0.01)
    assert figure.dpi == 100


def test_maps_show_the_channels_in_order_of_best_frequency(run):
    tuning = found(encoders_of(run)[0])
    illustration = figures.tonotopic_maps(tuning, name="toy")
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


@pytest.mark.parametrize(
    "draw", [plot.tonotopic_map, plot.tuning_curves, plot.best_frequency, plot.bandwidth]
)
def test_plotting_functions_draw_into_the_axes_given_or_into_new_ones(run, draw):
    tuning = found(encoders_of(run)[0])
    given = Figure().subplots()
    assert draw(tuning, stage="first_layer", ax=given) is given
    assert given.has_data()
    assert given.get_title("left" if given.get_title("left") else "center").startswith("first_layer")
    alone = draw(tuning)
    assert alone.get_xlabel()
    assert alone.get_ylabel()
    with pytest.raises(InputError, match=r"stage nowhere: .* first_layer, stack_end"):
        draw(tuning, stage="nowhere")


def test_a_stage_is_the_one_asked_for_or_the_last_that_was_measured(run):
    tuning = found(encoders_of(run)[0])
    assert stage_with(tuning, "response").stage == "stack_end"
    assert stage_with(tuning, "response", "first_layer").stage == "first_layer"
    with pytest.raises(InputError, match="no stage has it"):
        stage_with(tuning, "nothing")


def test_glasberg_and_moore():
    assert equivalent_rectangular_bandwidth(np.array(1000.0)) == pytest.approx(24.7 * 5.37)


def test_helpers():
    assert ranked(np.array([3.0, np.nan, 1.0])).tolist() == [2, 0]
    assert spread(np.arange(10), 4).tolist() == [0, 3, 6, 9]
    assert np.allclose(bin_edges(np.array([1.0, 4.0, 16.0])), [0.5, 2.0, 8.0, 32.0])
    assert level_db(np.array([[1.0, 0.1, 0.0]]), -40.0).tolist() == [[0.0, -20.0, -40.0]]
