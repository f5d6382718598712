"""What pages say of the four questions: words follow from the numbers beside them; pictures show them."""

import re

import numpy as np
import pytest
import xarray as xr

from tonotopy.probes.composition.draws import SWEPT, USUAL
from tonotopy.probes.engine.selecting import of_kind, picked
from tonotopy.probes.run.compare import compare
from tonotopy.probes.run.registry import registered
from tonotopy.reports import figures
from tonotopy.reports.chapters import CHAPTERS, panels
from tonotopy.reports.chapters import questions as chapters
from tonotopy.reports.estimates import Estimate, beside, estimate, exactly, standing
from tonotopy.reports.figures.drawing import BASELINE_LOOKS, TRAINED
from tonotopy.reports.numbers import side_by_side, table_of
from tonotopy.reports.runs import Subject

from . import questions as made_up
from .illustrated import assert_illustrated, row_of

QUESTIONS = ("presence", "stability", "access", "place")


def of(probe, half=0.02, kinds=None, stages=("latent",), conditions=SWEPT, **values):
    """A subject of which one question was answered, with baselines by kind: values of each."""

    def tree(found, **about):
        return made_up.subject({probe: made_up.question(probe, found, half, stages, conditions)}, **about)

    baselines = [
        tree(found, role="baseline", of="toy", baseline=kind)
        for kind, several in (kinds or {}).items()
        for found in several
    ]
    return Subject("toy", tree(values), tuple(baselines))


def said(subject, probe):
    return list(CHAPTERS[probe].findings(subject))


@pytest.mark.parametrize(
    ("low", "high", "chance", "expected"),
    [
        (0.66, 0.74, 0.5, "above chance"),
        (0.48, 0.54, 0.5, "at chance"),
        (0.40, 0.49, 0.5, "at chance"),
        (0.45, 0.75, 0.5, "undecided"),
        (0.97, 1.00, 0.5, "at ceiling"),
        (0.94, 1.00, 0.5, "above chance"),
        (0.51, 0.54, 0.5, "barely above chance"),
        (0.501, 0.54, 0.5, "at chance"),  # written, the interval begins at chance
        (0.00, 0.03, 0.0, "at chance"),
        (0.95, 1.00, 0.95, "no room"),
        (np.nan, np.nan, 0.5, "undecided"),
    ],
)
def test_where_an_interval_lies(low, high, chance, expected):
    assert standing(Estimate((low + high) / 2, low, high), exactly(chance)) == expected


def test_a_measured_chance_counts_at_its_worse_end():
    chance = Estimate(0.3, 0.2, 0.4)
    assert standing(Estimate(0.41, 0.38, 0.44), chance) == "undecided"
    assert standing(Estimate(0.50, 0.42, 0.58), chance) == "above chance"
    assert standing(Estimate(0.22, 0.20, 0.24), chance) == "at chance"


def test_no_words_contradict_the_numbers_beside_them():
    """What is above chance begins above it as written; what is at chance does not exceed it by much."""
    generator = np.random.default_rng(0)
    for chance in (0.0, 1 / 16, 0.5):
        for _ in range(500):
            low, high = np.sort(generator.uniform(max(0, chance - 0.2), 1, 2)).tolist()
            word = standing(Estimate((low + high) / 2, low, high), exactly(chance))
            assert (float(f"{low:.2f}") > float(f"{chance:.2f}")) == (word in (
                "above chance", "barely above chance", "at ceiling"
            ))  # fmt: skip
            if word == "at chance":
                assert high < chance + 0.1 * (1 - chance) + 0.01


@pytest.mark.parametrize(
    ("value", "half", "expected"),
    [(0.75, 0.04, "is there in part"), (0.99, 0.01, "is there:"), (0.06, 0.02, "is not there"),
     (0.10, 0.02, "is barely there"), (0.30, 0.29, "may or may not be there")],
)  # fmt: skip
def test_presence_in_words(value, half, expected):
    (sentence,) = said(of("presence", half, proportion=value), "presence")
    assert sentence.startswith(f"latent: a partial among 4 others {expected}")
    assert f"{value:.2f} ({value - half:.2f} to {value + half:.2f}) are found" in sentence
    assert "by chance 0.06" in sentence


