"""The first screen: every sentence is held against the numbers that it speaks of."""

import re
from dataclasses import replace
from itertools import product

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st

from tonotopy.reports import contents as contents_module
from tonotopy.reports.chapter import Chapter
from tonotopy.reports.chapters import CHAPTERS
from tonotopy.reports.contents import contents
from tonotopy.reports.first_screen import answers_of, command_for_all, not_requested, sentences
from tonotopy.reports.numbers import differing
from tonotopy.reports.patterns import NO, OPEN, YES, Pattern, Words, clause, sentence, shared
from tonotopy.reports.runs import controls_of, named_apart
from tonotopy.reports.tiles import tile_of
from tonotopy.reports.writing import hertz

from . import pages
from .conftest import selectivity
from .test_html import Page

WORDS = Words("a partial is there", "a partial is not there", "it is", "it is not")
holding = st.lists(st.sampled_from([YES, OPEN, NO]), min_size=1, max_size=16)
HOSTILE = ("<script>alert(1)</script>", "{{ 7 * 7 }}", "%s {0}", 'a "quoted" & name', "Ω" * 80, "a/b:c")
DOUBT = r"(?: \((\d+) of \d+ frequencies open\))?"
BOUNDARY = rf"up to ([^(;]+?){DOUBT} a partial is (not )?there; from ([^(,]+?) on{DOUBT}, it is(?: not)?$"
SLIPS = (  # what generated prose must never hold
    r"\bnan\b", r"\bNone\b", r"\binf\b", r"\b0 of 0\b", r"\bAll 1\b", r"  ", r"\.\.", r" [.,;]", r"\(\)",
    r"\b1 (random networks|channels|claims|frequencies|others|draws|controls|more figures|partials)\b",
    r"(?<!\d)(?<!or )[2-9] (random network|channel|claim|frequency|draw|control)\b",
)  # fmt: skip


def pattern_of(holds):
    return Pattern(np.geomspace(100, 6000, len(holds)), np.array(holds))


@given(holding)
def test_a_sentence_over_frequency_says_what_the_numbers_are(holds):
    """Read back, a sentence yields where it holds, where not, and what is open."""
    pattern = pattern_of(holds)
    said, few = sentence(pattern, WORDS), clause(pattern)
    counts, total = pattern.count, len(holds)
    f = pattern.frequency_hz
    if counts[YES] == total:
        assert said.startswith("a partial is there at ")
        assert few.startswith("everywhere")
    elif counts[NO] == total:
        assert said.startswith("a partial is not there at ")
        assert few.startswith("nowhere")
    elif counts[OPEN] == total:
        assert said.startswith("it is open at ")
    elif found := re.match(BOUNDARY, said):
        below = [h for h, one in zip(holds, f, strict=True) if one <= _hz(found[1], f)]
        above = [h for h, one in zip(holds, f, strict=True) if one >= _hz(found[4], f)]
        here, there = (NO, YES) if found[3] else (YES, NO)
        assert there not in below
        assert here not in above
        assert below[-1] == here
        assert above[0] == there
        assert below.count(OPEN) == int(found[2] or 0)
        assert above.count(OPEN) == int(found[5] or 0)
        assert ("not up to" in few) == bool(found[3])
    else:
        numbers = [int(n) for n in re.findall(r"at (?:the other )?(\d+)(?= of| it|$)", said)]
        numbers += [1] * bool(re.search("at the other it", said))
        assert sum(numbers) == total
        assert ("a partial is not there" in said) == (counts[YES] == 0)
    assert hertz(f[0]) in said or said.startswith("up to")


def _hz(written, frequencies):
    return next(f for f in frequencies if hertz(f) == written)


