"""Peak memory of probing much over that of probing little, each in a process of its own."""

import subprocess
import sys
import tempfile
from pathlib import Path

from .table import Row

WATCHED = """
import sys, threading, time
from pathlib import Path
from tonotopy.encoders import load

peak, over = 0, threading.Event()

def watch():  # anonymous memory: the system's file cache does not count
    global peak
    while not over.is_set():
        status = Path("/proc/self/status").read_text()
        peak = max(peak, int(status.split("RssAnon:")[1].split()[0]))
        time.sleep(0.005)

count = int(sys.argv[1])
encoder = load("samplecnn_tiny")
watcher = threading.Thread(target=watch)
{task}
over.set()
watcher.join()
print(peak)
"""
PARTIALS = """
from tonotopy.probes.selectivity import selectivity
from tonotopy.synth import partials
watcher.start()
tones = partials(60, 10_000, count=count)
selectivity(encoder, tones, ["first_layer", "block3"], out=sys.argv[2], tile_seconds=8.0)
"""
CONTEXTS = """
from tonotopy.probes.compositionality import compositionality
from tonotopy.probes.mixtures import Condition, partial_ensemble
watcher.start()
company = partial_ensemble(encoder.sample_rate, contexts=count, most=4)
conditions = [Condition("partial", 4, -20.0)]
compositionality(encoder, conditions=conditions, ensembles=[company], tile_seconds=8.0)
"""


def peak_mib(task: str, count: int) -> float:
    """Peak anonymous memory, in MiB, of a task of some size."""
    with tempfile.TemporaryDirectory() as folder:
        script = WATCHED.replace("{task}", task)
        command = [sys.executable, "-c", script, str(count), str(Path(folder) / "out.zarr")]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
    return int(done.stdout) / 1024


def rows() -> list[Row]:
    """Compare 20,000 partials streamed to disk with 200, and 64 contexts of compositionality with 8."""
    found = []
    for what, task, few, many in (("partials", PARTIALS, 200, 20_000), ("contexts", CONTEXTS, 8, 64)):
        little, much = peak_mib(task, few), peak_mib(task, many)
        name = f"peak memory, {many:,} {what} / {few}"
        found.append(Row(name, f"{much:.0f} MiB", f"{little:.0f} MiB", much / little, 1.1, True))
    return found


if __name__ == "__main__":
    for row in rows():
        print(row)
