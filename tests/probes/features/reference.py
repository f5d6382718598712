"""music21's own values of the features on 500 melodies.

`python -m tests.probes.features.reference` stores them.
"""

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, cast

import music21
import numpy as np
from music21.features import jSymbolic
from music21.features.base import DataInstance, FeatureExtractor

from tonotopy.probes.features import FEATURES, Feature
from tonotopy.synth.melodies import (
    FIRST_NOTE,
    HIGHEST_MIDI,
    LOWEST_MIDI,
    NO_EVENT,
    NOTE_OFF,
    STEPS_PER_QUARTER,
    random_notes,
)

STORED = Path(__file__).parent / "music21_values.npz"
SHORT, LONG = 32, 256  # two bars and sixteen
LOW, HIGH = LOWEST_MIDI, HIGHEST_MIDI
TUNES = (  # reels, hornpipes and strathspeys of Ryan's Mammoth Collection (1883)
    "AlbemarleHornpipe", "BoatieRowsStrathspey", "ColMcBainsReel", "GrandSpyReel", "LeesDoubleClog",
    "MissGunningsFancyReel", "NymrodHornpipe", "TornadoReel",
)  # fmt: skip
EXTRACTORS: dict[str, type[FeatureExtractor]] = {
    vars(extractor)["id"].upper(): extractor  # music21 spells two of them "m10" and "m17"
    for extractor in vars(jSymbolic).values()
    if isinstance(extractor, type) and issubclass(extractor, FeatureExtractor) and "id" in vars(extractor)
}


def stream_of(roll: np.ndarray) -> music21.stream.Stream:
    """Write a roll as notes and rests, in 4/4 at 120 quarters a minute; silence at either end is a rest."""
    stream = music21.stream.Stream()
    stream.append(music21.tempo.MetronomeMark(number=120))
    stream.append(music21.meter.TimeSignature("4/4"))
    events = [step for step in range(len(roll)) if roll[step] != NO_EVENT]
    edges = [*sorted({0, *events}), len(roll)]
    for begin, end in pairwise(edges):
        length = (end - begin) / STEPS_PER_QUARTER
        if roll[begin] >= FIRST_NOTE:
            midi = int(roll[begin]) - FIRST_NOTE + LOWEST_MIDI
            stream.append(music21.note.Note(midi, quarterLength=length))
        else:
            stream.append(music21.note.Rest(quarterLength=length))
    return stream


def extracted(data: DataInstance, feature: Feature) -> Sequence[float]:
    """Give music21's value, one number for each column of the feature; NaN where it raises."""
    try:
        found = EXTRACTORS[feature.id](data).extract()
    except (music21.exceptions21.Music21Exception, ArithmeticError, ValueError):
        # It says that notes are lacking, or divides by zero, or asks for the deviation of nothing.
        return [np.nan] * feature.columns
    return cast(Any, found).vector


def reference(rolls: np.ndarray) -> np.ndarray:
    """Ask music21 for the features of rolls [N, T]: float64 [N, F]."""
    datas = [DataInstance(stream_of(roll)) for roll in rolls]
    return np.array([[v for feature in FEATURES for v in extracted(data, feature)] for data in datas])


def roll_of(*notes: tuple[int, int], steps: int = SHORT) -> np.ndarray:
    """Write (MIDI number or 0 for a rest, sixteenths) one after the other: uint8 [steps]."""
    roll, step = np.zeros(steps, np.uint8), 0
    for midi, length in notes:
        roll[step] = midi - LOWEST_MIDI + FIRST_NOTE if midi else NOTE_OFF
        step += length
    if step < steps:
        roll[step] = NOTE_OFF
    return roll


def line(*midi: int, length: int = 1) -> np.ndarray:
    """Write MIDI numbers of one length each."""
    return roll_of(*((m, length) for m in midi))


