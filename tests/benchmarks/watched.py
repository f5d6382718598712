"""A task in a process of its own, with its peak of anonymous memory."""

import subprocess
import sys
import tempfile
from pathlib import Path

_WATCHED = """
import sys, threading, time
from pathlib import Path
from tonotopy.encoders import load

peak, over, told = 0, threading.Event(), []

def watch():  # anonymous memory: the system's file cache does not count
    global peak
    while not over.is_set():
        status = Path("/proc/self/status").read_text()
        peak = max(peak, int(status.split("RssAnon:")[1].split()[0]))
        time.sleep(0.005)

count, out = int(sys.argv[1]), sys.argv[2]
watcher = threading.Thread(target=watch)
{task}
over.set()
watcher.join()
print(peak / 1024, *told)
"""


def watched(task: str, count: int) -> tuple[float, list[float]]:
    """Run a task of some size; return its peak in MiB, and the numbers it puts into ``told``.

    The task finds ``count``, ``out`` (a path that is not there) and `load`, and starts ``watcher``.
    """
    with tempfile.TemporaryDirectory() as folder:
        script = _WATCHED.replace("{task}", task)
        command = [sys.executable, "-c", script, str(count), str(Path(folder) / "out.zarr")]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
    peak, *told = map(float, done.stdout.split())
    return peak, told
