import io

import numpy as np
import pytest
from matplotlib.colors import to_hex

from tonotopy.probes.engine.schema import dataset
from tonotopy.probes.run.registry import schema
from tonotopy.probes.statistics.agreement import agreement
from tonotopy.reports.figures.folding.representability import KINDS, representability_scatter

from .captions import assert_captioned
from .conftest import STAGES, stage_variables

N_KINDS, EACH = len(KINDS), 6


def found(seed, remark=""):
    generator = np.random.default_rng(seed)
    shape = (len(STAGES), N_KINDS * EACH)
    predicted = generator.uniform(0.1, 1.0, shape)
    recovered = np.clip(predicted + 0.1 * generator.standard_normal(shape), 0, 1)
    predicted[-1] = recovered[-1] = np.nan
    n_partials = np.tile(np.arange(1, EACH + 1), N_KINDS)
    judged = [agreement(p, r, n_partials) for p, r in zip(predicted[:-1], recovered[:-1], strict=True)]
    numbers = {
        name: np.array([*(getattr(one, name) for one in judged), np.nan])
        for name in agreement(np.ones(1), np.ones(1), np.ones(1)).__dataclass_fields__
        if name != "remark"
    }
    return dataset(
        schema()["representability"],
        {
            **stage_variables(STAGES),
            **numbers,
            "signal": np.arange(shape[1]),
            "signal_kind": np.repeat(list(KINDS), EACH),
            "n_partials": n_partials,
            "predicted": predicted,
            "recovered": recovered,
            "remark": np.array([remark, *[""] * (len(STAGES) - 2), "codes have no linear readout"]),
        },
    )


@pytest.fixture(scope="module")
def drawn():
    return representability_scatter(found(0), [found(1), found(2)], "toy")


def test_a_panel_per_stage_that_has_a_readout(drawn):
    used = [axes for axes in drawn.figure.axes if axes.axison]
    assert [axes.get_title("left").split("\n")[0] for axes in used] == ["first_layer", "stack_end"]
    for axes in used:
        assert len(axes.lines) == 1 + N_KINDS
        assert sum(len(line.get_xdata()) for line in axes.lines[1:]) == N_KINDS * EACH


def test_kinds_differ_in_colour_and_in_marker(drawn):
    lines = drawn.figure.axes[0].lines[1:]
    assert len({to_hex(line.get_color()) for line in lines}) == N_KINDS
    assert len({line.get_marker() for line in lines}) == N_KINDS
    assert [text.get_text() for text in drawn.figure.legends[0].get_texts()] == ["as predicted", *KINDS]


def test_what_is_told_is_in_the_data(drawn):
    one = found(0).sel(stage="first_layer")
    interval = (
        f"{float(one.correlation):.2f} [{float(one.correlation_low):.2f}, {float(one.correlation_high):.2f}]"
    )
    assert interval in drawn.figure.axes[0].get_title("left")
    row = drawn.data.set_index("stage").loc["first_layer"]
    columns = ["correlation (1)", "from (1)", "to (1)", "p"]
    names = ("correlation", "correlation_low", "correlation_high", "correlation_p")
    assert row[columns].tolist() == [float(one[name]) for name in names]
    assert row["given number of partials (1)"] == float(one.partial_correlation)
    for seed in (1, 2):
        correlation = float(found(seed).correlation.sel(stage="first_layer"))
        assert row[f"correlation, random weights {seed} (1)"] == correlation
    assert_captioned(drawn)
    assert drawn.question.endswith("?")
    assert drawn.alt.endswith(".")


def test_a_stage_without_order_says_so():
    drawn = representability_scatter(found(0, "measured alike: there is no order to predict"), name="toy")
    assert "no order: half at" in drawn.figure.axes[0].get_title("left")
    row = drawn.data.set_index("stage").loc["first_layer"]
    assert row["remark"] == "measured alike: there is no order to predict"


def test_nothing_is_cut_off(drawn):
    drawn.figure.savefig(io.BytesIO(), format="png", dpi=50)
    box = drawn.figure.get_tightbbox()
    width, height = drawn.figure.get_size_inches()
    assert box.x0 > -0.03
    assert box.y0 > -0.03
    assert box.x1 < width + 0.03
    assert box.y1 < height + 0.03
    for legend in drawn.figure.legends:
        assert not any(legend.get_window_extent().overlaps(a.get_tightbbox()) for a in drawn.figure.axes)
