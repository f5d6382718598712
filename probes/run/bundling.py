"""The results of controls that lie in the package: those of the preset "quick" at the usual rates.

python -m tonotopy.probes.run.bundling              renew what is stale, at all rates
python -m tonotopy.probes.run.bundling 24000 ...    at these alone
python -m tonotopy.probes.run.bundling --all        measure everything

What is stale was measured by other code. It is measured again at one rate; where nothing is different
there, what lies at the other rates is kept as it is.
"""

from __future__ import annotations

import os
import sys
import zipfile
import zlib
from collections.abc import Iterator, Mapping

import numpy as np
import xarray as xr

from ...encoders.base import Encoder
from ...encoders.registry import load
from ..engine.probe import Probe
from ..engine.progress import Progress
from ..engine.session import Session
from .kept import BUNDLES, bundle_of, key_in, key_of, name_of, packed, unpacked
from .subjects import below_nyquist
from .suite import CONTROLS, MEASURED_BY, Suite

RATES = (16_000, 22_050, 24_000, 32_000, 44_100, 48_000)
WITNESS = 24_000  # the rate at which what is stale is measured again
TOLERANCE = 1e-6  # re the largest value: activations are of float32
MOST_BYTES = 64 * 1024  # of an array, compressed
MOST_VALUES = 4096  # of an array that keeps all its digits
ROUNDED = 2.0**-22  # re the largest value, of those that do not
BY_TONE = {"frequency", "pair"}


def slim(result: xr.Dataset) -> xr.Dataset:
    """Return a result as it lies in the package: single precision, and without what is large.

    Arrays of every channel and tone are left out, and others that take more than 64 KiB. Those of many values
    are rounded to a four-millionth of the largest.
    """
    by_tone = [n for n, v in result.data_vars.items() if "channel" in v.dims and BY_TONE & set(v.dims)]
    small = result.drop_vars(by_tone).map(_rounded, keep_attrs=True)
    return small.drop_vars([n for n, v in small.data_vars.items() if _size(v) > MOST_BYTES])


def _size(values: xr.DataArray) -> int:
    return len(zlib.compress(np.ascontiguousarray(values).tobytes()))


def _rounded(values: xr.DataArray) -> xr.DataArray:
    if values.dtype.kind != "f":
        return values
    if values.size > MOST_VALUES:
        step = ROUNDED * 2.0 ** np.ceil(np.log2(_largest(values) or 1.0))
        values = (values / step).round() * step
    return values.astype(np.float32)


def _largest(values: xr.DataArray) -> float:
    return float(np.abs(values.values[np.isfinite(values)]).max(initial=0.0))


def pairs(sample_rate: int) -> Iterator[tuple[Probe, Session[Encoder]]]:
    """Yield what the package holds at a rate: probes of the preset "quick", and sessions of the controls."""
    any_encoder = load("control:decimator", sample_rate=sample_rate)
    suite = below_nyquist(Suite((any_encoder,), preset="quick"), [any_encoder], Progress(show=False))
    probes = suite.of("waveform")
    for name in CONTROLS["waveform"]:
        those = [one for one in probes if one.name in MEASURED_BY.get(name, (one.name,))]
        if those:
            session = Session(load(name, sample_rate=sample_rate))
            yield from ((one, session) for one in those if not one.refusal(session))


def held(sample_rate: int) -> dict[str, bytes]:
    """Return the files in the package at a rate, by name."""
    bundle = bundle_of(sample_rate)
    if not bundle.is_file():
        return {}
    with zipfile.ZipFile(bundle) as several:
        return {name: several.read(name) for name in several.namelist()}


def different(first: xr.Dataset, second: xr.Dataset) -> str:
    """Name the first variable that two results do not share within tolerance; "" if there is none."""
    if set(first.variables) != set(second.variables):
        return ", ".join(sorted(map(str, set(first.variables) ^ set(second.variables))))
    return next((str(name) for name in first.variables if not _same(first[name], second[name])), "")


def _same(first: xr.DataArray, second: xr.DataArray) -> bool:
    if first.shape != second.shape or first.dtype.kind != second.dtype.kind:
        return False
    if first.dtype.kind != "f":
        return bool((first.values == second.values).all())
    return np.allclose(first, second, TOLERANCE, TOLERANCE * _largest(second), equal_nan=True)


def renewed(sample_rate: int, before: Mapping[str, bytes], same: set[str]) -> dict[str, bytes]:
    """Return the files that are to lie in the package at a rate.

    Parameters
    ----------
    sample_rate : int
    before : mapping of str to bytes
        Those that lie there.
    same : set of str
        Results, as "probe of control", whose code is other than before and gives the same; at the witness
        rate they are found out, and added.
    """
    files, stale = {}, {_subject(key_in(data)): data for data in before.values()}
    for one, session in pairs(sample_rate):
        key = key_of(one, session.encoder, session.seed) or ""
        about, old = _subject(key), stale.get(_subject(key))
        if old is not None and about in same:
            old = packed(key, unpacked(old, key_in(old), one))
        if old is None or key_in(old) != key:
            print(f"measuring {one.name} of {session.encoder.name} at {sample_rate} Hz", flush=True)
            new = slim(one(session).load())
            if old is not None and sample_rate == WITNESS:
                same |= {about} if not different(unpacked(old, key_in(old), one), new) else set()
            old = packed(key, new)
        files[name_of(key)] = old
    return files


def _subject(key: str) -> str:
    """Say what was measured, of whom: all of a key but rate and code."""
    _, probe, control, _, seed, *_ = key.split("\n")
    return f"{probe} of {control}, {seed}"


def main() -> None:
    """Renew the files of all rates."""
    BUNDLES.mkdir(exist_ok=True)
    same: set[str] = set()
    given = {int(word) for word in sys.argv[1:] if word.isdigit()} or set(RATES)
    for rate in sorted(given, key=lambda rate: (rate != WITNESS, rate)):
        files = renewed(rate, {} if "--all" in sys.argv else held(rate), same)
        part = bundle_of(rate).with_suffix(".part")
        with zipfile.ZipFile(part, "w") as several:  # stored: they are compressed already
            for name in sorted(files):
                several.writestr(zipfile.ZipInfo(name), files[name])
        os.replace(part, bundle_of(rate))
        size = bundle_of(rate).stat().st_size / 1024
        print(f"{bundle_of(rate)}: {len(files)} results, {size:.0f} KiB", flush=True)


if __name__ == "__main__":
    main()