@given(st.lists(st.lists(st.sampled_from([YES, OPEN, NO]), min_size=5, max_size=5), max_size=3))
def test_several_networks_are_spoken_of_as_they_are(several):
    said = shared([pattern_of(holds) for holds in several])
    yes = [holds.count(YES) for holds in several]
    assert (said == "everywhere") == (bool(several) and set(yes) == {5})
    assert (said == "nowhere") == (bool(several) and all(holds.count(NO) == 5 for holds in several))
    if "at" in said.split():
        assert [int(n) for n in re.findall(r"\d+", said)[:-1]] == sorted({min(yes), max(yes)})


def test_a_trace_that_all_share_is_no_ones_own():
    """Where planes of another context do not tell partials apart, containment of 1 means nothing."""
    found = pages.questioned(pages.ALL)
    found["presence"]["transferable_profile"][...] = 1 / 16
    for end in ("low", "high"):
        found["presence"][f"transferable_profile_{end}"][...] = 1 / 16
    (one,) = named_apart([pages.run_of({"toy": found})])
    answer = CHAPTERS["stability"].answer(one)
    assert answer is not None
    assert answer.clause.startswith("nowhere")
    del found["presence"]  # nor where presence was not requested, and far planes contain as much
    found["stability"]["confusion"][...] = 0.95
    (one,) = named_apart([pages.run_of({"toy": found})])
    answer = CHAPTERS["stability"].answer(one)
    assert answer is not None
    assert answer.clause.startswith("nowhere")


SHAPES = {"all": pages.ALL, "none": pages.NONE, "some": pages.LOW_ONLY, "here and there": pages.MIXED,
          "half": np.full(16, 0.5)}  # fmt: skip


def chapters_of(encoders):
    return [CHAPTERS[probe] for probe in CHAPTERS if any(probe in one.tree.children for one in encoders)]


def said_of(trees):
    encoders = named_apart(trees)
    chapters = chapters_of(encoders)
    return sentences(encoders, chapters, answers_of(encoders, chapters)), encoders, chapters


@pytest.mark.parametrize(("shape", "networks"), [*product(SHAPES, (0, 1, 3))])
def test_sentences_over_the_grid_of_cases(shape, networks):
    """All, none, some, half-way; beside no, one and several random networks of the other extreme."""
    holds = SHAPES[shape]
    other = pages.NONE if shape == "all" else pages.ALL
    run = pages.run_of({"toy": pages.questioned(holds)}, {"matched": [pages.questioned(other)] * networks})
    said, _, _ = said_of([run])
    assert 3 <= len(said) <= 6
    for text in said:
        assert_sound(text)
        assert not re.search("supported|refuted", text)
    expected = {
        "all": "at every frequency from 120 Hz to 6 kHz",
        "none": "at any frequency",
        "some": "up to 967 Hz",
        "here and there": "at 10 of 16 frequencies",
        "half": "it is open at every frequency",
    }
    assert expected[shape] in said[0]
    where = "nowhere" if shape == "all" else "everywhere"
    who = {
        0: "",
        1: "Random weights of the same scale (one draw) keep it",
        3: "Random weights of the same scale keep it",
    }
    assert (f"{who[networks]} {where}." in said[0]) == bool(networks)
    assert ("andom" in " ".join(said)) == bool(networks)


def test_each_question_uses_its_own_numbers():
    """Presence everywhere, a trace below 1 kHz, no access, a place here and there: each says its own."""
    shapes = dict(zip(pages.QUESTIONS, ("all", "some", "none", "here and there"), strict=True))
    found = {q: pages.questioned(SHAPES[shape])[q] for q, shape in shapes.items()}
    found["presence"] = pages.questioned(pages.ALL)["presence"]
    said = said_of([pages.run_of({"toy": found})])[0]
    assert "keeps its own trace; from 1.25 kHz on" in said[0]
    assert "is there at every" in said[1]
    assert "cannot be read by a simple readout at any" in said[2]
    assert "has a place of its own at 10 of 16" in said[3]


