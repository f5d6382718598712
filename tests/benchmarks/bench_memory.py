"""Peak memory of probing many partials over that of probing few, each in a process of its own."""

import subprocess
import sys
import tempfile
from pathlib import Path

from .table import Row

PROBE = """
import sys, threading, time
from pathlib import Path
import torch
from tonotopy.encoders import load
from tonotopy.probes.selectivity import selectivity
from tonotopy.synth import partials

peak, over = 0, threading.Event()

def watch():  # anonymous memory: the system's file cache does not count
    global peak
    while not over.is_set():
        status = Path("/proc/self/status").read_text()
        peak = max(peak, int(status.split("RssAnon:")[1].split()[0]))
        time.sleep(0.005)

count, out = int(sys.argv[1]), sys.argv[2]
encoder = load("samplecnn_tiny")
watcher = threading.Thread(target=watch)
watcher.start()
tones = partials(60, 10_000, count=count)
selectivity(encoder, tones, ["first_layer", "block3"], out=out, tile_seconds=8.0)
over.set()
watcher.join()
print(peak)
"""


def peak_mib(count: int) -> float:
    """Peak anonymous memory, in MiB, of streaming `count` partials to disk."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-c", PROBE, str(count), str(Path(folder) / "out.zarr")]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
    return int(done.stdout) / 1024


def rows() -> list[Row]:
    """Compare 20,000 partials with 200."""
    few, many = peak_mib(200), peak_mib(20_000)
    return [
        Row("peak memory, 20,000 partials / 200", f"{many:.0f} MiB", f"{few:.0f} MiB", many / few, 1.1, True)
    ]


if __name__ == "__main__":
    for row in rows():
        print(row)
