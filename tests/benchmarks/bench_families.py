"""One full-size random model of each family, in a process of its own: processor seconds and peak memory.

``python -m tests.benchmarks.bench_families`` measures all, or those whose names are given. It is no part of
``make bench``: it takes twenty minutes, and there is nothing to compare with. Prints Markdown.
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from tonotopy.encoders.families.known import known

HIGGS = {
    "model_type": "higgs_audio_v2_tokenizer",
    "acoustic_model_config": {
        "model_type": "dac",
        "downsampling_ratios": [8, 5, 4, 2, 3],
        "upsampling_ratios": [8, 5, 4, 2, 3],
    },
    "target_bandwidths": [0.5, 1, 1.5, 2],
}
OTHERS: dict[str, dict[str, Any]] = {
    "Higgs audio v2": HIGGS,
    "VibeVoice": {"model_type": "vibevoice_acoustic_tokenizer"},
    "Pocket TTS": {"model_type": "pocket_tts_audio_tokenizer"},
    "MERT 95M": {"model_type": "mert_model", "sample_rate": 24_000},
}
TINY = {
    "model_type": "mimi",
    "num_filters": 2,
    "hidden_size": 8,
    "upsample_groups": 8,
    "num_hidden_layers": 1,
    "vector_quantization_hidden_dimension": 4,
    "codebook_dim": 4,
    "codebook_size": 16,
}
NAMES = (
    "hf:kyutai/mimi",
    "hf:hf-audio/xcodec-hubert-librispeech",
    "hf:facebook/encodec_48khz",
    "hf:swiss-ai/wavtokenizer-large-unify-40token",
    "hf:descript/dac_44khz",
    "hf:facebook/encodec_24khz",
    "hf:HKUSTAudio/xcodec2-hf",
    *OTHERS,
)
LIMIT_S = 150.0  # by the clock, of everything about one model
COLUMNS = ("parameters", "load", "noise", "selectivity", "presence", "peak")
TASK = """
import json, resource, sys, time
import torch
import transformers
from tonotopy.encoders import load
from tonotopy.encoders.base import canonical_stages
from tonotopy.probes import Session, presence, selectivity
from tonotopy.synth import partials

def tell(what, value):
    print(json.dumps([what, value]), flush=True)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(json.dumps(["peak", round(peak, 1)]), flush=True)

load("hf:" + sys.argv[2], weights="random")  # so that what is imported once is not in its time
start = time.process_time()

def passed():
    global start
    start, before = time.process_time(), start
    return round(start - before, 1)

encoder = load("hf:" + sys.argv[1], weights="random")
tell("load", passed())
tell("parameters", round(sum(p.numel() for p in encoder.module.parameters()) / 1e6))
with torch.inference_mode():
    encoder.run(0.1 * torch.randn(1, encoder.sample_rate), list(encoder.stages))
tell("noise", passed())
session = Session(encoder, [s for s in canonical_stages(encoder) if s != "codes"])
selectivity(session, partials(60, 0.4 * encoder.sample_rate, per_octave=3))
tell("selectivity", passed())
presence(session)
tell("presence", passed())
"""


def measured(config: dict[str, Any]) -> dict[str, float]:
    """Return what was measured of a configuration before the time was over."""
    with tempfile.TemporaryDirectory() as folder:
        tiny = Path(folder) / "tiny"
        tiny.mkdir()
        for place, about in ((Path(folder), config), (tiny, TINY)):
            (place / "config.json").write_text(json.dumps(about))
        command = [sys.executable, "-W", "ignore", "-c", TASK, folder, str(tiny)]
        env = {**os.environ, "OMP_WAIT_POLICY": "passive"}  # threads that wait do not count
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=env) as process:
            try:
                told, _ = process.communicate(timeout=LIMIT_S)
            except subprocess.TimeoutExpired:
                process.kill()
                told, _ = process.communicate()
            else:
                assert process.returncode == 0
    return dict(json.loads(line) for line in told.splitlines())


def main(names: list[str]) -> None:
    """Print the table, a line at a time."""
    print("| model | parameters, M | load, s | 1 s of noise, s | selectivity, s | presence, s | peak, GiB |")
    print("|---|---|---|---|---|---|---|")
    for name in names or NAMES:
        row = known(name)
        found = measured(OTHERS[name] if row is None else {**row.config})
        cells = [f"{found[what]:g}" if what in found else f"over {LIMIT_S:g}" for what in COLUMNS]
        print(f"| {name.removeprefix('hf:')} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
