"""Rendering against numpy: the same sounds from the same specification, side by side in one run."""

import time
from collections.abc import Callable
from functools import partial

import numpy as np

from tonotopy.synth import StimulusSet, partials, pitches

from .table import Row

RATE = 24_000
GOALS = {1: 30.0, 2: 50.0}  # threads -> times numpy's throughput
REPEATS = 40


def render_with_numpy(stimuli: StimulusSet, n_samples: int) -> np.ndarray:
    """Render as one would with numpy: one np.sin over [rows, partials, samples] for a few rows at a time."""
    n_partials = int(np.diff(stimuli.first)[0])
    shape = (len(stimuli), n_partials, 1)
    frequency, amplitude, phase = (
        stimuli.columns[name].reshape(shape) for name in ("frequency_hz", "amplitude", "phase_rad")
    )
    t = np.arange(n_samples) / RATE
    out = np.empty((len(stimuli), n_samples), dtype=np.float32)
    rows = max(1, 16 // n_partials)  # 3 MB of float64: larger and smaller chunks were slower
    for start in range(0, len(stimuli), rows):
        part = slice(start, start + rows)
        waves = np.sin(2 * np.pi * frequency[part] * t + phase[part])
        out[part] = np.sum(amplitude[part] * waves, axis=1)
    return out


def best_seconds(*renders: Callable[[], np.ndarray]) -> list[float]:
    """Shortest of several runs of each, in turns: others' work only ever adds time."""
    times: list[list[float]] = [[] for _ in renders]
    for _ in range(1 + REPEATS):
        for render, own in zip(renders, times, strict=True):
            start = time.perf_counter()
            render()
            own.append(time.perf_counter() - start)
    return [min(own[1:]) for own in times]  # the first run warms up


def rows() -> list[Row]:
    """Compare throughputs for partials and pitches, on one thread and on two."""
    table = []
    for what, stimuli in (
        ("256 partials of 1 s", partials(60, 10_000, count=256, phase_rad=0.3)),
        ("64 pitches of 10 partials, 1 s", pitches(f0_hz=np.geomspace(50, 1000, 64).tolist(), timbres="saw")),
    ):
        error = np.abs(stimuli.render(RATE, RATE) - render_with_numpy(stimuli, RATE)).max()
        assert error < 1e-6, f"the two disagree by {error}"
        reference, *ours = best_seconds(
            partial(render_with_numpy, stimuli, RATE),
            *(partial(stimuli.render, RATE, RATE, threads=threads) for threads in GOALS),
        )
        for (threads, goal), seconds in zip(GOALS.items(), ours, strict=True):
            table.append(
                Row(
                    f"synthesis: {what}, {threads} thread{'s' * (threads > 1)}",
                    f"{len(stimuli) / seconds:,.0f} sounds/s",
                    f"numpy {len(stimuli) / reference:,.0f} sounds/s",
                    reference / seconds,
                    goal,
                )
            )
    return table


def main() -> None:
    """Print the table."""
    for row in rows():
        print(row)


if __name__ == "__main__":
    main()