def short_edges() -> list[np.ndarray]:
    """Melodies of two bars on which an extractor may stumble."""
    none, offs, first_off = np.zeros(SHORT), np.full(SHORT, NOTE_OFF), np.eye(SHORT)[0]
    return [
        *(none, offs, first_off, np.eye(SHORT)[-1]),  # no notes, in four spellings
        *(roll_of((60, SHORT)), roll_of((0, 31), (60, 1)), roll_of((0, 5), (61, 3)), line(LOW), line(HIGH)),
        *(line(*[64] * 32), line(*[67] * 8, length=4), roll_of((60, 2), (0, 2), (0, 3), (60, 1), (0, 1))),
        *(line(LOW, HIGH, LOW, HIGH), line(60, 61), line(61, 60, length=16), line(LOW, HIGH, length=16)),
        *(line(*range(60, 92)), line(*range(91, 59, -1)), line(*range(60, 76), *range(76, 60, -1))),
        *(line(*[60, 72] * 3), line(*[40, 64] * 3), line(*[40, 76] * 3), line(30, 78, 30, 90), line(30, 102)),
        *(line(60, 60 + size, 60, 60 + size, 61) for size in (1, 2, 5, 6, 8, 9, 14, 17, 36)),
        line(*(60, 62, 62, 60, 59, 59), length=2),  # equally common: the first heard, not the lowest
        line(*(62, 60, 60, 62), length=2),
        line(*(48, 61, 60, 73, 61), length=2),  # equally common pitch classes
        line(*(60, 63, 61, 64, 60, 62, 61)),  # equally common intervals
        line(*(60, 60, 62, 62, 61, 61, 65, 65, 64)),  # turns with unisons between
        *(line(*(53, 54, 55, 56)), line(*(71, 72, 73, 74))),  # edges of the registers
        *(line(*range(60, 60 + n)) for n in (11, 12)),  # each a little more, a little less than 9 %
        *(roll_of((60, length), (62, 1)) for length in (2, 3, 4, 12, 13, 31)),  # edges of the pulses
        roll_of((60, 4), (61, 3), (62, 4), (63, 3), (64, 12), (65, 6)),  # equally common pulses
        roll_of(*((60 + n, n) for n in range(1, 8))),
    ]


def long_edges() -> list[np.ndarray]:
    """Melodies of sixteen bars in which something makes up exactly 9 %."""
    nine_of_100 = [60] * 9 + [61 + n % 40 for n in range(91)]
    unisons = np.cumsum([60] + [0] * 9 + [1, -2, 3, -4, 5, -6, 7, -8, 9, -10, 11, -11, 10] * 7)
    return [
        roll_of(*((m, 2) for m in nine_of_100), steps=LONG),
        roll_of(*((int(m), 1) for m in unisons), steps=LONG),
        roll_of((60, LONG), steps=LONG),
        roll_of(*((HIGH if n % 2 else LOW, 1) for n in range(LONG)), steps=LONG),
        np.zeros(LONG),
    ]


def random_rolls(count: int, steps: int, seed: int) -> np.ndarray:
    """Draw rolls sparse and dense, narrow and wide, with a NOTE_OFF anywhere: uint8 [count, steps]."""
    generator = np.random.default_rng(seed)
    rolls = np.zeros((count, steps), np.uint8)
    for roll in rolls:
        low = generator.integers(LOW, HIGH)
        high = generator.integers(low, min(HIGH, low + generator.integers(1, 90))) + 1
        notes, offs = generator.random(2) * (1, 0.5)
        drawn = generator.random(steps)
        roll[drawn < notes + offs * (1 - notes)] = NOTE_OFF
        begins = drawn < notes
        roll[begins] = generator.integers(low, high, begins.sum()) - LOWEST_MIDI + FIRST_NOTE
    return rolls


def tune(name: str) -> np.ndarray:
    """Read a tune of music21's corpus as one long roll: uint8 [T]; a note cut by a slice's start is lost."""
    notes = music21.corpus.parse(f"ryansMammoth/{name}.abc").stripTies().flatten().notes
    begins = [round(float(note.offset) * STEPS_PER_QUARTER) for note in notes]
    lasts = [max(1, round(float(note.quarterLength) * STEPS_PER_QUARTER)) for note in notes]
    roll = np.zeros(begins[-1] + lasts[-1] + 1, np.uint8)
    roll[np.add(begins, lasts)] = NOTE_OFF
    roll[begins] = [note.pitches[-1].midi - LOWEST_MIDI + FIRST_NOTE for note in notes]
    return roll


def slices(rolls: list[np.ndarray], steps: int) -> np.ndarray:
    """Cut rolls at every `steps`: uint8 [N, steps]."""
    return np.concatenate([roll[: len(roll) // steps * steps].reshape(-1, steps) for roll in rolls])


def melodies() -> tuple[np.ndarray, np.ndarray]:
    """Gather edge cases, tunes and random rolls, 500 in all: uint8 [420, 32], [80, 256]."""
    tunes = [tune(name) for name in TUNES]
    gathered = []
    for steps, edges, count in ((SHORT, short_edges(), 420), (LONG, long_edges(), 80)):
        some = np.concatenate(
            [np.array(edges), slices(tunes, steps)[:120], random_notes(count // 6, steps // 16)]
        )
        random = random_rolls(count - len(some), steps, seed=steps)
        gathered.append(np.concatenate([some, random]).astype(np.uint8))
    return gathered[0], gathered[1]


def main() -> None:
    """Store the melodies and what music21 says of them."""
    short, long = melodies()
    np.savez_compressed(
        STORED,
        rolls_2_bars=short,
        rolls_16_bars=long,
        values_2_bars=reference(short),
        values_16_bars=reference(long),
        ids=[feature.id for feature in FEATURES],
        music21=music21.__version__,
    )
    print(f"{STORED.name}: {len(short)} + {len(long)} melodies, {STORED.stat().st_size / 1024:.0f} kB")


if __name__ == "__main__":
    main()
