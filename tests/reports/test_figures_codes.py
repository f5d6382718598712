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


def test_the_reading_of_reuse_carries_numbers_of_the_data(reuse):
    assert "first codebook: 0.200 in other contexts (random 0.050 to 0.080), chance 0.010" in reuse.reading
    assert "first 4 at once: 0.050 in other contexts" in reuse.reading
    assert "best in other contexts 0.100 (random 0.025 to 0.040) more are there" in reuse.reading
    assert "at another phase 0.50 of the first codebook stays" in reuse.reading
    assert "it tells 1.50 of 2.6 bit of which partial sounds" in reuse.reading
    assert reuse.question.endswith("?")
    assert reuse.alt.endswith(".")


def test_a_single_codebook_has_one_panel():
    one = code_reuse(TEXTURE, name="texture")
    assert len(one.figure.axes) == 1
    assert "at once" not in one.reading


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


def test_the_reading_of_stability_carries_numbers_of_the_data(stability):
    assert "begins 1 sample later: 0.40 (random 0.40)" in stability.reading
    assert "coded again once: 0.80" in stability.reading
    assert "changes up to 0.040 of a codebook" in stability.reading
    assert "rounding may turn 0.070 of the decisions" in stability.reading
    assert stability.reading.endswith("unrelated sounds: 0.03.")


def test_an_encoder_without_decoder_or_codebooks_has_no_rows_for_them():
    one = code_stability(TEXTURE, name="texture")
    assert len(one.figure.axes) == 1
    assert "coded again once" not in one.reading
    assert "rounding" not in one.reading


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