def test_several_encoders_lead_with_what_each_gives():
    run = pages.run_of({"one": pages.questioned(pages.ALL), "two": pages.questioned(pages.NONE),
                        "three": pages.questioned(pages.ALL)})  # fmt: skip
    said, _, _ = said_of([run])
    assert said[0] == (
        "Does it keep its own trace whatever else sounds? At the latent, one and three: everywhere from "
        "120 Hz to 6 kHz; two: nowhere from 120 Hz to 6 kHz."
    )


def test_runs_of_one_name_are_told_by_their_run_or_weights():
    one, two, same = (
        pages.run_of({"my_ae": pages.questioned(pages.ALL, probes=["place"])}, name=name, sha256=sha256 * 64)
        for name, sha256 in (("ae0", "1"), ("ae1", "2"), ("ae0", "3"))
    )
    assert [s.name for s in named_apart([one, two])] == ["ae0", "ae1"]
    assert [s.name for s in named_apart([one, same])] == ["my_ae 111111", "my_ae 333333"]
    assert [s.name for s in named_apart([one, one])] == ["my_ae 111111", "my_ae 111111 (2)"]
    assert [s.name for s in named_apart([one])] == ["my_ae"]


def test_only_what_was_requested_is_listed_and_the_rest_is_a_line():
    run = pages.run_of(
        {"toy": pages.questioned(pages.ALL, probes=["place"])}, refused="codes: it has no codes"
    )
    said, encoders, chapters = said_of([run])
    assert len(said) == 1
    refused, left = not_requested(encoders, chapters)
    assert refused == "Could not be measured: codes: it has no codes."
    assert left.startswith("Not requested: selectivity, ")
    assert left.endswith('“tonotopy.probe(..., "all.zarr")” asks them too.')
    assert " codes" not in left
    assert "place" not in left.split(";")[0]


@pytest.mark.parametrize(
    ("measured_by", "asks_all"),
    [
        ("tonotopy probe my.py:make --weights best.pt --preset quick --name a -o a.zarr",
         "tonotopy probe my.py:make --weights best.pt --name a --out all.zarr"),
        ("tonotopy probe toy --probes=place --out=a.zarr --no-controls",
         "tonotopy probe toy --no-controls --out all.zarr"),
        ("tonotopy demo", "tonotopy probe toy --out all.zarr"),
        ("script.py", 'tonotopy.probe(..., "all.zarr")'),
    ],
)  # fmt: skip
def test_the_rest_is_asked_by_the_command_that_measured(measured_by, asks_all):
    run = pages.run_of({"toy": pages.questioned(pages.ALL, probes=["place"])})
    run.attrs["command"] = measured_by
    assert command_for_all(named_apart([run])) == asks_all


def test_tiles_place_numbers_between_the_ends():
    run = pages.run_of({"toy": pages.questioned(pages.ALL)}, {"matched": [pages.questioned(pages.NONE)]})
    (one,) = named_apart([run])
    for probe, (low, high) in {"presence": (1 / 16, 1), "access": (0.5, 1), "place": (0, 1)}.items():
        answer = CHAPTERS[probe].answer(one)
        assert answer is not None
        assert answer.estimate is not None
        tile = tile_of("#", "?", {"toy": answer})
        assert tile is not None
        *others, own = tile.bars[0].marks
        assert own.place == pytest.approx(100 * (answer.estimate.value - low) / (high - low))
        assert own.low < own.place < own.high
        assert [mark.look for mark in others] == ["baseline"]
        assert others[0].place < own.place


def assert_sound(text):
    """Hold a sentence against what generated prose must never be."""
    for slip in SLIPS:
        assert not re.search(slip, text), f"{slip!r} in {text!r}"
    assert text.rstrip().endswith((".", "?", ":")), text


@pytest.fixture
def no_figures(monkeypatch):
    """Draw nothing: these tests are about words."""
    original = contents_module.chapter_of

    def bare(probe) -> Chapter:
        return replace(
            original(probe), figures=lambda subject, controls: (), figures_of_controls=lambda c: ()
        )

    monkeypatch.setattr(contents_module, "chapter_of", bare)