@pytest.mark.parametrize(
    ("containment", "far", "expected"),
    [(0.62, 0.19, "keeps its trace in part"), (1.0, 0.0, "keeps its trace:"),
     (1.0, 1.0, "leaves the trace that"), (0.20, 0.19, "keeps no trace of its own"),
     (0.35, 0.31, "may or may not keep")],
)  # fmt: skip
def test_stability_is_judged_by_the_stage_s_own_confusion(containment, far, expected):
    confusion = np.full((1, len(SWEPT), 5), far)
    (sentence,) = said(of("stability", containment=containment, confusion=confusion), "stability")
    assert sentence.startswith(f"latent: a partial among 4 others {expected}")
    assert f"{far:.2f} ({far - 0.02:z.2f} to {far + 0.02:.2f}) of one 9 or more away" in sentence


def test_access_says_each_order_by_itself():
    auc = np.array([[0.7, 0.50, 0.50], [0.9, 0.70, 0.55]])  # linear and quadratic, at 2, 5 and 16
    (sentence,) = said(of("access", auc=auc), "access")
    assert (
        "by a linear readout of mixtures of 5 a partial cannot be read: AUC 0.50 (0.48 to 0.52)" in sentence
    )
    assert "By one of squares it can be read in part: AUC 0.70 (0.68 to 0.72)" in sentence
    assert "In mixtures of 16 it is 0.55" in sentence
    doubtful = said(of("access", auc=0.55, auc_null=0.56), "access")[0]  # no more than permuted labels
    assert "may or may not be readable: AUC 0.55" in doubtful


def test_place_in_words():
    assert "has no place: 0.02" in said(of("place", place=0.02), "place")[0]
    assert "has a place: 0.98" in said(of("place", place=0.98), "place")[0]


def test_baselines_are_named_by_kind_and_only_those_that_are_there():
    alone = said(of("presence", proportion=0.75), "presence")[0]
    assert not re.search("random|matched|permuted|That is", alone)
    kinds = {"random": [{"proportion": v} for v in (1.0, 0.98)], "matched": [{"proportion": 0.76}]}
    sentence = said(of("presence", proportion=0.75, kinds=kinds), "presence")[0]
    assert (
        "That is below random weights (0.98 to 1.00, 2 seeds), not beyond matched random weights" in sentence
    )
    assert "permuted" not in sentence
    one = Estimate(0.75, 0.7, 0.8)
    assert beside(one, {"random": [exactly(0.6), exactly(0.72)]}).startswith("not beyond")
    assert beside(one, {"random": [exactly(0.6), exactly(0.7)]}).startswith("not beyond")  # as it is written
    assert beside(one, {"random": [exactly(0.6), exactly(0.69)]}).startswith("above")
    assert beside(one, {"random": [exactly(np.nan)]}) == ""


def test_pitches_and_chords_are_said_where_they_were_measured():
    values = np.array([[0.75, 0.8, 0.7, 0.7, 0.6, 0.4]])  # partials in four conditions, pitches, chords
    whole, usual = (
        of("presence", proportion=v, conditions=c) for v, c in ((values, SWEPT), (0.75, (USUAL,)))
    )
    assert (
        "The same of pitches 0.60 (0.58 to 0.62), by chance 0.06; of chords 0.40"
        in said(whole, "presence")[0]
    )
    assert "pitches" not in said(usual, "presence")[0]
    assert np.isnan(estimate(usual.result("presence"), "latent", "proportion", "chord").value)


