"""Features of melodies against music21's extractors of the same features, on the same melodies.

Both run on one thread; processor time is compared, so that others on the machine matter less.
"""

import time
import tracemalloc

import numpy as np
from music21.features.base import DataInstance

from tonotopy.probes.features import FEATURES, features
from tonotopy.synth.melodies import random_notes

from ..probes.features.reference import extracted, stream_of
from .table import Row

TURNS = 5  # of each, the shortest counts
MELODIES, ASKED = 20_000, 10  # by us, and by music21, in a turn
MANY = 100_000


def ours_seconds(rolls: np.ndarray) -> float:
    """Time all features of rolls, for each melody."""
    start = time.process_time()
    features(rolls)
    return (time.process_time() - start) / len(rolls)


def music21_seconds(rolls: np.ndarray) -> tuple[float, np.ndarray]:
    """Time music21 on the same features, for each melody, and what it gives.

    Melodies are streams already, and one DataInstance serves all extractors: as fast as it goes.
    """
    streams = [stream_of(roll) for roll in rolls]
    start = time.process_time()
    datas = [DataInstance(stream) for stream in streams]
    values = [[v for feature in FEATURES for v in extracted(data, feature)] for data in datas]
    return (time.process_time() - start) / len(rolls), np.array(values)


def compared(bars: int) -> list[Row]:
    """Time both in turns, and compare what they give."""
    rolls = random_notes(MELODIES * 2 // bars, bars)
    features(rolls[:1])  # compiled, or read from disk, once
    ours, theirs, off = [], [], 0.0
    for turn in range(TURNS):
        some = rolls[turn * ASKED : (turn + 1) * ASKED]
        ours.append(ours_seconds(rolls))
        seconds, values = music21_seconds(some)
        theirs.append(seconds)
        found = features(some).values
        assert (np.isnan(found) == np.isnan(values)).all()
        off = max(off, float(np.nanmax(np.abs(found - values))))
    what = f"features of {bars} bars"
    return [
        Row(
            f"{what}, {len(FEATURES)} in all, for each melody", f"{min(ours) * 1e6:.2f} us",
            f"music21 {min(theirs) * 1e3:.2f} ms", min(theirs) / min(ours), 1000,
        ),
        Row(f"{what}: off music21's (largest)", f"{off:.1e}", "1e-09", off, 1e-9, at_most=True),
    ]  # fmt: skip


def memory() -> Row:
    """Peak of features of many melodies, over the values alone."""
    rolls = random_notes(MANY)
    tracemalloc.start()
    values = features(rolls).values
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    what = f"features of {MANY:.0e} melodies: peak memory"
    own = values.nbytes
    return Row(
        what, f"{peak / 2**20:.0f} MiB", f"values {own / 2**20:.0f} MiB", peak / own, 1.05, at_most=True
    )


def rows() -> list[Row]:
    """Compare two and sixteen bars, and weigh many melodies."""
    return [*compared(2), *compared(16), memory()]


if __name__ == "__main__":
    for row in rows():
        print(row)
