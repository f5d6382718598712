"""Where responses go while they are measured: memory, or a zarr group on disk."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import xarray as xr
import zarr

from ...encoders.base import Encoder
from .outputs import fresh
from .schema import dataset
from .variable import Variable
from .zarr_files import consolidate, write_group

ZARR_FORMAT = 2  # format 3 has no specification yet for the strings in our coordinates
CHUNK = 1024
STREAMED_BYTES = 64 * 1024**2  # of an array that is streamed to disk; smaller ones fit into memory


def keep(result: xr.Dataset, where: Path) -> None:
    """Write a result to a zarr group, unless it was streamed there."""
    if not where.exists() and not write_group(result, where):
        result.to_zarr(str(where), mode="w", zarr_format=ZARR_FORMAT, consolidated=False)


class ResponseStore:
    """Arrays [stage, channel, stimulus] per measured quantity and level, NaN where nothing was written.

    Of codes, [stage, codebook, stimulus].

    Parameters
    ----------
    known : mapping of str to Variable
        Those that the result may hold.
    encoder : Encoder
    stages : sequence of str
    n_stimuli : int
    n_levels : int
        With more than one, arrays have a last axis for them.
    out : path, optional
        A zarr group to stream to if arrays are large; None keeps them in memory.
    """

    def __init__(
        self,
        known: Mapping[str, Variable],
        encoder: Encoder,
        stages: Sequence[str],
        n_stimuli: int,
        n_levels: int = 1,
        out: str | Path | None = None,
    ) -> None:
        self._known, self._stages = known, list(stages)
        self.n_channels = [encoder.stages[s].channels for s in stages]
        powers = {encoder.stages[s].has_power for s in stages}
        names = ["response"] * (True in powers) + ["change_probability"] * (False in powers)
        books = [encoder.stages[s].channels for s in stages if not encoder.stages[s].has_power]
        self._widths = {"channel": max(self.n_channels), "codebook": max(books, default=0)}
        self._stimuli_and_levels: tuple[int, ...] = (n_stimuli, *([n_levels] if n_levels > 1 else []))
        self._out = None if out is None else fresh(out)
        n_bytes = 4 * len(stages) * max(self.n_channels) * n_stimuli * n_levels
        self._streams = self._out is not None and n_bytes >= STREAMED_BYTES
        self.arrays: dict[str, np.ndarray | zarr.Array] = {}
        for name in names:
            self.allocate(name)

    def allocate(self, name: str, per_level: bool = True) -> np.ndarray | zarr.Array:
        """Add an array, filled with NaN, with or without an axis for levels."""
        spec = self._known[name]
        along = self._stimuli_and_levels[: None if per_level else 1]
        shape: tuple[int, ...] = (len(self._stages), self._widths[spec.dims[1]], *along)
        if not self._streams:
            return self.arrays.setdefault(name, np.full(shape, np.nan, dtype=np.float32))
        dims = [*spec.dims, *(["level"] if len(shape) > 3 else [])]
        group = zarr.open_group(str(self._out), mode="a", zarr_format=ZARR_FORMAT)
        self.arrays[name] = group.create_array(
            name,
            shape=shape,
            chunks=(1, shape[1], *(min(CHUNK, size) for size in shape[2:3]), *shape[3:]),
            dtype="float32",
            fill_value=float("nan"),
            attributes={"_ARRAY_DIMENSIONS": dims, "units": spec.units, "long_name": spec.long_name},
            overwrite=True,
        )
        return self.arrays[name]

    def writer(self, level: int = 0) -> Callable[[str, slice, Mapping[str, np.ndarray]], None]:
        """Return the `write` that `respond` calls."""

        def write(stage: str, rows: slice, values: Mapping[str, np.ndarray]) -> None:
            i = self._stages.index(stage)
            for name, value in values.items():  # [b, C]
                where = (i, slice(0, value.shape[1]), rows, *self._at(level))
                self.arrays[name][where] = value.T

        return write

    def read(self, stage: int, channels: slice, level: int = 0) -> np.ndarray:
        """Return responses of a block of channels, [c, stimulus]."""
        return np.asarray(self.arrays["response"][stage, channels, slice(None), *self._at(level)])

    def _at(self, level: int) -> list[int]:
        """Return where a level lies: nowhere, if it is the only one."""
        return [level] if len(self._stimuli_and_levels) > 1 else []

    def finish(self, variables: Mapping[str, object], attributes: Mapping[str, object]) -> xr.Dataset:
        """Return the result: the arrays with everything known beside them; on disk if `out` was given."""
        if self._widths["codebook"]:
            variables = {"codebook": np.arange(1, self._widths["codebook"] + 1), **variables}
        if not self._streams:
            result = dataset(self._known, {**self.arrays, **variables}, attributes)
            if self._out is not None:
                keep(result, self._out)
                consolidate(self._out)
            return result
        dataset(self._known, variables, attributes).to_zarr(
            str(self._out), mode="a", zarr_format=ZARR_FORMAT, consolidated=True
        )
        return xr.open_zarr(str(self._out), chunks=None)