@pytest.mark.parametrize("probe", QUESTIONS)
def test_tables_show_the_main_number_with_its_interval(probe):
    chapter = CHAPTERS[probe]
    main = chapter.columns[0]
    subject = of(probe, kinds={"random": [{}, {}], "permuted": [{}]})
    table = table_of(chapter, [subject], [subject])
    assert table.rows[0].cells[0].text == "0.50 (0.48 to 0.52)"
    assert [row.subject for row in table.rows] == ["toy", "random, 2 seeds", "permuted, 1 seed", "toy"]
    assert main.is_side_by_side
    usual = of(probe, conditions=(USUAL,))
    assert not {"Pitches", "Chords"} & {c.heading for c in table_of(chapter, [usual], []).columns}
    numbers = side_by_side([subject, subject], [chapter])
    assert numbers["low"].values.min() == pytest.approx(0.48)


def test_the_questions_come_first_among_those_of_composition():
    names = [probe.name for probe in registered()]
    assert max(map(names.index, QUESTIONS)) < names.index("compositionality") < names.index("readout")
    assert CHAPTERS["compositionality"].title == "Plane index (earlier versions)"
    assert not any(column.is_side_by_side for column in CHAPTERS["compositionality"].columns)


def test_what_stands_for_a_kind_where_mixtures_have_several_densities():
    for conditions in (SWEPT, SWEPT[:1]):
        found = made_up.question("access", {}, conditions=conditions)
        assert of_kind(found)["condition"].item() == SWEPT[0].label
    assert picked(made_up.question("place", {}, conditions=(USUAL,))["place"], "chord").size == 0


STAGES = ("first_layer", "latent")


@pytest.fixture(scope="module")
def answered():
    """An encoder's answers, and baselines: random at 1, permuted at 0.3."""
    own = {probe: made_up.question(probe, {}, stages=STAGES) for probe in QUESTIONS}
    kinds = {"random": ({"proportion": 1.0}, {"proportion": 0.9}), "permuted": ({"proportion": 0.3},)}
    others = {
        probe: {
            k: [made_up.question(probe, v, stages=STAGES) for v in several] for k, several in kinds.items()
        }
        for probe in QUESTIONS
    }
    return own, others


def drawn_at(axes, marker, colour):
    chosen = [line for line in axes.lines if line.get_marker() == marker and line.get_color() == colour]
    return [tuple(point) for line in chosen for point in line.get_xydata().tolist()]


def test_the_picture_of_all_four_shows_each_stage_beside_chance_and_baselines(answered):
    own, others = answered
    controls = {"control:decimator": {"presence": made_up.question("presence", {"proportion": 0.06})}}
    drawn = figures.four_questions(own, others, controls, "toy")
    titles = [axes.get_title(loc="left").split(":")[0] for axes in drawn.figure.axes if axes.axison]
    assert titles == ["Presence", "Stability", "Access", "Access", "Place"]
    presence, stability = drawn.figure.axes[:2]
    assert [x for x, _ in drawn_at(presence, "o", TRAINED)] == [0.5, 0.5]
    for kind, values in (("random", [1.0, 0.9]), ("permuted", [0.3])):
        colour, marker = BASELINE_LOOKS[kind]
        assert [x for x, _ in drawn_at(presence, marker, colour)] == values * 2
    assert [bar.get_width() for bar in presence.patches] == [1 / 16] * 2
    assert [bar.get_width() for bar in stability.patches] == [0.5] * 2  # its own confusion
    dotted = [line for line in presence.lines if line.get_linestyle() == ":"]
    assert np.ravel(dotted[0].get_xdata())[0] == 0.06
    assert_illustrated(drawn)
    for stage in STAGES:
        row = row_of(drawn.data, measure="presence", **{"stage or control": stage})
        assert row[["value", "low (95 %)", "high (95 %)", "chance"]].tolist() == pytest.approx(
            [0.5, 0.48, 0.52, 1 / 16]
        )
        assert row[["random weights, least", "random weights, most"]].tolist() == [0.9, 1.0]
    control = row_of(drawn.data, measure="presence", **{"stage or control": "control:decimator"})
    assert control["value"] == 0.06


