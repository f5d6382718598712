import io

import numpy as np
import pytest

from tonotopy.probes.engine.schema import dataset
from tonotopy.probes.run.registry import schema
from tonotopy.reports.figures import (
    chord_positions,
    chord_steps,
    chord_sums,
    readout_by_density,
    readout_capacity,
    readout_tasks,
)

from .conftest import STAGES, stage_variables
from .illustrated import assert_illustrated, row_of

DENSITIES = np.array([1, 8, 32])
USED = 2 ** np.arange(5)
TASKS = ("quality", "root", "chord", "pitch class", "f0")
BASELINES = np.array(["mel", "chroma", "spectrum"])
ROOTS = np.arange(48, 60)


def with_codes(first, second, shape=()):
    """What two stages say, and codes, which say nothing: [3, ...]."""
    return np.stack([np.broadcast_to(v, shape).astype(float) for v in (first, second, np.nan)])


def stage_parts(remark):
    variables = {name: v for name, v in stage_variables(STAGES).items() if name != "channel"}
    return {**variables, "remark": np.array(["", "", remark])}


def readouts(first, second):
    """AUC falls evenly with log density from 1 to what is given; capacity rises with log channels."""
    fall = np.array([0.0, 0.6, 1.0])
    mean = with_codes(1 - fall * (1 - first), 1 - fall * (1 - second), (3,))
    rise = np.minimum(np.arange(5) / 4, 1)[:, None]
    capacity = with_codes(0.5 + rise * (mean[0, 1] - 0.5), 0.5 + rise**2 * (mean[1, 1] - 0.5), (5, 3))
    capacity[0, 4] = np.nan  # 12 channels at the first layer
    variables = {
        **stage_parts("codes have no linear readout"),
        "density": DENSITIES,
        "component": np.geomspace(120, 6000, 16),
        "baseline": BASELINES,
        "auc": np.repeat(mean[..., None], 16, -1),
        "auc_quieter": np.repeat(mean[:, :1], 16, -1),
        "auc_baseline": np.full((3, 3, 16), 0.75),
        "auc_quieter_baseline": np.full((3, 16), 0.75),
        "auc_null": with_codes(0.5, 0.5, (3, 9)),
        "auc_p": with_codes(0.1, 0.1, (3,)),
        "mean_auc": mean,
        "mean_auc_low": mean - 0.05,
        "mean_auc_high": mean + 0.05,
        "n_channels_used": USED,
        "capacity": capacity,
        "task": np.array(TASKS),
        "held_out": np.array(["root", "quality", "inversion", "timbre", "timbre"]),
        "task_chance": np.array([1 / 4, 1 / 12, 1 / 48, 1 / 12, 0]),
        "task_score": with_codes([0.1, 0.4, 0.5, 0.9, -0.3], [0.2, 0.3, 0.4, 0.8, 0.6], (5,)),
        "task_score_baseline": np.full((3, 5), 0.7),
        "task_leaky": with_codes(0.9, 0.9, (5,)),
        "task_null": with_codes(0.1, 0.1, (5, 9)),
        "task_p": with_codes(0.1, 0.1, (5,)),
    }
    return dataset(schema()["readout"], variables, {"capacity_density": 8})


def composed(sum_error, cosine, area):
    variables = {
        **stage_parts("codes cannot be added"),
        "chord": np.array([f"{r} major" for r in ROOTS]),
        "chord_root": ROOTS,
        "chord_quality": np.repeat("major", 12),
        "root": ROOTS,
        "root_2": ROOTS,
        "baseline": BASELINES,
        "sum_error": with_codes(*sum_error, (12,)),
        "wrong_sum_error": with_codes(2.0, 2.0, (12,)),
        "offset_cosine": with_codes(*cosine, (12, 12)),
        "offset_cosine_baseline": np.full((3, 12, 12), -1 / 11),
        "offset_cosine_shuffled": with_codes(np.linspace(-0.1, 0.1, 9), np.linspace(-0.1, 0.1, 9), (9,)),
        "offset_p": with_codes(0.1, 0.9),
        "transfer_error": with_codes(0.2, 1.1, (12,)),
        "transfer_error_baseline": np.full((3, 12), 1.1),
        "position_auc": with_codes(*area, (12,)),
        "position_auc_baseline": np.full((3, 12), 0.97),
    }
    return dataset(schema()["chord_composition"], variables)


READ, RANDOM_READ = readouts(0.6, 0.8), [readouts(0.5, 0.9), readouts(0.55, 0.7)]
CHORDS = composed([0.0, 0.5], [0.8, 0.0], [0.4, 0.7])
RANDOM_CHORDS = [composed([0.0, 0.2], [0.1, 0.1], [0.5, 0.5])]
ALL = [
    *((f, READ, RANDOM_READ) for f in (readout_by_density, readout_capacity, readout_tasks)),
    *((f, CHORDS, RANDOM_CHORDS) for f in (chord_sums, chord_steps, chord_positions)),
]


