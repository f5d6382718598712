"""Every dimension of every result has a coordinate that a person would select by."""

import numpy as np
import pytest
import xarray as xr

from tonotopy.encoders import load
from tonotopy.probes.composition.mixtures import Condition
from tonotopy.probes.composition.stability import measure as stability
from tonotopy.probes.engine.schema import dataset, stimuli_dataset, stimuli_from, subject_attributes
from tonotopy.probes.engine.selecting import at_stage
from tonotopy.probes.engine.session import Session
from tonotopy.probes.filters.selectivity import selectivity
from tonotopy.probes.folding.aliasing import intermodulation
from tonotopy.probes.run.registry import schema
from tonotopy.probes.run.schema import validate_probe
from tonotopy.reports.runs import read_run
from tonotopy.synth import InputError, partials, pitches

USUAL = Condition("partial", 4, -20.0)


@pytest.mark.parametrize("probe", schema())
def test_every_dimension_that_is_declared_has_a_coordinate_with_a_unit(probe):
    variables = schema()[probe]
    dims = {dim for variable in variables.values() for dim in variable.dims}
    assert {dim for dim in dims if variables.get(dim) is None or variables[dim].dims != (dim,)} == set()
    assert all(variables[dim].units and variables[dim].long_name for dim in dims)


def test_a_result_without_a_coordinate_is_refused():
    bare = dataset(schema()["presence"], {"stage": np.array(["latent"]), "bits": np.zeros((1, 2))})
    with pytest.raises(InputError, match="bits lies along 'condition', which has no coordinate"):
        validate_probe("a/presence", schema()["presence"], bare)


def test_conditions_are_selected_by_what_they_are():
    found = stability(Session(load("control:decimator")), conditions=[USUAL, Condition("pitch", 4, -20.0)])
    one = found.sel(condition="partial among 4 at -20 dBFS")
    assert one["component_kind"] == "partial"
    assert one["component_frequency"].attrs["units"] == "Hz"
    assert one["containment_profile"].coords["component_label"].values[0] == "partial 1"


def test_levels_and_codebooks_are_selected_by_their_values():
    tones = partials(200, 800, count=3, level_dbfs=(-40.0, -20.0))
    tuning = selectivity(Session(load("control:texture")), tones, refine=False)
    assert tuning["level"].values.tolist() == [-40.0, -20.0]
    changed = tuning["change_probability"].sel(stage="codes", codebook=1, level=-20.0)
    assert changed.dims == ("frequency",)
    assert "codebook" not in tuning["response"].dims
    assert at_stage(tuning, "quantized").sizes["channel"] == int(tuning["n_channels"].sel(stage="quantized"))


def test_a_streamed_result_has_the_same_coordinates(tmp_path):
    session = Session(load("control:texture"), out=tmp_path / "tuning.zarr")
    tuning = selectivity(session, partials(200, 800, count=3, level_dbfs=(-40.0, -20.0)), refine=False)
    validate_probe("a/selectivity", schema()["selectivity"], tuning)
    assert tuning["codebook"].values.tolist() == [1]


def test_stimuli_have_names():
    notes = pitches(midi=[48, 60], timbres=["saw", "square"])
    stored = stimuli_dataset(notes)
    assert stored["stimulus"].values.tolist()[:2] == ["130.81 Hz saw", "130.81 Hz square"]
    assert set(stored.dims) <= set(stored.coords)
    assert stimuli_from(stored).sha256 == notes.sha256


def as_schema_3(result):
    """The same result with the coordinates of schema 3: numbers, codes along channels."""
    older = result.drop_vars("level", errors="ignore")
    for dim in {"condition", "pair"} & set(map(str, result.dims)):
        older = older.assign_coords({dim: (dim, np.arange(result.sizes[dim]), result[dim].attrs)})
    if "codebook" in result.dims:
        wide = np.full((result.sizes["stage"], result.sizes["channel"], result.sizes["frequency"]), np.nan)
        wide[:, : result.sizes["codebook"]] = result["change_probability"].values
        older = older.drop_vars(["change_probability", "codebook"])
        about = result["change_probability"].attrs
        older["change_probability"] = (("stage", "channel", "frequency"), wide, about)
    return older


def test_a_run_of_schema_3_is_read_with_the_coordinates_of_today():
    texture, decimator = load("control:texture"), load("control:decimator")
    results = {
        "selectivity": selectivity(Session(texture), partials(200, 800, count=3), refine=False),
        "stability": stability(Session(decimator), conditions=[USUAL]),
        "intermodulation": intermodulation(Session(decimator)),
    }
    root = dict.fromkeys(("created_at", "versions", "device", "precision", "seed", "command"), "")
    run = xr.DataTree.from_dict(
        {
            "/": xr.Dataset(attrs={"schema_version": "3", **root}),
            "/a": xr.Dataset(attrs=subject_attributes(texture, "encoder")),
            **{f"/a/{name}": as_schema_3(one) for name, one in results.items()},
        }
    )
    read = read_run(run)
    for name, one in results.items():
        xr.testing.assert_identical(read[f"a/{name}"].to_dataset()[list(one.data_vars)], one)
