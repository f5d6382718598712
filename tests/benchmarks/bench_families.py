"""Published models at full size, random weights: processor time that a second of sound takes, and memory.

python -m tests.benchmarks.bench_families [NAME ...]
python -m tests.benchmarks.bench_families --probe [NAME ...]  # quick selectivity and presence instead
"""

import sys

from .watched import watched

NAMES = (
    "hf:stabilityai/stable-audio-open-1.0",
    "torchaudio:WAV2VEC2_BASE",
    "torchaudio:CONVTASNET_BASE_LIBRI2MIX",
    "torchaudio:HDEMUCS_HIGH_MUSDB",
)
PLAY = """
import torch
watcher.start()
started = time.process_time()
encoder = load("{name}", weights="random")
loaded = time.process_time()
noise = 0.1 * torch.randn(1, encoder.sample_rate, generator=torch.Generator().manual_seed(0))
for _ in range(2):  # the first run makes tables
    begun = time.process_time()
    encoder.run(noise, list(encoder.stages))
told += [loaded - started, time.process_time() - begun, len(encoder.stages)]
"""
PROBE = """
import tonotopy
watcher.start()
encoder = load("{name}", weights="random")
begun = time.process_time()
stages = [s for s in ("first_layer", "stack_end", "latent") if s in encoder.stages]
probes = ("selectivity", "presence")
tonotopy.probe(encoder, out=out, preset="quick", probes=probes, stages=stages, baselines=0, controls=False)
told += [time.process_time() - begun]
"""


def main() -> None:
    """Print a line for each name."""
    probing = "--probe" in sys.argv
    names = [one for one in sys.argv[1:] if one != "--probe"] or NAMES
    for name in names:
        peak, told = watched((PROBE if probing else PLAY).replace("{name}", name), 0)
        if probing:
            print(f"{name:46} selectivity and presence {told[0]:6.0f} s, peak {peak:6.0f} MiB", flush=True)
        else:
            loaded, played, stages = told
            took = f"built in {loaded:5.1f} s, 1 s of noise at {stages:3.0f} stages in {played:5.2f} s"
            print(f"{name:46} {took}, peak {peak:6.0f} MiB", flush=True)


if __name__ == "__main__":
    main()
