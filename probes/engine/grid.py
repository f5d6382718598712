"""What most measures play: 16 partials, among four others, at -20 dBFS."""

from __future__ import annotations

import numpy as np

PARTIALS, LOW_HZ, HIGH_HZ = 16, 120.0, 6000.0
HIGHEST_SHARE = 0.45  # of the sample rate
PHASES = 8  # of a partial
USUAL_DBFS = -20.0  # of several levels, the one at which most measures play
USUAL_OTHERS = 4  # of several densities, the one that stands for all


def partial_grid(sample_rate: float) -> np.ndarray:
    """Return 16 frequencies from 120 to 6000 Hz, evenly by ratio; closer at low sample rates."""
    return np.geomspace(LOW_HZ, min(HIGH_HZ, HIGHEST_SHARE * sample_rate), PARTIALS)
