import numpy as np
import pytest

from tonotopy.reports.numbers import COLUMNS, cautions, findings, interval, placed, summary, value_of, written
from tonotopy.reports.runs import controls_of, encoders_of


@pytest.fixture(scope="module")
def heard(run):
    return encoders_of(run)[0]


def column(variable):
    return next(c for c in COLUMNS if c.variable == variable and c.reduce != "live")


def test_a_median_is_that_of_the_stages_own_channels(heard):
    tuning = heard.probe("selectivity")
    expected = np.nanmedian(tuning.quality.sel(stage="first_layer").values[:12])
    assert value_of(column("quality"), tuning, "first_layer") == pytest.approx(expected)


def test_codes_have_no_tuning_but_a_probability(heard):
    tuning = heard.probe("selectivity")
    assert np.isnan(value_of(column("quality"), tuning, "codes"))
    assert np.isnan(value_of(column("resolved"), tuning, "codes"))
    assert 0 < value_of(column("change_probability"), tuning, "codes") < 1


def test_what_is_not_there_is_nan(heard):
    assert np.isnan(value_of(column("quality"), None, "first_layer"))
    assert np.isnan(value_of(column("quality"), heard.probe("selectivity"), "nowhere"))


def test_silent_channels_do_not_respond(heard):
    live = next(c for c in COLUMNS if c.reduce == "live")
    assert value_of(live, heard.probe("selectivity"), "first_layer") == pytest.approx(11 / 12)


def test_summary_sets_each_stage_beside_its_random_range(run, heard):
    table = summary([heard], list(controls_of(run).values()))
    assert [row.role for row in table.rows[:2]] == ["encoder", "baseline"]
    assert {row.stage for row in table.rows if row.role == "encoder"} == {"first_layer", "stack_end", "codes"}
    assert [row.subject for row in table.rows if row.role == "control"] == [
        "control:decimator",
        "control:texture",
    ]
    assert {len(row.cells) for row in table.rows} == {len(table.columns)}
    q = [c.variable for c in table.columns].index("quality")
    seeds = [value_of(column("quality"), r, "first_layer") for r in heard.random("selectivity")]
    own = value_of(column("quality"), heard.probe("selectivity"), "first_layer")
    assert table.rows[0].cells[q].mark == placed(own, seeds)
    assert table.rows[1].cells[q].text == interval(seeds, "1")


def test_placed_ignores_seeds_without_a_value():
    assert placed(2.0, [0.5, 1.0, np.nan]) == "above"
    assert placed(2.0, [1.0, np.nan]) == ""  # one draw is no range
    assert placed(np.nan, [1.0, 2.0]) == ""
    assert placed(0.5, [1.0, 2.0]) == "below"
    assert placed(1.0, [1.0, 2.0]) == "within"


def test_numbers_are_written_with_units():
    assert interval([900.0, 1100.0], "Hz") == "900 Hz to 1.1 kHz"
    assert interval([np.nan], "Hz") == "–"
    assert written(2e-4, "dB") == "0.0002 dB"


def test_findings_and_cautions_speak_of_the_data(heard):
    assert any("closed-form tuning differ by 0.0002 dB" in sentence for sentence in findings(heard))
    assert any("2 random networks give" in sentence for sentence in findings(heard))
    assert any("lower bound" in sentence for sentence in cautions(heard))
