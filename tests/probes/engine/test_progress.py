import io
import re

import pytest

from tonotopy.probes.engine import progress as module
from tonotopy.probes.engine.progress import Progress, Step, progress_of

STEPS = {
    "codec/presence": Step("codec: presence", 30.0),
    "codec.random0/presence": Step("random 1 of 3: presence", 30.0),
    "control/presence": Step("control filterbank:stft: presence", 0.0),
}


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def lines(monkeypatch, capsys):
    """A line for every step forward; they are read by calling this."""
    monkeypatch.setattr(module, "SECONDS_BETWEEN_LINES", -1.0)
    return lambda: capsys.readouterr().err.splitlines()


def take(shown):
    with shown.run(STEPS):
        for key in STEPS:
            with shown.step(key), shown.task("24 sounds, by their own name", 4) as advance:
                for _ in range(4):
                    advance(1)


def test_a_run_has_one_bar_and_says_what_is_being_done(lines):
    take(Progress())
    said = lines()
    assert not any("by their own name" in line for line in said)
    percent = [int(line.split(" %")[0]) for line in said]
    assert percent == sorted(percent)
    assert percent[-1] == 100
    for step in STEPS.values():
        assert any(step.label in line for line in said)
    assert re.fullmatch(r"45 %: codec: presence, about \d+ s left", said[4])


def test_on_a_terminal_it_is_a_bar(monkeypatch):
    terminal = Terminal()
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr("sys.stderr", terminal)
    shown = Progress()
    with shown.run(STEPS):
        shown.say("resuming: 3 of 12 done")
        for key in STEPS:
            with shown.step(key):
                pass
    written = terminal.getvalue()
    assert "resuming: 3 of 12 done" in written
    assert "100 %" in written
    assert "done" in written


def test_a_run_that_breaks_off_leaves_no_bar_behind(lines):
    shown = Progress()
    with pytest.raises(KeyboardInterrupt), shown.run(STEPS), shown.step("codec/presence"):
        raise KeyboardInterrupt
    with shown.task("on its own", 1) as advance:
        advance(1)
    assert any("on its own" in line for line in lines())


def test_nothing_is_shown_where_nothing_is_to_be(lines):
    for shown in (Progress(show=False), progress_of(False)):
        take(shown)
        shown.say("nothing")
    assert lines() == []


def test_progress_is_shown_unless_it_is_declined():
    mine = Progress(show=False)
    assert progress_of(None).show
    assert progress_of(True).show
    assert progress_of(mine) is mine


def test_time_left_follows_what_was_done(monkeypatch):
    clock = [0.0]
    monkeypatch.setattr(module.time, "monotonic", lambda: clock[0])
    run = module._Run({"a": Step("a", 10.0), "b": Step("b", 30.0)}, None)
    assert run.left == pytest.approx(40.0)
    run.begin("a")
    clock[0] = 30.0  # three times what was forecast
    run.end("a")
    assert run.fraction == 0.25
    assert 75 < run.left < 90
