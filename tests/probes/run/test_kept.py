"""Kept results of controls."""

import os
import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from tonotopy.encoders import load
from tonotopy.encoders.base import Encoder
from tonotopy.probes.engine.schema import subjects
from tonotopy.probes.engine.session import Session
from tonotopy.probes.filters.selectivity import SELECTIVITY
from tonotopy.probes.folding.invertibility import INVERTIBILITY
from tonotopy.probes.run import kept
from tonotopy.probes.run.runner import probe

FEW = SELECTIVITY.with_settings(low_hz=500.0, high_hz=900.0, per_octave=6.0, refine=False)
RATE = 8_000  # at which nothing lies in the package


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "tonotopy" / "controls"


def decimator(rate=RATE) -> Encoder:
    return load("control:decimator", sample_rate=rate)


def key(one=FEW, control=None, seed=0) -> str:
    found = kept.key_of(one, control or decimator(), seed)
    assert found is not None
    return found


def test_what_is_kept_comes_back_as_it_was():
    result = FEW(Session(load("filterbank:stft", sample_rate=RATE), tile_seconds=4.0))
    about = key(FEW, load("filterbank:stft", sample_rate=RATE))
    assert kept.kept(about, FEW) is None
    kept.keep(about, result)
    again = kept.kept(about, FEW)
    assert again is not None
    assert again.attrs.pop("kept_in") == "cache"
    xr.testing.assert_identical(again, result.assign_attrs(again.attrs))
    assert set(again.attrs) == set(result.attrs)


def test_a_result_depends_on_rate_settings_seed_control_and_version(monkeypatch):
    others = [
        key(control=decimator(9_000)),
        key(FEW.with_settings(per_octave=7.0)),
        key(seed=1),
        key(control=load("control:rectifier", sample_rate=RATE)),
        key(INVERTIBILITY),
    ]
    monkeypatch.setattr(kept, "version", lambda name: "99.0")
    others.append(key())
    monkeypatch.undo()
    assert len({key(), *others}) == 7


def test_a_result_depends_on_what_measures_it_and_not_on_comments(tmp_path, monkeypatch):
    module = tmp_path / "measure.py"

    def digest(text):
        module.write_text(text)
        kept.digest.cache_clear()
        kept._read.cache_clear()
        return kept.digest((module,))

    monkeypatch.setattr(kept, "ROOT", tmp_path)
    first = digest('"""One."""\n\ndef f(x):\n    """Two."""\n    return x + 1\n')
    assert (
        digest('# more\n\n"""Other words\nin two lines."""\ndef f(x):\n    # here\n    return x + 1\n')
        == first
    )
    assert digest('"""One."""\n\ndef f(x):\n    """Two."""\n    return x + 2\n') != first
    kept.digest.cache_clear()
    kept._read.cache_clear()


def test_the_digest_reaches_what_a_measure_plays_and_computes_with():
    def reached(module: Path) -> set[str]:
        waiting, found = [module], set()
        while waiting:
            one = waiting.pop()
            if one not in found:
                found.add(one)
                waiting += [other for other in kept._read(one)[1] if kept._measures(other)]
        return {str(one.relative_to(kept.ROOT)) for one in found}

    found = reached(kept.ROOT / "probes" / "composition" / "presence.py")
    assert {
        "probes/composition/traces.py", "probes/composition/draws.py", "probes/statistics/planes.py",
        "probes/engine/respond.py", "synth/stimuli.py",
    } <= found  # fmt: skip
    assert not {"probes/engine/progress.py", "probes/filters/selectivity.py"} & found


