import numpy as np
import pytest
import xarray as xr

from tonotopy.reports.chapters import CHAPTERS
from tonotopy.reports.columns import placed
from tonotopy.reports.contents import cautions
from tonotopy.reports.numbers import side_by_side, table_of
from tonotopy.reports.runs import Subject, controls_of, encoders_of
from tonotopy.reports.writing import interval, written


@pytest.fixture(scope="module")
def toy(run):
    return encoders_of(run)[0]


def column(probe, heading):
    return next(c for c in CHAPTERS[probe].columns if c.heading == heading)


def findings(subject, probe):
    return list(CHAPTERS[probe].findings(subject))


def headings(table):
    return [c.heading for c in table.columns]


def test_a_median_is_that_of_the_stages_own_channels(toy):
    tuning = toy.result("selectivity")
    expected = np.nanmedian(tuning.quality.sel(stage="first_layer").values[:12])
    assert column("selectivity", "Q").of(tuning, "first_layer") == pytest.approx(expected)


def test_codes_have_no_tuning_but_a_probability(toy):
    tuning = toy.result("selectivity")
    assert np.isnan(column("selectivity", "Q").of(tuning, "codes"))
    assert np.isnan(column("selectivity", "Resolved").of(tuning, "codes"))
    assert 0 < column("selectivity", "Codes changed").of(tuning, "codes") < 1


def test_what_is_not_there_is_nan(toy):
    assert np.isnan(column("selectivity", "Q").of(None, "first_layer"))
    assert np.isnan(column("selectivity", "Q").of(toy.result("selectivity"), "nowhere"))


def test_silent_channels_do_not_respond(toy):
    assert column("selectivity", "Respond").of(toy.result("selectivity"), "first_layer") == pytest.approx(
        11 / 12
    )


def test_summary_sets_each_stage_beside_its_random_range(run, toy):
    table = table_of(CHAPTERS["selectivity"], [toy], list(controls_of(run).values()))
    assert [row.role for row in table.rows[:2]] == ["encoder", "baseline"]
    assert {row.stage for row in table.rows if row.role == "encoder"} == {"first_layer", "stack_end", "codes"}
    assert [row.subject for row in table.rows if row.role == "control"] == [
        "control:decimator",
        "control:texture",
    ]
    assert {len(row.cells) for row in table.rows} == {len(table.columns)}
    q = headings(table).index("Q")
    seeds = [column("selectivity", "Q").of(r, "first_layer") for r in toy.of_baselines("selectivity")]
    own = column("selectivity", "Q").of(toy.result("selectivity"), "first_layer")
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


def test_a_component_is_read_at_the_level_shown(toy):
    probe = toy.result("aliasing")
    assert column("aliasing", "At fold").of(probe, "stack_end") == pytest.approx(0.25)
    assert column("aliasing", "Mean shift").of(probe, "stack_end") == pytest.approx(0.375)
    assert column("aliasing", "Level").of(probe, "stack_end") == pytest.approx(0.31)
    assert column("tiling", "Off mel").of(toy.result("tiling"), "first_layer") == 0.1


def test_each_probe_has_a_table_of_its_own(run, toy):
    controls = list(controls_of(run).values())
    for chapter in CHAPTERS.values():
        table = table_of(chapter, [toy], controls)
        assert set(table.columns) <= set(chapter.columns), chapter.probe
        assert all(
            any(cell.text != "–" for cell in row.cells) for row in table.rows if row.role != "baseline"
        )
    aliasing = table_of(CHAPTERS["aliasing"], [toy], controls)
    assert {r.subject for r in aliasing.rows if r.role == "control"} == {"control:decimator"}
    assert "codes" not in {row.stage for row in aliasing.rows}


def test_what_is_written_alike_has_no_mark(toy):
    table = table_of(CHAPTERS["aliasing"], [toy], [])
    at_fold = headings(table).index("At fold")
    assert table.rows[0].cells[at_fold].text == table.rows[1].cells[at_fold].text == "1.00"
    assert table.rows[0].cells[at_fold].mark == ""


