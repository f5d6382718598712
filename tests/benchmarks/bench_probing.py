"""Probing against the bare forward passes it needs, and against the loop a user would write."""

import time

import numpy as np
import torch

from tonotopy.encoders import Encoder, load
from tonotopy.encoders.base import canonical_stages
from tonotopy.probes.engine.runtime import flushing_denormals, holding_memory
from tonotopy.probes.engine.session import Session
from tonotopy.probes.filters.selectivity import selectivity
from tonotopy.synth import StimulusSet, partials

from .table import Row

PHASES = 5
REPEATS = 3  # the shortest counts: others' work on the machine only ever adds
LOOPED = 16  # the loop is timed on so many of the partials, and scaled up


def bare_forward_seconds(
    encoder: Encoder, stages: list[str], n_stimuli: int, n_samples: int, tile: int
) -> float:
    """Time the encoder alone over as much audio, at the tile size the probe settled on."""
    waveforms = torch.randn(tile * PHASES, n_samples, generator=torch.Generator().manual_seed(0)) * 0.1
    with flushing_denormals(), holding_memory():
        times = []
        for _ in range(REPEATS):
            start = time.perf_counter()
            for first in range(0, n_stimuli, tile):
                encoder.run(waveforms[: min(tile, n_stimuli - first) * PHASES], stages)
            times.append(time.perf_counter() - start)
    return min(times)


def looped(encoder: Encoder, stages: list[str], stimuli: StimulusSet) -> dict[str, np.ndarray]:
    """Measure as a user would: a second of tone at a time through hooks, numpy on what comes out."""
    t = np.arange(encoder.sample_rate) / encoder.sample_rate
    silence = encoder.run(torch.zeros(1, len(t)), stages)
    out: dict[str, list[np.ndarray]] = {stage: [] for stage in stages}
    for frequency in stimuli.columns["frequency_hz"]:
        power = dict.fromkeys(stages, 0.0)
        for phase in 2 * np.pi * np.arange(PHASES) / PHASES:
            x = 0.1 * np.sin(2 * np.pi * frequency * t + phase)
            heard = encoder.run(torch.from_numpy(x.astype(np.float32))[None], stages)
            for stage, activations in heard.items():
                deviation = (activations - silence[stage])[0].numpy()
                steady = deviation[:, deviation.shape[1] // 4 : -deviation.shape[1] // 8]
                power[stage] = power[stage] + (steady**2).mean(1) / PHASES
        for stage in stages:
            out[stage].append(np.sqrt(power[stage]) / (0.1 / np.sqrt(2)))
    return {stage: np.array(values).T for stage, values in out.items()}


def compared(encoder: Encoder, stages: list[str], count: int) -> list[Row]:
    """Time one encoder's probe against bare forward passes and the loop; compare what they measure."""
    stimuli = partials(60, 10_000, count=count)
    times = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        tuning = selectivity(Session(encoder, stages), stimuli)
        times.append(time.perf_counter() - start)
    ours = min(times)
    n_samples = tuning.attrs["n_samples"]
    tile = max(1, round(tuning.attrs["tile_seconds"] * encoder.sample_rate / (n_samples * PHASES)))
    bare = bare_forward_seconds(encoder, stages, len(stimuli), n_samples, tile)
    some = np.linspace(0, len(stimuli) - 1, LOOPED).astype(int)
    start = time.perf_counter()
    loop = looped(encoder, stages, stimuli[some])
    looping = (time.perf_counter() - start) * len(stimuli) / LOOPED
    took = f"{ours:.2f} s"
    table = [
        Row(
            f"{encoder.name}: probing {count} partials",
            took,
            f"forward {bare:.2f} s",
            ours / bare,
            1.15,
            at_most=True,
        ),
        Row("  against a loop of one-second tones", took, f"loop {looping:.1f} s", looping / ours, 10),
    ]
    for i, stage in enumerate(stages):
        measured = tuning.response.values[i, : encoder.stages[stage].channels, some].T
        error = np.linalg.norm(measured - loop[stage], axis=0) / np.linalg.norm(loop[stage], axis=0)
        what = f"  {stage}: median difference of a tone's responses"
        table.append(
            Row(what, f"{np.median(error):.2%}", f"largest {error.max():.2%}", np.median(error), 0.01, True)
        )
    return table


def rows() -> list[Row]:
    """Compare on the bundled SampleCNN and a random EnCodec, at their canonical stages with power."""
    table = []
    # some hundred seconds of audio or more each, as in a run with refinement
    for name, weights, count in (("samplecnn_tiny", "pretrained", 1440), ("encodec_24khz", "random", 240)):
        encoder = load(name, weights=weights)
        stages = [s for s in canonical_stages(encoder) if s not in ("quantized", "codes")]
        table += compared(encoder, stages, count)
    encoder, stimuli = load("encodec_24khz", weights="random"), partials(60, 10_000, count=240)
    start = time.perf_counter()
    selectivity(Session(encoder), stimuli, phases=4)
    ours = time.perf_counter() - start
    what = "encodec_24khz: all canonical stages, 240 partials, 4 phases"
    return [*table, Row(what, f"{ours:.1f} s", "60 s", ours / 60, 1, at_most=True)]


if __name__ == "__main__":
    for row in rows():
        print(row)