@pytest.mark.parametrize("damage", ["cut", "other key", "empty", "text", "lacks", "pickle"])
def test_a_bad_file_is_as_good_as_none(cache, damage):
    result = FEW(Session(decimator()))
    kept.keep(key(), result)
    (file,) = cache.iterdir()
    whole = file.read_bytes()
    bad = {
        "cut": whole[: len(whole) // 2],
        "other key": kept.packed(key(seed=1), result),
        "empty": b"",
        "text": b"nothing of the kind",
        "lacks": kept.packed(key(), result.rename(response="loudness")),
        "pickle": kept.packed(key(), result.assign(response=result.response.astype(object))),
    }
    file.write_bytes(bad[damage])
    assert kept.kept(key(), FEW) is None


def test_of_others_nothing_is_kept(tmp_path):
    def measure(session, low_hz=60.0):
        return FEW(session)

    assert kept.key_of(replace(FEW, measure=measure, settings={}), decimator(), 0) is None
    assert kept.key_of(FEW.with_settings(per_octave=str(tmp_path)), decimator(), 0) is None
    assert kept.key_of(FEW, load("control:planted"), 0) is None


def test_several_may_write_at_once(cache):
    result, failed = FEW(Session(decimator())), []

    def write():
        try:
            for _ in range(20):
                kept.keep(key(), result)
                assert kept.kept(key(), FEW) is not None
        except Exception as error:
            failed.append(error)

    threads = [threading.Thread(target=write) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    assert [file.suffix for file in cache.iterdir()] == [".result"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_cannot_be_written_is_a_warning(cache):
    cache.parent.mkdir(parents=True)
    cache.parent.chmod(0o500)
    with pytest.warns(UserWarning, match="controls are not kept"):
        kept.keep(key(), FEW(Session(decimator())))


def test_a_file_in_the_place_of_the_folder_is_a_warning(cache):
    cache.parent.parent.mkdir(parents=True)
    cache.parent.write_text("in the way")
    with pytest.warns(UserWarning, match="controls are not kept"):
        kept.keep(key(), FEW(Session(decimator())))


def run(out, monkeypatch, **options) -> tuple[xr.DataTree, list[str]]:
    """Probe a rectifier beside controls; the tree, and who was measured."""
    seen = []

    def measure(session, low_hz, high_hz, per_octave, refine, phases=5):
        seen.append(session.encoder.name)
        return SELECTIVITY.measure(session, low_hz, high_hz, per_octave, refine, phases)

    measure.__wrapped__ = SELECTIVITY.measure  # whose code it is, to whom it matters
    counted = replace(FEW, measure=measure)
    monkeypatch.setattr("tonotopy.probes.run.suite.CONTROLS", {"waveform": ("control:decimator",)})
    monkeypatch.setattr("tonotopy.probes.run.subjects.CONTROLS", {"waveform": ("control:decimator",)})
    encoder = load("control:rectifier", sample_rate=RATE)
    return xr.open_datatree(probe([encoder], out, False, probes=(counted,), **options)), seen


def test_a_control_is_measured_once(tmp_path, monkeypatch):
    first, seen = run(tmp_path / "first.zarr", monkeypatch)
    assert seen == ["control:rectifier", "control:decimator"]
    second, seen = run(tmp_path / "second.zarr", monkeypatch)
    assert seen == ["control:rectifier"]
    assert second["control.decimator"].attrs == first["control.decimator"].attrs
    one, other = (tree["control.decimator/selectivity"].to_dataset() for tree in (first, second))
    assert other.attrs.pop("kept_in") == "cache"
    assert "kept_in" not in one.attrs
    xr.testing.assert_identical(one.load(), other.load())


def test_without_controls_kept_ones_are_used_and_none_is_measured(tmp_path, monkeypatch):
    alone, seen = run(tmp_path / "alone.zarr", monkeypatch, controls=False)
    assert (list(subjects(alone)), seen) == (["control.rectifier"], ["control:rectifier"])
    run(tmp_path / "measured.zarr", monkeypatch)
    beside, seen = run(tmp_path / "beside.zarr", monkeypatch, controls=False)
    assert list(subjects(beside, "control")) == ["control.decimator"]
    assert seen == ["control:rectifier"]


def test_numbers_of_numpy_come_back_as_numbers():
    result = FEW(Session(decimator())).assign_attrs(large=np.int64(3), small=np.float32(0.5))
    kept.keep(key(), result)
    again = kept.kept(key(), FEW)
    assert again is not None
    assert (again.attrs["large"], again.attrs["small"]) == (3, 0.5)