def test_encoders_stand_side_by_side(toy):
    numbers = side_by_side([toy, toy], list(CHAPTERS.values()))
    assert numbers.sizes["encoder"] == 2
    collapse = numbers.sel(measure="Collapse", stage="stack_end").isel(encoder=0)
    assert [float(collapse[n]) for n in ("value", "low", "high")] == pytest.approx([0.6, 0.5, 0.7])
    coherence = numbers.sel(measure="Mean coh.", stage="first_layer").isel(encoder=0)
    assert float(coherence["random_low"]) == pytest.approx(0.31)
    assert float(coherence["random_high"]) == pytest.approx(0.32)
    assert np.isnan(numbers.sel(measure="Collapse", stage="first_layer")["value"]).all()


def test_findings_speak_of_the_data(toy):
    said = findings(toy, "selectivity")
    assert any("closed-form tuning differ by 0.0002 dB" in sentence for sentence in said)
    assert any("2 random networks give" in sentence for sentence in said)
    first, deep = findings(toy, "aliasing")
    assert first.startswith("first_layer: 1.00 (random 1.00) of a tone's output power")
    assert "Collapse is 0.60 (0.50 to 0.70), above chance (0.45): channels tell" in deep
    first, deep = findings(toy, "invertibility")
    assert "can be undone (smallest gain 0.2)" in first
    assert "its Jacobian at silence, which errs by 0.8, it cannot be undone" in deep
    (first,) = findings(toy, "representability")
    assert "0.82 (random 0.82), interval 0.70 to 0.90, p 0.001" in first
    first, _ = findings(toy, "tiling")
    assert "nearest to even mel spacing, 0.10 (random 0.10) off" in first


def test_cautions_speak_of_the_data(toy):
    said = list(cautions(toy, CHAPTERS.values()))
    for expected in (
        "lower bound",
        "stack_end: 40 of 420 responses of a channel to a tone lie below the floor",
        "stack_end: for 4 of 21 tones two predicted frequencies are one",
        "first_layer: 2 pairs share a fold and lie far enough apart, too few for collapse",
        "stack_end: singular values are of the linearisation (foretells no answers)",
        "stack_end: no correlation of predicted and recovered partials (all are recovered alike)",
        "40.0 % of its response's power in the first harmonic",
    ):
        assert any(expected in sentence for sentence in said), expected
    assert len(said) == len(set(said))
    assert not any("signals have no partials" in sentence for sentence in said)


def test_signals_that_were_not_read_are_counted(toy):
    sounds = toy.result("representability")
    unread = sounds.assign(n_partials=sounds["n_partials"].where(sounds["signal"] > 1, 0))
    root = xr.Dataset(attrs=toy.tree.attrs)
    it = Subject("it", xr.DataTree(root, children={"representability": xr.DataTree(unread)}))
    said = list(cautions(it, CHAPTERS.values()))
    assert any("2 of 12 signals have no partials and no values" in sentence for sentence in said)


@pytest.mark.parametrize(
    ("collapse", "width", "chance", "said"),
    [
        (1.0, 0.02, 1.0, "tones of one fold are one sound"),  # the decimator: one channel tells nothing apart
        (0.0, 0.02, 0.0, "sharing a fold makes no difference"),
        (0.03, 0.35, 0.0, "it is open whether sharing a fold makes a difference"),
        (0.5, 0.02, 0.3, "channels tell tones of one fold apart less well than others"),
        (0.5, 0.02, 0.5, "channels tell tones of one fold apart as well as others"),
        (0.5, 0.3, 0.5, "it is open whether channels tell tones of one fold apart as well as others"),
        (0.5, 0.02, 0.9, "channels tell tones of one fold apart better than others"),
    ],
)
def test_what_collapse_means_is_said(run, collapse, width, chance, said):
    other = run.copy(deep=True)
    for name, value in (
        ("collapse", collapse),
        ("collapse_low", collapse - width),
        ("collapse_high", collapse + (width > 0.1) * width),
        ("collapse_chance", chance),
    ):
        other["toy/aliasing"][name].loc[{"stage": "stack_end"}] = value
    (toy,) = encoders_of(other)
    assert f"{said}." in findings(toy, "aliasing")[1]
