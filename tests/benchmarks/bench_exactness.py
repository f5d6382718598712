"""How far measured tuning lies from its closed forms: not timings, but of the same table."""

import numpy as np

from tonotopy.encoders import load
from tonotopy.probes.engine.session import Session
from tonotopy.probes.filters.selectivity import selectivity
from tonotopy.synth import partials, partials_at

from .table import Row

BIN_HZ = 24_000 / 1024
INSIDE = np.arange(8, 505)  # bins whose main lobe lies inside the grid


def rows() -> list[Row]:
    """Compare first layers with their kernels, and the STFT with its window."""
    table = []
    for name, weights in (
        ("encodec_24khz", "random"),
        ("samplecnn_tiny", "pretrained"),
        ("filterbank:stft", "random"),
    ):
        tuning = selectivity(
            Session(load(name, weights=weights), ["first_layer"]), partials(60, 10_000, count=240)
        )
        error_db = float(tuning.closed_form_error[0])
        what = f"{name}: first layer off its closed form (median)"
        table.append(Row(what, f"{error_db:.1e} dB", "0.05 dB", error_db, 0.05, at_most=True))
    grid = partials_at(np.arange(1, 1023) * BIN_HZ / 2)
    stft = selectivity(Session(load("filterbank:stft")), grid).isel(
        stage=0, channel=[*INSIDE, *(513 + INSIDE)]
    )
    width = float(np.abs(stft.equivalent_noise_bandwidth / BIN_HZ / 1.5 - 1).max())
    table.append(
        Row(
            "STFT: noise bandwidth off 1.50 bins (largest)", f"{width:.1e}", "0.01", width, 0.01, at_most=True
        )
    )
    off = float(np.abs(stft.best_frequency / BIN_HZ - [*INSIDE, *INSIDE]).max())
    table.append(
        Row(
            "STFT: best frequency off the bin centre (largest)",
            f"{off:.1e} bins",
            "0.01 bins",
            off,
            0.01,
            True,
        )
    )
    return table


if __name__ == "__main__":
    for row in rows():
        print(row)
