"""Runs of an earlier schema: what is defined as it was is read, the rest is named and left out."""

import numpy as np
import pytest
import xarray as xr

from tonotopy.encoders import load
from tonotopy.probes.composition.compositionality import compositionality
from tonotopy.probes.composition.mixtures import Condition
from tonotopy.probes.engine.schema import SCHEMA_VERSION, subject_attributes
from tonotopy.probes.engine.session import Session
from tonotopy.reports.runs import encoders_of, read_run


def test_a_run_of_schema_2_keeps_its_plane_index():
    encoder = load("control:decimator")
    found = compositionality(Session(encoder), conditions=[Condition("partial", 2, -20.0)])
    root = dict.fromkeys(("created_at", "versions", "device", "precision", "seed", "command"), "")
    about = {k: v for k, v in subject_attributes(encoder, "encoder").items() if k != "baseline"}
    run = xr.DataTree.from_dict(
        {
            "/": xr.Dataset(attrs={"schema_version": "2", **root}),
            "/a": xr.Dataset(attrs=about),
            "/a/compositionality": found,
            "/a/hypotheses": xr.Dataset({"exact": ("hypothesis", [True])}),
        }
    )
    with pytest.warns(UserWarning, match="schema version 2: hypotheses left out"):
        read = read_run(run)
    (one,) = encoders_of(read)
    assert one.result("hypotheses") is None
    kept = one.result("compositionality")
    assert kept is not None
    assert np.isfinite(kept["index"]).all()
    assert read.attrs["schema_version"] == SCHEMA_VERSION
    assert "hypotheses" in run["a"].children  # what was given is as it was
