"""The matrix of known truths: who is measured by what, what fails it, and what is kept."""

import numpy as np
import pytest
import xarray as xr

from tonotopy.probes.composition.draws import MAIN
from tonotopy.probes.engine.known import Known
from tonotopy.probes.engine.probe import Probe
from tonotopy.probes.engine.schema import dataset, subjects
from tonotopy.probes.engine.variable import STAGE, Variable
from tonotopy.probes.run import truths
from tonotopy.probes.run.registry import registered
from tonotopy.probes.run.truths import measure_truths
from tonotopy.synth.errors import InputError

DECIMATOR, PATCHES = "control:decimator", "control:patches"


def a_probe(name="counted", ranges=((DECIMATOR, 1, 1), (PATCHES, 300, 400)), refuses=None, measured=None):
    """A probe that counts channels, and knows how many there are."""

    def measure(session):
        if measured is not None:
            measured.append((name, session.encoder.name, session.seed))
        channels = next(iter(session.encoder.stages.values())).channels
        values = {"stage": np.array(["first_layer"]), "count": np.array([float(channels)])}
        return dataset({**STAGE, **variables}, values)

    variables = {"count": Variable(("stage",), "1", "channels")}
    known = tuple(
        Known(encoder, "channels", low, high, f"{low} to {high}", lambda r, _: float(r["count"][0]))
        for encoder, low, high in ranges
    )
    return Probe(
        name, question="How many?", variables={**STAGE, **variables}, measure=measure,
        refuses=lambda session: refuses, known=known,
    )  # fmt: skip


def test_each_probe_measures_only_encoders_that_it_knows_something_of():
    measured = []
    probes = [
        a_probe("one", ((DECIMATOR, 1, 1), (PATCHES, 1, 1)), measured=measured),
        a_probe("other", ((PATCHES, 300, 400),), measured=measured),
    ]
    found = measure_truths(probes, seed=5)
    assert measured == [("one", DECIMATOR, 5), ("one", PATCHES, 5), ("other", PATCHES, 5)]
    cells = [(t.encoder, t.probe, t.value, t.holds) for t in found]
    assert cells == [(DECIMATOR, "one", 1, True), (PATCHES, "one", 320, False), (PATCHES, "other", 320, True)]


def test_encoders_are_chosen_by_patterns_and_one_must_be_known():
    found = measure_truths([a_probe()], ["*:pat*"])
    assert [t.encoder for t in found] == [PATCHES]
    with pytest.raises(
        InputError, match=r"filterbank:\*: none of known truth .* control:decimator, control:pat"
    ):
        measure_truths([a_probe()], ["filterbank:*"])
    with pytest.raises(InputError, match="not known"):
        measure_truths(["nothing"])


def test_a_refusal_does_not_hold():
    (truth,) = measure_truths([a_probe(refuses="it has no say")], [DECIMATOR])
    assert np.isnan(truth.value)
    assert not truth.holds


def test_measurements_are_kept_as_a_run_of_controls(tmp_path, monkeypatch):
    measured = []
    out = tmp_path / "truths.zarr"
    probes = [a_probe(measured=measured)]
    broken = a_probe("broken", ((PATCHES, 1, 1),))
    monkeypatch.setattr(truths, "validate_probe", lambda where, *_: _fail_at(where, "broken"))
    with pytest.raises(RuntimeError):
        measure_truths([*probes, broken], out=out)
    assert not out.exists()
    assert len(measured) == 2
    monkeypatch.undo()
    whole = measure_truths([*probes, broken], out=out)
    assert len(measured) == 2  # taken up where it stopped
    assert [t.value for t in whole] == [1, 320, 320]
    with xr.open_datatree(out, engine="zarr", chunks=None) as tree:
        assert list(subjects(tree, "control")) == ["control.decimator", "control.patches"]
        assert tree["control.patches/counted"]["count"].item() == 320
    with pytest.raises(InputError, match="exists already"):
        measure_truths(probes, out=out)


def _fail_at(where, name):
    if where.endswith(name):
        raise RuntimeError(where)


def test_the_four_questions_are_put_without_sweeps():
    known = {probe.name: probe for probe in registered()}
    for name, settings in truths.ENOUGH.items():
        assert known[name].with_settings(**settings).settings["conditions"] == MAIN[:2]
