import re

import numpy as np
import pytest
import xarray as xr

from tonotopy.probes.engine.schema import dataset
from tonotopy.probes.hypotheses.registry import HYPOTHESES
from tonotopy.probes.run.registry import schema
from tonotopy.reports.claims import CLAIMS
from tonotopy.reports.figures.hypotheses.verdicts import verdicts
from tonotopy.reports.runs import Subject
from tonotopy.reports.verdicts import claims_sentence, explained, verdict_rows, verdict_sentences

from .illustrated import assert_illustrated

NEEDS = {"undecided": "about 40 groups", "cannot be decided": "10 units"}
ROWS = (
    # name, stage, holds, threshold, effect, low, high, verdict, source says, agrees
    ("narrow_first_layer", "first_layer", "below", 0.0, 4.0, 3.0, 5.0, "refuted", "refuted", "yes"),
    ("stable_latent", "latent", "above", 0.5, 0.9, 0.8, 1.0, "supported", "refuted", "no"),
    ("architectural", "latent", "within", 0.1, 0.1, -0.1, 0.3, "undecided", "supported", "–"),
    ("readable", "latent", "above", 0.5, 0.7, 0.4, 1.0, "cannot be decided", "refuted", "–"),
    ("codes_are_reused", "codes", "above", 0.5, np.nan, np.nan, np.nan, "no verdict", "refuted", "–"),
)


def judged(rows=ROWS):
    columns = [np.array(column) for column in zip(*rows, strict=True)]
    names = ("hypothesis", "judged_at", "holds", "threshold", "effect", "low", "high", "verdict",
             "source_expects", "agrees")  # fmt: skip
    values = dict(zip(names, columns, strict=True))
    blank = np.array(["text"] * len(rows))
    names = ("claim", "statement", "justification", "null", "controls", "remark", "family", "method")
    values |= dict.fromkeys((*names, "alternative"), blank)
    values |= {
        "needs": np.array([NEEDS.get(verdict, "") for verdict in values["verdict"]]),
        "family_size": np.full(len(rows), 22),
        "least_p": np.where(values["verdict"] == "cannot be decided", 0.35, 0.001),
    }
    return dataset(
        schema()["hypotheses"], {**values, "p_corrected": np.where(values["verdict"] == "refuted", 1e-4, 0.2)}
    )


def codec(random=2):
    same = [("refuted", 3.9), ("refuted", 0.4), ("undecided", 0.1), ("cannot be decided", 0.1),
            ("no verdict", np.nan)]  # fmt: skip
    others = [(*r[:4], e, e, e, v, *r[8:]) for r, (v, e) in zip(ROWS, same, strict=True)]
    tree = xr.DataTree(xr.Dataset(attrs={"encoder": "codec"}))
    tree["hypotheses"] = xr.DataTree(judged())
    tree["access"] = tree["codes"] = xr.DataTree()
    baseline = xr.DataTree(children={"hypotheses": xr.DataTree(judged(others))})
    return Subject("codec", tree, (baseline,) * random)


def test_rows_hold_every_number_beside_what_it_is_held_against():
    narrow, stable, architectural, readable, codes = verdict_rows(codec())
    assert (narrow.name, narrow.effect, narrow.threshold) == (
        "narrow first layer",
        "4.00 (3.00 to 5.00)",
        "< 0",
    )
    assert narrow.p == "< 0.001"
    assert narrow.random == "refuted 2 of 2; 3.90"
    assert (stable.verdict, stable.random) == ("supported", "refuted 2 of 2; 0.40")
    assert architectural.threshold == "within ± 0.1"
    assert (codes.effect, codes.random) == ("–", "no verdict 2 of 2")
    assert verdict_rows(codec(0))[0].random == "–"
    assert (readable.needs, readable.least_p, readable.family) == ("10 units", "0.35", "text, 22 claims")
    assert "least p that can be reached 0.35" in explained(readable)
    assert "To be decided it needs 10 units." in explained(readable)
    assert "needs" not in explained(narrow)
    assert "Not excluded: text." in explained(narrow)


def test_sentences_say_where_the_source_is_met_and_what_training_changed():
    said = " ".join(verdict_sentences(codec()))
    assert (
        "Of 5 claims 2 are decided, 1 is undecided, 1 cannot be decided with so few units and 1 has no "
        "verdict." in said
    )
    assert "To be decided, architectural needs about 40 groups and readable needs 10 units." in said
    assert "As text says: “narrow first layer” does not hold." in said
    assert "Other than text says: “stable latent” holds." in said
    assert "All 2 random networks say the same in 1 of 2 that are decided; not in stable latent." in said
    assert "random" not in " ".join(verdict_sentences(codec(0)))
    assert not re.search("supported|refuted", said)


