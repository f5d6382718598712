"""The ledger against the bare forward passes it needs, and its controls against their closed forms."""

import time

import numpy as np
import torch

from tonotopy.encoders import Encoder, load
from tonotopy.encoders.base import canonical_stages
from tonotopy.probes.engine.runtime import flushing_denormals, holding_memory
from tonotopy.probes.engine.session import Session
from tonotopy.probes.folding.aliasing import aliasing, intermodulation
from tonotopy.probes.folding.coherence import coherence, coherent_partials
from tonotopy.probes.folding.ledger import keep_ledger
from tonotopy.probes.folding.representability import representability

from .table import Row

REPEATS = 5  # the shortest counts
PER_OCTAVE = 24  # some hundred seconds of audio or more


def bare_seconds(encoder: Encoder, stages: list[str], n_tones: int, n_samples: int, tile: int) -> float:
    """Time the encoder alone over as much audio, at the tile size the ledger settled on."""
    waveforms = torch.randn(tile, n_samples, generator=torch.Generator().manual_seed(0)) * 0.1
    with flushing_denormals(), holding_memory():
        start = time.perf_counter()
        for first in range(0, n_tones, tile):
            encoder.run(waveforms[: min(tile, n_tones - first)], stages)
        return time.perf_counter() - start


def compared(encoder: Encoder, stages: list[str]) -> Row:
    """Time the ledger of one encoder, in turns with the bare passes."""
    window, tones = coherence(encoder, stages), coherent_partials(encoder, stages, per_octave=PER_OCTAVE)
    ours, bare = [], []
    for _ in range(REPEATS):
        start = time.perf_counter()
        _, plan = keep_ledger(Session(encoder), tones, window, stages)
        ours.append(time.perf_counter() - start)
        assert plan.tile_seconds is not None
        tile = max(1, round(plan.tile_seconds * encoder.sample_rate / plan.n_samples))
        bare.append(bare_seconds(encoder, stages, len(tones), plan.n_samples, tile))
    what = f"{encoder.name}: ledger of {len(tones)} tones"
    said = f"forward {min(bare):.2f} s"
    return Row(what, f"{min(ours):.2f} s", said, min(ours) / min(bare), 1.25, at_most=True)


def suite(encoder: Encoder) -> Row:
    """Time ledger, map, collapse and representability at all canonical stages."""
    start = time.perf_counter()
    aliasing(Session(encoder))
    intermodulation(Session(encoder))
    representability(Session(encoder))
    ours = time.perf_counter() - start
    what = f"{encoder.name}: ledger, map, collapse, representability"
    return Row(what, f"{ours:.0f} s", "180 s", ours / 180, 1, at_most=True)


def rows() -> list[Row]:
    """Compare ledgers with forward passes, and controls with closed forms."""
    table = []
    for name, weights in (("samplecnn_tiny", "pretrained"), ("encodec_24khz", "random")):
        encoder = load(name, weights=weights)
        stages = [s for s in canonical_stages(encoder) if s not in ("quantized", "codes")]
        table += [compared(encoder, stages), suite(encoder)]
    share = aliasing(Session(load("control:rectifier"))).share.isel(stage=0, channel=0).mean("frequency")
    found = share.sel(component=["mean_shift", "harmonic_2", "harmonic_4"]).values
    off = float(np.abs(found - np.array([8, 16 / 9, 16 / 225]) / np.pi**2).max())
    what = "rectifier: shares off their closed form (largest)"
    table.append(Row(what, f"{off:.1e}", "0.002", off, 0.002, at_most=True))
    collapse = float(aliasing(Session(load("control:decimator"))).collapse[0])
    table.append(Row("decimator: collapse", f"{collapse:.4f}", "1.00", collapse, 0.99))
    collapse = abs(float(aliasing(Session(load("filterbank:stft"))).collapse[0]))
    table.append(Row("STFT: collapse", f"{collapse:.1e}", "0.01", collapse, 0.01, at_most=True))
    return table


if __name__ == "__main__":
    for row in rows():
        print(row)
