"""Numbers behind a figure: rows of tidy tables, thinned where there are many."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from ..selecting import spread
from .panels import MOST_ROWS

Row = Mapping[str, object]


def table(rows: Sequence[Row]) -> pd.DataFrame:
    """Return rows as a table, without the columns in which no row has anything.

    Examples
    --------
    >>> list(table([{"stage": "latent", "p (1)": 0.5, "Q (1)": float("nan")}]))
    ['stage', 'p (1)']
    """
    frame = pd.DataFrame(list(rows))
    return frame.dropna(axis="columns", how="all").reset_index(drop=True)


def thinned(blocks: Sequence[Sequence[Row]]) -> pd.DataFrame:
    """Return blocks of rows as one table of at most 300, each block spread evenly, with its ends.

    Examples
    --------
    >>> blocks = [[{"stage": s, "channel": i} for i in range(200)] for s in ("latent", "quantized")]
    >>> len(thinned(blocks)), int(thinned(blocks)["channel"].max())
    (300, 199)
    """
    each = max(2, MOST_ROWS // max(1, len(blocks)))
    return table([block[i] for block in blocks for i in spread(np.arange(len(block)), each)])