def page_of(*trees):
    text = contents(trees, 50)
    page = Page(text)
    ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    for tag in re.findall(r"<(?:li|dd|p)>([^<]*[a-z][^<]*)</", text):
        for slip in SLIPS:
            assert not re.search(slip, tag), f"{slip!r} in {tag!r}"
    return text, page


def test_a_page_on_which_nothing_was_measured(no_figures):
    text, _ = page_of(pages.run_of({"toy": {}}, refused="codes: it has no codes"))
    assert "Nothing that was measured answers a question by itself" in text
    assert 'id="verdicts"' not in text


@pytest.mark.parametrize("name", HOSTILE)
def test_names_are_text_and_nothing_else(name, no_figures):
    run = pages.run_of({name: pages.questioned(pages.ALL, probes=["presence", "place"])})
    text, page = page_of(run)
    assert "<script>" not in text
    assert any(name in data for data in page.text)
    assert page.all("script") == []


def test_a_failing_control_leaves_claims_open_and_the_page_says_why(no_figures):
    good, bad = pages.questioned(pages.ALL), pages.questioned(pages.NONE)
    names = ("filterbank:stft", "filterbank:stft_magnitude", "control:decimator", "control:texture")
    fine = pages.run_of({"toy": good}, None, dict(zip(names, (good, good, bad, bad), strict=True)))
    failing = pages.run_of({"toy": good}, None, dict.fromkeys(names, good))
    assert "is borne out in" in page_of(fine)[0]
    text, _ = page_of(failing)
    assert "is borne out in" not in text
    assert "a control fails: control:decimator" in text


def test_two_encoders_of_one_name_are_never_called_the_same(no_figures):
    one = pages.run_of({"my_ae": pages.questioned(pages.ALL)}, name="ae0")
    two = pages.run_of({"my_ae": pages.questioned(pages.LOW_ONLY)}, name="ae1", sha256="f" * 64)
    text, page = page_of(one, two)
    assert "What ae0 and ae1 represent" in " ".join(page.text)
    assert "What differs most, intervals apart" in text
    titles = [data for data in page.text if data == "my_ae"]
    assert titles == []


def test_filters_say_how_wide_they_are_beside_the_ears():
    run = pages.run_of(
        {"toy": {"selectivity": selectivity(0)}}, {"random": [{"selectivity": selectivity(1)}]}
    )
    (one,) = named_apart([run])
    answer = CHAPTERS["selectivity"].answer(one)
    assert answer is not None
    assert answer.estimate is not None
    tuning = selectivity(0).sel(stage="first_layer")
    ears = 24.7 * (4.37 * tuning["best_frequency"].values / 1000 + 1)
    width = np.nanmedian(tuning["equivalent_noise_bandwidth"].values / ears)
    assert answer.estimate.value == pytest.approx(width)
    assert f"a band {width:.2g} times as wide as the ear's" in answer.sentence
    assert "At the first layer 11 of 12 channels respond, " in answer.sentence
    assert not controls_of(run)


def test_what_differs_less_than_is_shown_is_not_listed():
    def numbers(values, margins):
        at = np.array([values], dtype=float)[..., None]
        return xr.Dataset(
            {name: (("measure", "encoder", "stage"), at + sign * np.array([margins])[..., None])
             for name, sign in (("value", 0), ("low", -1), ("high", 1))},
            {"measure": ["Stability"], "stage": ["latent"]},
        ).transpose("measure", "stage", "encoder")  # fmt: skip

    assert differing(numbers([0.5, 0.9], [0.1, 0.1])) == [
        ["Stability", "latent", "0.50 (0.40 to 0.60)", "0.90 (0.80 to 1.00)", "0.40"]
    ]
    assert differing(numbers([0.9999, 1.0], [0, 0])) == []
    assert differing(numbers([0.5, 0.9], [0.2, 0.2])) == []
