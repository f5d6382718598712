"""Compositional stability of the controls against theory, and the time of all probes."""

import tempfile
import time
from pathlib import Path

import numpy as np

from tonotopy.encoders import load
from tonotopy.probes import probe
from tonotopy.probes.composition.compositionality import CONDITIONS, compositionality
from tonotopy.probes.engine.session import Session

from .table import Row

ALL_PROBES_S = 300.0


def index_of(name: str) -> np.ndarray:
    """Index of partials under every condition, by density and level."""
    partials = [c for c in CONDITIONS if c.kind == "partial"]
    return compositionality(Session(load(name)), conditions=partials)["index"].values.ravel()


def all_probes(name: str) -> Row:
    """Time everything that is asked of an encoder, without baselines and controls."""
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        probe([name], Path(folder) / "run.zarr", baselines=0, controls=False)
        ours = time.perf_counter() - start
    return Row(f"{name}: all probes", f"{ours:.0f} s", f"{ALL_PROBES_S:.0f} s", ours / ALL_PROBES_S, 1, True)


def rows() -> list[Row]:
    """Compare controls with theory, and all probes with its limit."""
    stft, decimator = index_of("filterbank:stft"), index_of("control:decimator")
    return [
        Row("STFT: smallest index over density and level", f"{stft.min():.4f}", "0.99", stft.min(), 0.99),
        Row(
            "decimator: largest |index| over density and level", f"{np.abs(decimator).max():.1e}", "0.01",
            float(np.abs(decimator).max()), 0.01, at_most=True,
        ),
        all_probes("codec_tiny"),
    ]  # fmt: skip


if __name__ == "__main__":
    for row in rows():
        print(row)
