import csv

import numpy as np
import pytest
import torch

from tonotopy.encoders.training.folder import claim, read_checkpoint, write_checkpoint
from tonotopy.encoders.training.loop import Task, backpropagate, fit, warmed_cosine
from tonotopy.synth.errors import InputError

pytestmark = pytest.mark.numerical


class Line(Task):
    """Finds the slope of a line from noisy points; weights are dropped at random."""

    unit = "epoch"
    columns = ("loss", "draw", "slope")
    logged, evaluated, stored = 2, 4, 3

    def __init__(self, rounds=10, seed=5, learning_rate=0.1):
        self.rounds, self.seed, self.steps_per_round = rounds, seed, 4
        self.slope = torch.nn.Linear(1, 1, bias=False)
        torch.nn.init.zeros_(self.slope.weight)
        self.optimizer = torch.optim.Adam(self.slope.parameters(), learning_rate)
        self.schedule = warmed_cosine(self.optimizer, rounds * self.steps_per_round)
        self.parts = {"slope": self.slope, "optimizer": self.optimizer, "schedule": self.schedule}
        self.taken = []

    def batches(self, number):
        rng = np.random.default_rng([self.seed, number])
        for _ in range(self.steps_per_round):
            yield torch.from_numpy(rng.standard_normal((8, 1)).astype(np.float32))

    def step(self, batch, step):
        self.taken.append(step)
        draw = torch.rand(())
        loss = (self.slope(batch) - 3 * batch + 0.1 * draw).square().mean()
        backpropagate(loss, self.optimizer)
        self.optimizer.step()
        self.schedule.step()
        return [loss.item(), draw.item()]

    def summary(self, rows):
        loss, draw = np.mean(rows, axis=0).tolist()
        return {"loss": loss, "draw": draw}

    def evaluate(self):
        return {"slope": self.slope.weight.item()}


class Interrupted(Line):
    def __init__(self, at, **arguments):
        super().__init__(**arguments)
        self.at = at

    def step(self, batch, step):
        if step == self.at:
            raise KeyboardInterrupt
        return super().step(batch, step)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    folder, task = tmp_path_factory.mktemp("whole"), Line()
    return folder, task, fit(task, folder)


def test_rounds_are_logged_evaluated_and_stored_at_their_intervals_and_after_the_last(tmp_path, monkeypatch):
    stored = []

    def record(out, state):
        stored.append(state["done"])
        write_checkpoint(out, state)

    monkeypatch.setattr("tonotopy.encoders.training.loop.write_checkpoint", record)
    task = Line()
    history = fit(task, tmp_path)
    assert task.taken == list(range(40))
    assert [row["epoch"] for row in history] == [2, 4, 6, 8, 10]
    assert [row["epoch"] for row in history if "slope" in row] == [4, 8, 10]
    assert stored == [3, 6, 9, 10]
    assert history[-1]["loss"] < history[0]["loss"]
    with open(tmp_path / "log.csv", newline="") as opened:
        rows = list(csv.DictReader(opened))
    assert [float(row["loss"]) for row in rows] == [row["loss"] for row in history]
    assert [row["slope"] != "" for row in rows] == [False, True, False, True, True]


@pytest.mark.parametrize("at", [0, 5, 12, 15, 39])
def test_interrupted_anywhere_it_ends_with_the_same_bytes(whole, tmp_path, at):
    folder, task, history = whole
    with pytest.raises(KeyboardInterrupt):
        fit(Interrupted(at), tmp_path)
    torch.manual_seed(999)  # whatever the caller drew in between
    again = Line()
    assert fit(again, tmp_path) == history
    assert torch.equal(again.slope.weight, task.slope.weight)
    assert again.taken[0] == at // 12 * 12  # three rounds of four steps between checkpoints
    assert (tmp_path / "log.csv").read_bytes() == (folder / "log.csv").read_bytes()
    for name in ("optimizer", "schedule"):
        assert str(again.parts[name].state_dict()) == str(task.parts[name].state_dict())


def test_a_finished_training_is_not_trained_further(whole):
    folder, task, history = whole
    again = Line()
    assert fit(again, folder) == history
    assert again.taken == []
    assert torch.equal(again.slope.weight, task.slope.weight)


def test_draws_follow_from_seed_and_round_and_leave_the_callers_alone(whole, tmp_path):
    task, before = Line(seed=6), torch.get_rng_state()
    other = fit(task, tmp_path)
    assert torch.equal(torch.get_rng_state(), before)
    draws = [row["draw"] for row in (*whole[2], *other)]
    assert len(set(draws)) == len(draws)


def test_progress_says_where_it_stands_and_where_it_goes_on(tmp_path, capsys):
    with pytest.raises(KeyboardInterrupt):
        fit(Interrupted(21), tmp_path, progress=True)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("epoch 2 of 10  loss ")
    assert lines[0].endswith(" min left")
    assert lines[-1] == "stored up to epoch 3 of 10; run again, it goes on there"
    fit(Line(), tmp_path, progress=True)
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "goes on after epoch 3 of 10"
    assert "slope" in lines[1]


def test_without_progress_nothing_is_shown(tmp_path, capsys):
    fit(Line(), tmp_path)
    assert capsys.readouterr() == ("", "")


def test_a_checkpoint_of_another_version_is_refused(tmp_path):
    write_checkpoint(tmp_path, {"slope": {}, "step": 3})
    with pytest.raises(InputError, match=r"checkpoint\.pt: of another version: start over"):
        fit(Line(), tmp_path)


def test_a_loss_that_is_not_finite_ends_the_training_in_one_line(tmp_path):
    with pytest.raises(InputError, match=r"training diverged: loss \S+ at learning rate \S+: choose a lower"):
        fit(Line(learning_rate=1e30), tmp_path)
    assert read_checkpoint(tmp_path) is None


@pytest.mark.parametrize(("steps", "warm"), [(1, None), (2, 100), (400, None), (400, 7), (11_000, 200)])
def test_the_schedule_is_a_line_and_half_a_cosine(steps, warm):
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.3)
    schedule, rates = warmed_cosine(optimizer, steps, warm), []
    for _ in range(steps):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    up = max(1, min(steps // 20, steps if warm is None else warm))
    step = np.arange(steps)
    fallen = 0.5 * (1 + np.cos(np.pi * (step - up) / max(1, steps - up)))
    expected = 0.3 * np.where(step < up, (step + 1) / (up + 1), fallen)
    assert rates == pytest.approx(expected.tolist(), rel=1e-12)


def test_another_training_in_a_folder_is_named_by_what_differs(tmp_path):
    identity = {"config": {"layers": 2}, "recipe": {"steps": 9, "rate": 0.1}, "seed": 0}
    claim(tmp_path, identity, resume=True)
    claim(tmp_path, identity, resume=True)
    with pytest.raises(InputError, match=r"\(recipe\.steps is 9 there and 8 here\)"):
        claim(tmp_path, {**identity, "recipe": {"steps": 8, "rate": 0.2}}, resume=True)
    with pytest.raises(InputError, match=r'\(precision is null there and "float32" here\)'):
        claim(tmp_path, {**identity, "precision": "float32"}, resume=True)
    (tmp_path / "training.json").write_text("{")
    with pytest.raises(InputError, match=r"\(its training\.json cannot be read\)"):
        claim(tmp_path, identity, resume=True)
