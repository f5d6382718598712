import io

import numpy as np
import pytest

from tonotopy.probes.engine.schema import dataset
from tonotopy.probes.run.registry import schema
from tonotopy.reports.chapters.tokens import CODES
from tonotopy.reports.figures import code_reuse, code_stability
from tonotopy.reports.figures.tokens.code_stability import changes
from tonotopy.reports.known_answers import checks
from tonotopy.reports.numbers import table_of
from tonotopy.reports.runs import Subject

from .captions import assert_captioned
from .conftest import stage_variables, subject

N = 6
DELAYS = np.array([1 / 320, 0.25, 1.0])


def found(books, same, phase=0.5, stays=(0.4, 0.1, 1.0), decodes=True, margins=True):
    """Results whose partials all agree to `same`, but for some that stray up and down."""
    strays = np.linspace(-0.02, 0.02, N)[:, None] + np.zeros(books)
    stage = {"codes": (books, 320, None, "codes")}
    about = {name: v for name, v in stage_variables(stage).items() if name != "channel"}
    one = {
        "component": np.geomspace(120, 6000, N),
        "codebook": np.arange(1, books + 1),
        "agreement_same": same + strays,
        "agreement_different": np.full((N, books), 0.01),
        "agreement_context": np.full((N, books), 0.3),
        "agreement_phase": phase + strays,
        "joint_same": (same + strays) / np.arange(1, books + 1),
        "joint_different": np.full((N, books), 0.01),
        "joint_phase": (phase + strays) / np.arange(1, books + 1),
        "reuse": np.full(N, same / 2),
        "information": np.full((N, books), 1.5),
        "unrelated_same": np.full((N, books), 0.03),
        "delay": DELAYS,
        "shifted_same": np.array(stays)[:, None, None] * np.ones((N, books)),
        "arithmetic": np.array(["batch of one", "two threads", "float64 distances"]),
        "arithmetic_changed": np.array([0.02, 0.0, 0.04])[:, None] * np.ones(books),
    }
    if decodes:
        one["generation"] = np.arange(1, 4)
        one["reencoded_same"] = np.array([0.8, 0.7, 0.6])[:, None, None] * np.ones((N, books))
    if margins:
        quantile = np.array([0.05, 0.25, 0.5, 0.75, 0.95])
        one |= {"quantile": quantile, "margin": quantile[:, None] * np.ones(books) / 2}
        one["narrow_share"] = np.full(books, 0.07)
    axes = ("component", "codebook", "delay", "generation", "arithmetic", "quantile")
    one = {name: v if name in axes else v[None] for name, v in one.items()}
    return dataset(schema()["codes"], {**one, **about})


TRAINED, RANDOM = found(4, 0.2), [found(4, 0.05), found(4, 0.08)]
TEXTURE = found(1, 0.03, decodes=False, margins=False)


@pytest.fixture(scope="module")
def reuse():
    return code_reuse(TRAINED, RANDOM, "toy")


@pytest.fixture(scope="module")
def stability():
    return code_stability(TRAINED, RANDOM, "toy")


def lines_at(axes, marker):
    return [line for line in axes.lines if line.get_marker() == marker]


def test_agreement_is_drawn_beside_chance_and_random_seeds(reuse):
    each, together = reuse.figure.axes
    own, *random = lines_at(each, "o")
    np.testing.assert_allclose(own.get_ydata(), 0.2)
    assert [float(line.get_ydata()[0]) for line in random] == pytest.approx([0.05, 0.08])
    (chance,) = lines_at(each, "_")
    np.testing.assert_allclose(chance.get_ydata(), 0.01)
    np.testing.assert_allclose(lines_at(together, "o")[0].get_ydata(), 0.2 / np.arange(1, 5))
    low, high = (segment[:, 1] for segment in np.swapaxes(each.collections[1].get_segments(), 0, 1))
    assert (low < 0.2).all()  # same: an interval of its own at every codebook
    assert (high > 0.2).all()
    assert each.get_ylim()[0] == 0


def row_of(one, what, codebook=None):
    rows = one.data[one.data.iloc[:, 0].str.startswith(what)]
    rows = rows if codebook is None else rows[rows.codebook == codebook]
    (row,) = rows.to_dict("records")
    return row


