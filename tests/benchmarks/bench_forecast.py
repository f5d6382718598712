"""The forecast of a run against what it took: ``python -m tests.benchmarks.bench_forecast codec_tiny quick``.

Of every probe: forecast, seconds that it took, of which in the encoder; and seconds of audio that it played.
Where the forecast is off, `EFFORTS` of `probes.run.forecast` are to be mended.
"""

import sys
import time
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from tonotopy.encoders import load
from tonotopy.probes import Session, Suite
from tonotopy.probes.run.forecast import Paces

from .table import Row


def measured(encoder, one, session):
    """Seconds a probe takes, in all and in the encoder, and of audio that it plays."""
    own, spent, played = encoder.run, [], []

    def run(waveforms, stages):
        started = time.perf_counter()
        found = own(waveforms, stages)
        spent.append(time.perf_counter() - started)
        played.append(waveforms.numel() / encoder.sample_rate)
        return found

    encoder.run, started = run, time.perf_counter()
    try:
        one(session)
    finally:
        encoder.run = own
    return time.perf_counter() - started, sum(spent), sum(played)


def compared(name, preset):
    """Of every probe: forecast, seconds it took, in the encoder, and of audio."""
    encoder = load(name)
    suite, paces, base = Suite(encoder, preset=preset), Paces(), Session(encoder)
    with TemporaryDirectory() as folder:
        for one in suite.of(encoder.modality):
            session = base.at(suite.stages_of(encoder, one))
            if one.refusal(session):
                continue
            forecast = paces.seconds(one, session, name)
            yield one.name, forecast, *measured(encoder, one, replace(session, out=Path(folder) / one.name))


def rows(name="codec_tiny", preset="quick"):
    _, forecast, took, *_ = zip(*compared(name, preset), strict=True)
    forecast, took = sum(forecast), sum(took)
    ratio = max(forecast / took, took / forecast)
    what = f"forecast of {name}, {preset}: seconds, re what it took"
    yield Row(what, f"{forecast:.0f} s", f"{took:.0f} s", ratio, 1.5, at_most=True)


if __name__ == "__main__":
    print(f"{'probe':20} {'forecast':>8} {'took':>8} {'encoder':>8} {'audio':>8}  (s)")
    for probe, *seconds in compared(*(sys.argv[1:] or ("codec_tiny", "quick"))):
        print(f"{probe:20} " + " ".join(f"{value:8.1f}" for value in seconds), flush=True)
