import json
import subprocess
import sys

SCRIPT = """
import json, sys, time
start = time.perf_counter()
from tonotopy.synth import *
seconds = time.perf_counter() - start
print(json.dumps([seconds, [m for m in ("torch", "numba", "scipy", "soundfile") if m in sys.modules]]))
"""


def test_import_is_quick_and_loads_nothing_heavy():
    runs = [json.loads(subprocess.check_output([sys.executable, "-c", SCRIPT])) for _ in range(3)]
    assert runs[0][1] == []
    assert min(seconds for seconds, _ in runs) < 1.0