def test_the_table_of_reuse_carries_numbers_of_the_data(reuse):
    first = row_of(reuse, "each codebook by itself, other context", 1)
    numbers = [first[name] for name in ("encoder", "random weights 1", "random weights 2")]
    assert numbers == pytest.approx([0.2, 0.05, 0.08])
    assert first["from"] < 0.2 < first["to"]
    assert row_of(reuse, "each codebook by itself, chance", 1)["encoder"] == pytest.approx(0.01)
    together = row_of(reuse, "all codebooks up to it at once, other context", 4)
    assert together["encoder"] == pytest.approx(0.05)
    best = row_of(reuse, "kept beyond chance")
    assert [best["encoder"], best["random weights 1"]] == pytest.approx([0.1, 0.025])
    assert row_of(reuse, "each codebook by itself, other phase", 1)["encoder"] == pytest.approx(0.5)
    assert row_of(reuse, "tells of the partial", 1)["encoder"] == pytest.approx(1.5)
    assert row_of(reuse, "most that could be told")["encoder"] == pytest.approx(np.log2(N))
    assert_captioned(reuse)
    assert reuse.question.endswith("?")
    assert reuse.alt.endswith(".")


def test_a_single_codebook_has_one_panel():
    one = code_reuse(TEXTURE, name="texture")
    assert len(one.figure.axes) == 1
    assert_captioned(one)


def test_every_change_has_its_row(stability):
    kept = changes(TRAINED.sel(stage="codes"))
    assert {name: round(float(v.mean()), 3) for name, v in kept.items()} == {
        "begins 1 sample later": 0.4,
        "begins 1/4 hop later": 0.1,
        "begins 1 hop later": 1.0,
        "coded again once": 0.8,
        "coded again twice": 0.7,
        "coded again 3 times": 0.6,
        "batch of one": 0.98,
        "two threads": 1.0,
        "float64 distances": 0.96,
    }
    axes = stability.figure.axes[0]
    assert [label.get_text() for label in axes.get_yticklabels()] == list(kept)
    drawn = {round(line.get_ydata()[0] - 0.1): line.get_xdata()[0] for line in lines_at(axes, "o")}
    np.testing.assert_allclose([drawn[y] for y in range(9, 0, -1)], [v.mean() for v in kept.values()])
    assert len(lines_at(axes, "X")) == 2 * len(kept)


def test_margins_are_drawn_by_codebook(stability):
    axes = stability.figure.axes[1]
    (median,) = lines_at(axes, "|")
    np.testing.assert_allclose(median.get_xdata(), 0.25)
    np.testing.assert_array_equal(median.get_ydata(), [1, 2, 3, 4])


def test_the_table_of_stability_carries_numbers_of_the_data(stability):
    later = row_of(stability, "stays: begins 1 sample later")
    numbers = [later[name] for name in ("encoder", "from", "to", "random weights 1")]
    assert numbers == pytest.approx([0.4] * 4)
    assert row_of(stability, "stays: coded again once")["encoder"] == pytest.approx(0.8)
    assert row_of(stability, "changed by another order")["encoder"] == pytest.approx(0.04)
    assert row_of(stability, "decisions that rounding")["encoder"] == pytest.approx(0.07)
    assert row_of(stability, "stays: unrelated sounds")["encoder"] == pytest.approx(0.03)
    assert row_of(stability, "margin of codebook 2")["encoder"] == pytest.approx(0.25)
    assert_captioned(stability)


def test_an_encoder_without_decoder_or_codebooks_has_no_rows_for_them():
    one = code_stability(TEXTURE, name="texture")
    assert len(one.figure.axes) == 1
    assert not one.data["what"].str.contains("coded again|rounding|margin").any()
    assert "margin" not in one.reading


@pytest.mark.parametrize("probe", [TRAINED, TEXTURE, found(32, 0.3)])
@pytest.mark.parametrize("draw", [code_reuse, code_stability])
def test_nothing_is_cut_off(draw, probe):
    one = draw(probe, [probe], "toy")
    one.figure.savefig(io.BytesIO(), format="png", dpi=50)
    box, (width, height) = one.figure.get_tightbbox(), one.figure.get_size_inches()
    assert -0.03 < box.x0 < box.x1 < width + 0.03
    assert -0.03 < box.y0 < box.y1 < height + 0.03
    for legend in one.figure.legends:
        assert not any(legend.get_window_extent().overlaps(a.get_tightbbox()) for a in one.figure.axes)


def test_the_table_has_the_numbers_of_codes_and_texture_its_answer():
    toy = Subject("toy", subject("toy", "encoder", {"codes": TRAINED}))
    texture = Subject("control:texture", subject("control:texture", "control", {"codes": TEXTURE}))
    table = table_of(CODES, [toy], [texture])
    cells = {
        column.heading: cell.text for column, cell in zip(table.columns, table.rows[0].cells, strict=True)
    }
    assert cells["Codes kept"] == "20 %"
    assert cells["Bits"] == "1.50"
    assert cells["Narrow"] == "7 %"
    kept, reused = checks([texture])
    assert (kept.encoder, kept.value, kept.holds) == ("control:texture", pytest.approx(0.03), True)
    assert (reused.value, reused.holds) == (pytest.approx(0.015), True)
