"""Latents of many melodies: encoded, featured and correlated, with the null, in a process of its own."""

import subprocess
import sys

from .table import Row

FEW, MANY = 10_000, 100_000
NEURONS = 37  # as many as the source finds
TASK = """
import sys, threading, time
from pathlib import Path
from tonotopy.encoders import load
from tonotopy.probes.latents import asked
from tonotopy.probes.latents.correlation import correlate
from tonotopy.probes.latents.materials import prior_material
from tonotopy.probes.latents.posterior import encode
from tonotopy.probes.progress import Progress

peak, over = 0, threading.Event()

def watch():  # anonymous memory: the system's file cache does not count
    global peak
    while not over.is_set():
        status = Path("/proc/self/status").read_text()
        peak = max(peak, int(status.split("RssAnon:")[1].split()[0]))
        time.sleep(0.005)

count, neurons = int(sys.argv[1]), int(sys.argv[2])
model = load("musicvae_tiny")
rolls = prior_material(model, count, 0, Progress(show=False)).rolls
watcher = threading.Thread(target=watch)
watcher.start()
times = [time.perf_counter()]
heard = encode(model, rolls)
times.append(time.perf_counter())
values, about = asked.values(rolls), asked.labels()
times.append(time.perf_counter())
mu = heard.mu[:, heard.posterior.order[:neurons]]
correlate(mu, values, about.names, about.groups, permutations=199)
times.append(time.perf_counter())
over.set()
watcher.join()
print(*(b - a for a, b in zip(times[:-1], times[1:])), peak / 1024)
"""


def told(count: int) -> list[float]:
    """Seconds of encoding, features and correlation with its nulls, and peak memory in MiB."""
    command = [sys.executable, "-c", TASK, str(count), str(NEURONS)]
    return [
        float(v) for v in subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    ]


def rows() -> list[Row]:
    """Time 100,000 melodies, and weigh them against 10,000."""
    *_, few = told(FEW)
    *seconds, many = told(MANY)
    parts = ", ".join(f"{s:.0f}" for s in seconds)
    return [
        Row(
            f"latents: {MANY:,} melodies encoded, featured, correlated", f"{sum(seconds):.0f} s ({parts})",
            "300 s", sum(seconds) / 300, 1, at_most=True,
        ),
        Row(
            f"  peak memory, {MANY:,} melodies over {FEW:,}", f"{many:.0f} MiB", f"{few:.0f} MiB",
            many / few, 2, at_most=True,
        ),
    ]  # fmt: skip


if __name__ == "__main__":
    for row in rows():
        print(row)
