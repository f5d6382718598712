import io

import numpy as np
import pytest

from tonotopy.probes.engine.schema import dataset
from tonotopy.probes.run.registry import schema
from tonotopy.reports.figures import invertibility_by_stage

from .captions import assert_captioned
from .conftest import STAGES, stage_variables

TURNS = 5
NETWORKS = ("encoder", "random weights 1", "random weights 2")


def found(smallest, nonzero, largest, error=(0.0, 0.01, np.nan)):
    """Results at a first layer, a stack's end and codes, which have none."""
    smallest, nonzero, largest = (np.array([*v, np.nan]) for v in (smallest, nonzero, largest))
    variables = {name: v for name, v in stage_variables(STAGES).items() if name != "channel"}
    channels, hops = variables["n_channels"], variables["hop"]
    with np.errstate(divide="ignore"):
        condition = largest / smallest
    gains = {
        "smallest_singular_value": smallest,
        "smallest_nonzero_singular_value": nonzero,
        "largest_singular_value": largest,
        "condition_number": condition,
        "rank_share": np.where(smallest > 0, 1.0, channels / hops),
        "channels_per_hop": channels / hops,
        "linearisation_error": np.array(error),
        "turn": np.linspace(0, 0.5, TURNS),
        "smallest_by_turn": np.repeat(smallest[:, None], TURNS, 1),
        "largest_by_turn": np.repeat(largest[:, None], TURNS, 1),
        "method": np.array(["polyphase", "jacobian", "none"]),
        "remark": np.array(["", "", "steps"]),
    }
    return dataset(schema()["invertibility"], {**variables, **gains})


TRAINED = found([0.5, 0.0], [0.5, 0.01], [5.0, 1.0])
RANDOM = [found([0.1, 0.0], [0.1, 0.02], [1.0, 2.0]), found([0.1, 0.0], [0.1, 0.02], [10.0, 2.0])]
WITHOUT = found([np.nan] * 2, [np.nan] * 2, [np.nan] * 2)
UNLIKELY = found([0.5, 0.0], [0.5, 0.01], [5.0, 1.0], error=(0.0, 1.3, np.nan))


@pytest.fixture(scope="module")
def drawn():
    return invertibility_by_stage(TRAINED, RANDOM, "toy")


def points(illustration):
    """Where the marks of the smallest gain lie."""
    (axes,) = illustration.figure.axes
    lines = [line for line in axes.lines if line.get_marker() in ("o", "X")]
    return {(line.get_marker(), round(line.get_ydata()[0], 2)): line for line in lines}


def test_the_smallest_gain_is_drawn_at_its_level_or_in_the_column_of_zero(drawn):
    (axes,) = drawn.figure.axes
    marks = points(drawn)
    assert len(marks) == 6  # two stages, the encoder and two seeds; codes have none
    assert marks["o", 2.15].get_xdata()[0] == pytest.approx(20 * np.log10(0.5))
    zero = marks["o", 1.15].get_xdata()[0]
    assert axes.get_xticklabels()[0].get_text() == "zero"
    assert axes.get_xticks()[0] == zero
    assert axes.get_xlim()[0] < zero < 20 * np.log10(0.01)
    assert len({line.get_color() for line in marks.values()}) == 2


def test_stages_are_told_with_their_channels_per_hop(drawn):
    (axes,) = drawn.figure.axes
    labels = [label.get_text() for label in axes.get_yticklabels()]
    assert labels == ["first_layer\nC/S 12/3 = 4", "stack_end\nC/S 20/729 = 0.027"]


def test_the_table_carries_numbers_of_the_data(drawn):
    rows = drawn.data.set_index(["stage", "network"])
    spans = [rows.loc["first_layer"].loc[who, "from least to most (dB)"] for who in NETWORKS]
    assert spans == pytest.approx([20, 20, 40])
    shares = rows.loc["stack_end"]["singular values above 0 (share)"]
    assert shares.tolist() == pytest.approx([20 / 729] * 3)
    assert rows.loc[("codes", "encoder"), "remark"] == "steps"
    assert_captioned(drawn)
    assert drawn.question.endswith("?")
    assert drawn.alt.endswith(".")


def test_a_linearisation_that_foretells_nothing_is_hollow(drawn):
    marks = points(invertibility_by_stage(UNLIKELY, name="toy"))
    assert marks["o", 1.15].get_markerfacecolor() == "white"
    assert marks["o", 2.15].get_markerfacecolor() == points(drawn)["o", 1.15].get_markerfacecolor() != "white"


def test_baselines_without_values_are_told():
    one = invertibility_by_stage(TRAINED, [WITHOUT], "toy")
    assert len(points(one)) == 2
    rows = one.data.set_index(["stage", "network"])["from least to most (dB)"].loc["first_layer"]
    assert rows["encoder"] == pytest.approx(20)
    assert np.isnan(rows["random weights 1"])


@pytest.mark.parametrize("probe", [TRAINED, WITHOUT, TRAINED.isel(stage=[0]), TRAINED.isel(stage=[1])])
@pytest.mark.parametrize("random", [[], RANDOM])
def test_nothing_is_cut_off(probe, random):
    one = invertibility_by_stage(probe, random, "toy")
    one.figure.savefig(io.BytesIO(), format="png", dpi=50)
    box, (width, height) = one.figure.get_tightbbox(), one.figure.get_size_inches()
    assert -0.03 < box.x0 < box.x1 < width + 0.03
    assert -0.03 < box.y0 < box.y1 < height + 0.03
    (axes,) = one.figure.axes
    around = axes.get_tightbbox()
    assert around is not None
    assert not any(legend.get_window_extent().overlaps(around) for legend in one.figure.legends)
