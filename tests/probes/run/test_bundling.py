"""The results of controls that lie in the package."""

import pytest

from tonotopy.probes.run import bundling, kept
from tonotopy.probes.run.bundling import RATES, TOLERANCE, different, held, pairs, renewed, slim
from tonotopy.probes.run.runner import probe

RENEW = "run `python -m tonotopy.probes.run.bundling`, which renews what lies in the package"
MOST_KIB = 3 * 1024
SOON_MEASURED = {
    ("control:decimator", "tiling"),
    ("control:decimator", "presence"),
    ("control:rectifier", "access"),
}


def in_package(one, session):
    """What lies in the package of a control."""
    key = kept.key_of(one, session.encoder, session.seed)
    data = held(session.encoder.sample_rate).get(kept.name_of(key or ""))
    assert data is not None, f"{one.name} of {session.encoder.name}: {RENEW}"
    return kept.unpacked(data, key or "", one)


@pytest.mark.parametrize("rate", RATES)
def test_the_package_holds_what_the_quick_preset_measures_of_controls(rate):
    due = {kept.name_of(kept.key_of(one, session.encoder, 0) or "") for one, session in pairs(rate)}
    assert due == set(held(rate)), RENEW


def test_it_is_small():
    assert sum(kept.bundle_of(rate).stat().st_size for rate in RATES) / 1024 < MOST_KIB


def test_some_of_it_measured_again():
    seen = 0
    for one, session in pairs(24_000):
        if (session.encoder.name, one.name) in SOON_MEASURED:
            assert different(in_package(one, session), slim(one(session).load())) == "", RENEW
            seen += 1
    assert seen == len(SOON_MEASURED)


@pytest.mark.slow
@pytest.mark.parametrize("rate", RATES)
def test_all_of_it_measured_again(rate):
    for one, session in pairs(rate):
        said = different(in_package(one, session), slim(one(session).load()))
        assert said == "", f"{said} in {one.name} of {session.encoder.name}: {RENEW}"


@pytest.fixture
def small(monkeypatch):
    """A package of one control and one probe at each rate."""
    several = bundling.pairs
    monkeypatch.setattr(bundling, "CONTROLS", {"waveform": ("control:decimator",)})
    monkeypatch.setattr(bundling, "pairs", lambda rate: (p for p in several(rate) if p[0].name == "tiling"))


def test_what_is_current_is_left_as_it_is(small, capsys):
    files = renewed(24_000, {}, set())
    assert len(files) == 1
    assert "measuring" in capsys.readouterr().out
    assert renewed(24_000, files, set()) == files
    assert capsys.readouterr().out == ""


def test_of_what_was_measured_by_other_code_one_rate_stands_for_the_others(small, monkeypatch, capsys):
    files, others, same = renewed(24_000, {}, set()), renewed(16_000, {}, set()), set()
    monkeypatch.setattr(kept, "digest", lambda modules: "other code")
    capsys.readouterr()
    assert set(renewed(24_000, files, same)) != set(files)
    assert len(same) == 1
    again = renewed(16_000, others, same)
    assert capsys.readouterr().out.count("measuring") == 1
    assert set(again) != set(others)


def test_what_is_different_is_measured_everywhere(small, monkeypatch, capsys):
    files, others, same = renewed(24_000, {}, set()), renewed(16_000, {}, set()), set()
    monkeypatch.setattr(kept, "digest", lambda modules: "other code")
    monkeypatch.setattr(bundling, "different", lambda one, other: "coverage")
    capsys.readouterr()
    renewed(24_000, files, same)
    renewed(16_000, others, same)
    assert (same, capsys.readouterr().out.count("measuring")) == (set(), 2)


def test_a_difference_is_named_and_rounding_is_none(small):
    ((one, session),) = bundling.pairs(24_000)
    result = slim(one(session).load())
    largest = float(abs(result.coverage).max())
    assert different(result, result.assign(coverage=result.coverage + 0.5 * TOLERANCE * largest)) == ""
    assert different(result, result.assign(coverage=result.coverage + 3 * TOLERANCE * largest)) == "coverage"
    assert different(result, result.drop_vars("coverage")) == "coverage"


def test_a_run_without_controls_has_those_of_the_package(tmp_path, monkeypatch):
    import xarray as xr

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    run = probe(
        "control:patches",
        tmp_path / "run.zarr",
        probes=["tiling"],
        preset="quick",
        controls=False,
        baselines=0,
    )
    tree = xr.open_datatree(run)
    assert tree["control.decimator/tiling"].attrs["kept_in"] == "package"
    verdicts = tree["control.patches/hypotheses"].to_dataset().set_index(hypothesis="hypothesis")
    assert verdicts.verdict.sel(hypothesis="narrowband_first_layer").item() in ("supported", "refuted")
