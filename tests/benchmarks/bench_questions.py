"""Processor time of the four questions, against the measure of earlier versions."""

import time

from tonotopy.encoders import load
from tonotopy.probes import access, compositionality, place, presence, stability
from tonotopy.probes.engine.session import Session

from .table import Row

QUESTIONS = (presence, stability, place, access)


def seconds_of(name: str, *asked) -> float:
    """Processor time of some measures of an encoder, in one session."""
    session = Session(load(name))
    started = time.process_time()
    for measure in asked:
        measure(session)
    return time.process_time() - started


def rows() -> list[Row]:
    """Compare the four questions, of partials in eight groups, with the plane index under its conditions."""
    name = "codec_tiny"
    seconds_of(name, place)  # what is compiled and read once
    ours, before = seconds_of(name, *QUESTIONS), seconds_of(name, compositionality)
    return [
        Row(
            f"{name}: four questions / plane index, processor time", f"{ours:.1f} s", f"{before:.1f} s",
            ours / before, 0.5, at_most=True,
        )
    ]  # fmt: skip


if __name__ == "__main__":
    for row in rows():
        print(row)