def test_kinds_stand_side_by_side_and_alone(answered):
    own, others = answered
    drawn = figures.kinds_side_by_side(own, others, "toy")
    assert_illustrated(drawn)
    where = {"measure": "presence", "of": "chords", "stage or control": "first_layer"}
    assert row_of(drawn.data, **where)["value"] == 0.5
    only = of("place", conditions=(USUAL,))
    assert "four_questions_kinds" not in [one.name for one in chapters.PLACE.figures(only, [])]
    assert len([axes for axes in drawn.figure.axes if axes.axison]) == 5


@pytest.mark.parametrize("probe", QUESTIONS)
def test_profiles_lie_over_frequency(answered, probe):
    own, others = answered
    drawn = figures.over_frequency(own[probe], others[probe], probe, "toy")
    axes = drawn.figure.axes[1]
    assert axes.get_title(loc="left") == "latent"
    assert axes.get_xscale() == "log"
    lines = [line for line in axes.lines if line.get_color() == TRAINED]
    np.testing.assert_allclose(lines[0].get_xdata(), np.geomspace(120, 6000, 16))
    np.testing.assert_allclose(lines[0].get_ydata(), 0.5)
    assert_illustrated(drawn)
    row = drawn.data[drawn.data["stage"] == "latent"].iloc[0]
    assert row[["frequency (Hz)", "value"]].tolist() == pytest.approx([120, 0.5])
    alone = figures.question_over_frequency(own[probe], stage="latent", beside=others[probe])
    (line,) = [line for line in alone.lines if line.get_color() == TRAINED]
    np.testing.assert_allclose(line.get_ydata(), lines[0].get_ydata())
    assert alone.get_xlabel() == "frequency (Hz)"
    assert alone.figure.legends


def test_curves_lie_over_spacing_and_over_how_many_sound(answered):
    own, others = answered
    for drawn, x in (
        (figures.over_spacing(own, others, "toy"), [0.5, 1, 2, 4.5, 9]),
        (figures.over_density(own, others, "stability", "toy"), [2, 5, 33]),
        (figures.over_density(own, others, "access", "toy"), [2, 5, 16]),
    ):
        lines = [line for line in drawn.figure.axes[0].lines if line.get_color() == TRAINED]
        assert list(np.asarray(lines[0].get_xdata())) == x
        assert_illustrated(drawn)
        of_stage = drawn.data[drawn.data["stage"] == "latent"]
        assert set(x) <= set(of_stage.iloc[:, 2])
        assert of_stage["value"].tolist() == pytest.approx([0.5] * len(of_stage))


def test_a_chapter_draws_what_there_is():
    subject = of("stability")
    names = [one.name for one in chapters.STABILITY.figures(subject, [])]
    assert names == ["four_questions", "four_questions_kinds", "stability_over_frequency", "confusion",
                     "stability_over_density"]  # fmt: skip
    assert list(chapters.PLACE.figures(subject, [])) == []
    chords = of("stability", conditions=SWEPT[-1:])
    assert [one.name for one in chapters.STABILITY.figures(chords, [])] == names[:2]
    assert said(chords, "stability") == []
    squeezed = made_up.question("place", {}, conditions=(USUAL,)).squeeze("condition")
    assert isinstance(squeezed, xr.Dataset)
    figures.four_questions({"place": squeezed})
    figures.over_frequency(squeezed, question="place")


def test_two_runs_are_compared_where_the_panels_say():
    run = xr.DataTree(children={
        "toy": made_up.subject({probe: made_up.question(probe, {}) for probe in QUESTIONS}),
    })  # fmt: skip
    compared = compare(run, run)
    columns = (compared[name].values.astype(str) for name in ("probe", "variable", "at"))
    found = set(zip(*columns, strict=True))
    wanted = {at for at in panels() if at[0] in QUESTIONS}
    assert len(wanted) == 5
    assert wanted <= found
