"""What is written as files is what xarray would write and read."""

import numpy as np
import pytest
import xarray as xr

from tonotopy.probes.engine.zarr_files import consolidate, read_tree, write_group

ZARR = {"zarr_format": 2, "consolidated": False}


def result(seed: int) -> xr.Dataset:
    values = np.random.default_rng(seed).standard_normal((3, 4)).astype(np.float32)
    values[0, 0] = np.nan
    return xr.Dataset(
        {
            "measured": (("stage", "unit"), values, {"units": "dB", "long_name": "what it is"}),
            "is_sure": ("stage", [True, False, True]),
            "count": ("stage", np.arange(3)),
            "nothing": (("stage", "none"), np.empty((3, 0))),
            "scalar": ((), 2.5),
        },
        {"stage": ["first_layer", "latent", "Größe"], "centre_hz": ("unit", np.arange(4.0))},
        {"seed": seed, "remark": "as it is"},
    )


@pytest.fixture
def store(tmp_path):
    xr.Dataset(attrs={"schema_version": 4}).to_zarr(tmp_path / "run", mode="w", **ZARR)
    for name, seed in (("one", 1), ("two", 2)):
        xr.Dataset(attrs={"name": name}).to_zarr(tmp_path / "run" / name, mode="w", **ZARR)
        assert write_group(result(seed), tmp_path / "run" / name / "probe")
    return tmp_path / "run"


def test_a_store_is_read_as_xarray_opens_it(store):
    consolidate(store)
    assert read_tree(store).identical(xr.open_datatree(store, engine="zarr", chunks=None))
    assert read_tree(store)["two/probe"].to_dataset().identical(result(2))


@pytest.mark.parametrize("encoding", [None, {"measured": {"chunks": (1, 4)}}])
def test_what_others_wrote_is_left_to_xarray(store, encoding):
    """Chunks, missing values and truth values of xarray's own encoding."""
    other = result(3).drop_vars("nothing")
    other.to_zarr(store / "one" / "other", mode="w", encoding=encoding, **ZARR)
    consolidate(store)
    found = read_tree(store)
    xr.testing.assert_identical(found, xr.open_datatree(store, engine="zarr", chunks=None))
    assert found["one/other"].to_dataset().equals(other)


@pytest.mark.filterwarnings("ignore:Failed to open Zarr store with consolidated metadata")
def test_a_store_that_is_not_consolidated_is_left_to_xarray(store):
    assert read_tree(store).identical(xr.open_datatree(store, engine="zarr", chunks=None, consolidated=False))


def test_a_chunk_that_is_missing_holds_the_fill_value(store):
    (store / "one" / "probe" / "measured" / "0.0").unlink()
    consolidate(store)
    assert np.isnan(read_tree(store)["one/probe"].to_dataset()["measured"].values).all()
