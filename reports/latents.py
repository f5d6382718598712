"""The page about latents of melody models: findings first, then figures that can be heard."""

from __future__ import annotations

from collections.abc import Sequence

import xarray as xr


def latents_page(trees: Sequence[xr.DataTree], dpi: int) -> str:
    """Write the page about runs of `tonotopy.probes.latents.latents`."""
    return ""