def test_random_networks_that_were_not_asked_say_nothing():
    def baseline(kind, verdicts):
        rows = [(*row[:7], verdict, *row[8:]) for row, verdict in zip(ROWS, verdicts, strict=True)]
        return xr.DataTree(
            xr.Dataset(attrs={"baseline": kind}), children={"hypotheses": xr.DataTree(judged(rows))}
        )

    unasked = [baseline("random", ["no verdict"] * 5)] * 2
    scaled = [baseline("matched", ["no verdict", "refuted", *["no verdict"] * 3])] * 2
    said = [
        " ".join(verdict_sentences(Subject("codec", codec().tree, tuple(beside))))
        for beside in (unasked, [*unasked, *scaled])
    ]
    assert "random" not in said[0]
    assert "All 2 random networks say otherwise of the one that is decided." in said[1]


def one_claim(verdict, agrees, others=()):
    """An encoder of which one claim was judged, and the verdicts of its random networks."""

    def tree(text):
        return xr.DataTree(
            children={"hypotheses": xr.DataTree(judged([(*ROWS[0][:7], text, "refuted", agrees)]))}
        )

    own = xr.DataTree(xr.Dataset(attrs={"encoder": "codec"}))
    own["hypotheses"] = tree(verdict)["hypotheses"].copy()
    return Subject("codec", own, tuple(tree(one) for one in others))


@pytest.mark.parametrize(
    ("verdict", "agrees", "others", "expected"),
    [
        ("refuted", "yes", ["refuted"], ["The one claim that was requested is decided.",
                                         "As text says: “narrow first layer” does not hold.",
                                         "The random network says the same of the one that is decided."]),
        ("supported", "no", ["refuted"] * 3, ["The one claim that was requested is decided.",
                                              "Other than text says: “narrow first layer” holds.",
                                              "All 3 random networks say otherwise of the one that is "
                                              "decided."]),
        ("supported", "–", [], ["The one claim that was requested is decided.",
                                "“narrow first layer” holds."]),
        ("no verdict", "–", ["no verdict"], ["The one claim that was requested has no verdict."]),
        ("undecided", "–", [], ["The one claim that was requested is undecided.",
                                "To be decided, narrow first layer needs about 40 groups."]),
    ],
)  # fmt: skip
def test_sentences_on_one_claim(verdict, agrees, others, expected):
    assert verdict_sentences(one_claim(verdict, agrees, others)) == expected


def test_a_source_is_borne_out_or_not_in_one_sentence():
    assert claims_sentence(codec()) == (
        "text is borne out in 1 of the 2 claims that this run decides; other than it says: "
        "“stable latent” holds."
    )
    assert claims_sentence(one_claim("refuted", "yes")) == (
        "text is borne out in the one claim that this run decides."
    )
    assert claims_sentence(one_claim("supported", "no")).startswith("text is not borne out in the one claim")
    assert claims_sentence(one_claim("no verdict", "–")) == ""


def test_every_claim_of_the_library_has_words_that_deny_it():
    assert set(CLAIMS) == {one.name for one in HYPOTHESES}
    for claim in CLAIMS.values():
        assert claim.holds != claim.fails
        assert not re.search(r"supported|refuted|[.]$", claim.holds + claim.fails)


def test_a_run_that_was_not_judged_says_nothing():
    bare = Subject("codec", xr.DataTree(xr.Dataset(attrs={"encoder": "codec"})), ())
    assert verdict_rows(bare) == verdict_sentences(bare) == []


def points(figure, marker):
    """Rows and places of the points of a marker."""
    lines = [line for line in figure.axes[0].lines if line.get_marker() == marker and len(line.get_xdata())]
    return {round(float(line.get_ydata()[0])): float(line.get_xdata()[0]) for line in lines}


def test_right_of_the_line_it_holds():
    drawn = verdicts(judged(), [], "codec")
    places = points(drawn.figure, "o")
    assert places == {
        4: pytest.approx(-4 / 5),
        3: pytest.approx(0.4 / 0.5),
        2: pytest.approx(0.0),
        1: pytest.approx(0.4),
    }
    assert_illustrated(drawn)
    assert [t.get_text() for t in drawn.figure.axes[0].get_yticklabels()] == [
        "narrow first layer", "stable latent", "architectural (latent)", "readable (latent)",
    ]  # fmt: skip
    assert drawn.data["verdict"].tolist() == [row[7] for row in ROWS]
    assert drawn.data["as the source says"].tolist() == [row[9] for row in ROWS]
    assert drawn.data["effect"].tolist() == pytest.approx([row[4] for row in ROWS], nan_ok=True)
    assert {text.get_text() for text in drawn.figure.legends[0].get_texts()} == {
        "encoder, decided", "encoder, not decided",
    }  # fmt: skip
    beside = verdicts(judged(), [judged()], "codec").figure
    assert len(points(beside, "D")) >= 3
    assert "random networks" in {text.get_text() for text in beside.legends[0].get_texts()}


def test_where_nothing_was_decided_no_mark_is_in_the_legend():
    drawn = verdicts(judged(ROWS[-1:]), [], "codec")
    assert points(drawn.figure, "o") == {}
    assert not drawn.figure.legends
    assert drawn.data["verdict"].tolist() == ["no verdict"]
