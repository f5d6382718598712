import numpy as np
import pytest
import xarray as xr

from tonotopy.probes.run.suite import PROBES
from tonotopy.reports.findings import cautions, findings
from tonotopy.reports.numbers import (
    COLUMNS,
    interval,
    placed,
    side_by_side,
    summary,
    value_of,
    written,
)
from tonotopy.reports.runs import Heard, controls_of, encoders_of


@pytest.fixture(scope="module")
def heard(run):
    return encoders_of(run)[0]


def column(variable, pick=""):
    return next(c for c in COLUMNS if (c.variable, c.pick) == (variable, pick) and c.reduce != "live")


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
    table = summary([heard], list(controls_of(run).values()), PROBES["selectivity"])
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


def test_a_component_is_read_at_the_level_shown(heard):
    probe = heard.probe("aliasing")
    assert value_of(column("bank_share", "fold"), probe, "stack_end") == pytest.approx(0.25)
    assert value_of(column("bank_share", "mean_shift"), probe, "stack_end") == pytest.approx(0.375)
    assert value_of(column("level_effect"), probe, "stack_end") == pytest.approx(0.31)
    assert value_of(column("spacing_distance", "mel"), heard.probe("tiling"), "first_layer") == 0.1


def test_each_probe_has_a_table_of_its_own(run, heard):
    controls = list(controls_of(run).values())
    for probe, groups in PROBES.items():
        table = summary([heard], controls, groups)
        assert {c.probe for c in table.columns} <= set(groups), probe
        assert all(
            any(cell.text != "–" for cell in row.cells) for row in table.rows if row.role != "baseline"
        )
    aliasing = summary([heard], controls, PROBES["aliasing"])
    assert {r.subject for r in aliasing.rows if r.role == "control"} == {"control:decimator"}
    assert "codes" not in {row.stage for row in aliasing.rows}


def test_what_is_written_alike_has_no_mark(heard):
    table = summary([heard], [], PROBES["aliasing"])
    at_fold = [c.pick for c in table.columns].index("fold")
    assert table.rows[0].cells[at_fold].text == table.rows[1].cells[at_fold].text == "1.00"
    assert table.rows[0].cells[at_fold].mark == ""


def test_encoders_stand_side_by_side(heard):
    numbers = side_by_side([heard, heard])
    assert numbers.sizes["encoder"] == 2
    collapse = numbers.sel(measure="Collapse", stage="stack_end").isel(encoder=0)
    assert [float(collapse[n]) for n in ("value", "low", "high")] == pytest.approx([0.6, 0.5, 0.7])
    coherence = numbers.sel(measure="Mean coh.", stage="first_layer").isel(encoder=0)
    assert float(coherence["random_low"]) == pytest.approx(0.31)
    assert float(coherence["random_high"]) == pytest.approx(0.32)
    assert np.isnan(numbers.sel(measure="Collapse", stage="first_layer")["value"]).all()


def test_findings_speak_of_the_data(heard):
    said = findings(heard, PROBES["selectivity"])
    assert any("closed-form tuning differ by 0.0002 dB" in sentence for sentence in said)
    assert any("2 random networks give" in sentence for sentence in said)
    first, deep = findings(heard, PROBES["aliasing"])
    assert first.startswith("first_layer: 1.00 (random 1.00) of a tone's output power")
    assert "can be undone (smallest gain 0.2)" in first
    assert "0.82 (random 0.82), interval 0.70 to 0.90, p 0.001" in first
    assert "Collapse is 0.60 (0.50 to 0.70), above chance (0.45): by their power" in deep
    assert "its Jacobian at silence, which errs by 0.8, it cannot be undone" in deep
    first, _ = findings(heard, PROBES["tiling"])
    assert "nearest to even mel spacing, 0.10 (random 0.10) off" in first


def test_cautions_speak_of_the_data(heard):
    said = cautions(heard)
    for expected in (
        "lower bound",
        "stack_end: 40 of 420 responses of a channel to a tone lie below the floor",
        "stack_end: for 4 of 21 tones two predicted frequencies are one",
        "first_layer: 0 pairs share a fold, too few for collapse",
        "stack_end: singular values are of the linearisation (foretells no answers)",
        "stack_end: no correlation of predicted and recovered partials (all are recovered alike)",
        "40.0 % of its response's power in the first harmonic",
    ):
        assert any(expected in sentence for sentence in said), expected
    assert len(said) == len(set(said))
    assert not any("signals have no partials" in sentence for sentence in said)


def test_signals_that_were_not_read_are_counted(heard):
    sounds = heard.probe("representability")
    unread = sounds.assign(n_partials=sounds["n_partials"].where(sounds["signal"] > 1, 0))
    root = xr.Dataset(attrs=heard.encoder.attrs)
    said = cautions(Heard("it", xr.DataTree(root, children={"representability": xr.DataTree(unread)}), ()))
    assert any("2 of 12 signals have no partials and no values" in sentence for sentence in said)


@pytest.mark.parametrize(
    ("collapse", "chance", "said"),
    [
        (1.0, 1.0, "tones of one fold are one sound"),  # the decimator: one channel tells nothing apart
        (0.0, 0.0, "sharing a fold makes no difference"),
        (0.5, 0.3, "told apart worse than any others"),
        (0.5, 0.5, "told apart as well as any others"),
        (0.5, 0.9, "told apart, by other channels or by power that is not at the fold"),
    ],
)
def test_what_collapse_means_is_said(run, collapse, chance, said):
    other = run.copy(deep=True)
    for name, value in (
        ("collapse", collapse),
        ("collapse_low", collapse - 0.02),
        ("collapse_high", collapse),
        ("collapse_chance", chance),
    ):
        other["toy/aliasing"][name].loc[{"stage": "stack_end"}] = value
    (toy,) = encoders_of(other)
    assert f"{said}." in findings(toy, PROBES["aliasing"])[1]