def marks(axes, marker, label=None):
    chosen = [line for line in axes.lines if line.get_marker() == marker]
    return [line for line in chosen if label is None or line.get_label() == label]


def x_of(line):
    return float(np.asarray(line.get_xdata())[0])


def styled(axes, style):
    return [line for line in axes.lines if line.get_linestyle() == style]


@pytest.mark.parametrize(("draw", "own", "random"), ALL)
def test_each_figure_asks_one_question_and_saves(draw, own, random):
    for seeds in (random, ()):
        drawn = draw(own, seeds, "toy")
        assert drawn.question.count("?") == 1
        assert drawn.name == draw.__name__
        assert_illustrated(drawn)
        assert any("random weights" in column for column in drawn.data) == bool(seeds)
        drawn.figure.savefig(io.BytesIO(), format="png")


@pytest.mark.parametrize(("draw", "own", "random"), ALL)
def test_a_stage_without_values_has_no_place(draw, own, random):
    assert "codes" not in draw(own, random, "toy").alt
    nothing = own.copy()
    for name in nothing.data_vars:
        if "stage" in nothing[name].dims and nothing[name].dtype.kind == "f":
            nothing[name] = nothing[name] * np.nan
    empty = draw(nothing, [], "toy")
    empty.figure.savefig(io.BytesIO(), format="png")
    assert "first_layer" not in empty.alt


def test_lines_run_through_the_mean_over_partials():
    axes = readout_by_density(READ, RANDOM_READ, "toy").figure.axes[1]
    (own,) = marks(axes, "o")
    np.testing.assert_allclose(np.asarray(own.get_ydata()), [1, 0.88, 0.8])
    np.testing.assert_array_equal(np.asarray(own.get_xdata()), DENSITIES)
    (random,) = styled(axes, "--")
    assert random.get_ydata()[-1] == pytest.approx((0.9 + 0.7) / 2)


def test_the_data_tell_the_ends_of_the_range():
    data = readout_by_density(READ, RANDOM_READ, "toy").data
    columns = ["AUC", "low (95 %)", "high (95 %)", "random weights 1", "random weights 2", "chroma"]
    few, many = (row_of(data, stage="stack_end", partials_in_the_mixture=n)[columns] for n in (1, 32))
    assert few.tolist() == pytest.approx([1, 0.95, 1.05, 1, 1, 0.75])
    assert many.tolist() == pytest.approx([0.8, 0.75, 0.85, 0.9, 0.7, 0.75])


def test_all_channels_end_the_curve_of_capacity():
    drawn = readout_capacity(READ, [], "toy")
    (own,) = marks(drawn.figure.axes[0], "o")
    assert own.get_xdata()[-1] == 12  # no power of two
    assert own.get_ydata()[-1] == pytest.approx(0.76)
    # at the first layer 8 of 12 channels reach 3/4 of the way, and all of them all of it
    enough = drawn.data.groupby("stage")["channels for 90 % of the way"].unique()
    assert enough["first_layer"].tolist() == [12]
    assert enough["stack_end"].tolist() == [16]
    assert drawn.data.groupby("stage")["channels"].max().tolist() == [12, 20]


def test_tasks_are_told_at_every_stage():
    drawn = readout_tasks(READ, [], "toy")
    for task, stage, score, chance in (("f0", "stack_end", 0.6, 0), ("root", "first_layer", 0.4, 1 / 12)):
        row = row_of(drawn.data, task=task, stage=stage)
        assert row[["score", "by chance", "p", "spectrum"]].tolist() == pytest.approx(
            [score, chance, 0.1, 0.7]
        )
    of_f0 = drawn.figure.axes[4]
    assert [x_of(line) for line in marks(of_f0, "o", "toy")] == [0.0, 0.6]  # cut off at 0


def test_a_perfect_sum_is_drawn_at_the_end_of_the_axis():
    (axes,) = chord_sums(CHORDS, RANDOM_CHORDS, "toy").figure.axes
    own = marks(axes, "o")
    assert [x_of(line) for line in own] == pytest.approx([1e-4, 0.5])
    assert axes.get_xlim()[0] < 1e-4


def test_cosines_leave_a_root_with_itself_out():
    chords = CHORDS.copy(deep=True)
    chords["offset_cosine"].values[:2, range(12), range(12)] = 1.0
    (axes,) = chord_steps(chords, [], "toy").figure.axes
    assert [x_of(line) for line in marks(axes, "o")] == pytest.approx([0.8, 0.0])


def test_positions_are_told_beside_the_baselines():
    drawn = chord_positions(CHORDS, RANDOM_CHORDS, "toy")
    for stage, auc in (("first_layer", 0.4), ("stack_end", 0.7)):
        row = row_of(drawn.data, stage=stage)
        assert row[["AUC, mean", "random weights 1", "chroma"]].tolist() == pytest.approx([auc, 0.5, 0.97])
