import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tonotopy.synth import InputError
from tonotopy.synth.kernels import oscillate, oscillate_reference

pytestmark = pytest.mark.numerical

ERROR = 1e-6  # against float64 sines, for amplitudes that sum to at most 1


def bank(seed, counts, n_samples, n_ramped=0.5):
    """Draw oscillators for rows of so many partials each; amplitudes of a row sum to 1."""
    rng = np.random.default_rng(seed)
    n = sum(counts)
    amplitude = rng.random(n) + 0.01
    row = np.repeat(np.arange(len(counts)), counts)
    amplitude /= np.bincount(row, amplitude, minlength=len(counts))[row]
    onset = rng.uniform(-0.5, 1.0, n) * n_samples * (rng.random(n) < n_ramped)
    offset = np.where(rng.random(n) < n_ramped, onset + rng.uniform(0, 1.5, n) * n_samples, np.inf)
    ramp = rng.uniform(0, 0.6, n) * n_samples * (rng.random(n) < n_ramped)
    return (
        10 ** rng.uniform(-5, np.log10(0.4999), n),
        amplitude,
        rng.uniform(-10, 10, n),
        np.cumsum([0, *counts]),
        n_samples,
        onset,
        offset,
        ramp,
    )


@settings(derandomize=True, deadline=None, max_examples=150)
@given(
    seed=st.integers(0, 2**32 - 1),
    counts=st.lists(st.integers(0, 6), min_size=1, max_size=5),
    n_samples=st.sampled_from([1, 2, 63, 64, 65, 2047, 2048, 2049, 2112, 5000]),
    n_ramped=st.sampled_from([0.0, 0.3, 1.0]),
    threads=st.integers(1, 7),
)
def test_equals_float64_sines(seed, counts, n_samples, n_ramped, threads):
    args = bank(seed, counts, n_samples, n_ramped)
    waveforms = oscillate(*args, threads=threads)
    assert waveforms.dtype == np.float32
    assert np.abs(waveforms - oscillate_reference(*args)).max() <= ERROR


@pytest.mark.parametrize("cycles", [1e-7, 440 / 24_000, 0.25, 0.499_999])
def test_does_not_drift_in_eleven_minutes(cycles):
    n_samples = 11 * 60 * 24_000
    one = np.array([1.0])
    waveform = oscillate(
        cycles * one, one, 0.3 * one, np.array([0, 1]), n_samples, 0 * one, np.inf * one, 0 * one
    )[0]
    late = np.arange(n_samples - 50_000, n_samples)
    # The yardstick's own argument is reduced to one cycle exactly: 2 pi f n alone would be off by 1e-9.
    wanted = np.sin(2 * np.pi * np.remainder(np.longdouble(cycles) * late, 1) + 0.3)
    assert np.abs(waveform[late] - wanted).max() <= ERROR


def test_onset_far_into_the_sound_begins_where_it_should():
    one = np.array([1.0])
    n_samples, onset = 30_000, 20_000.5
    args = (0.01 * one, one, 0 * one, np.array([0, 1]), n_samples, onset * one, np.inf * one, 100 * one)
    waveform = oscillate(*args)[0]
    assert not waveform[:20_001].any()
    assert waveform[20_001:].any()
    assert np.abs(waveform - oscillate_reference(*args)[0]).max() <= ERROR


def test_rows_without_partials_are_silent():
    none = np.empty(0)
    assert not oscillate(none, none, none, np.array([0, 0, 0]), 3000, none, none, none).any()


def test_threads_change_no_sample():
    args = bank(5, [3, 0, 17, 1, 1, 1, 40], 6000)
    alone = oscillate(*args)
    for threads in (2, 3, 16):
        np.testing.assert_array_equal(alone, oscillate(*args, threads=threads))


def test_concurrent_callers_get_their_own_samples():
    args = bank(6, [4] * 20, 6000)
    alone = oscillate(*args)
    with ThreadPoolExecutor(4) as pool:
        for waveforms in pool.map(lambda _: oscillate(*args, threads=2), range(12)):
            np.testing.assert_array_equal(alone, waveforms)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the system has no fork")
def test_a_process_may_fork_after_rendering_with_threads():
    script = """
import os, numpy as np
from tonotopy.synth import partials
tones = partials(100, 1000, count=8)
before = tones.render(24_000, 4096, threads=2)
pid = os.fork()
if pid == 0:
    os._exit(0 if np.array_equal(before, tones.render(24_000, 4096, threads=2)) else 1)
raise SystemExit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
"""
    assert subprocess.run([sys.executable, "-c", script], timeout=60).returncode == 0


@pytest.mark.parametrize(("n_samples", "threads", "named"), [(0, 1, "length 0"), (10, 0, "threads 0")])
def test_refuses_impossible_sizes(n_samples, threads, named):
    one = np.array([1.0])
    with pytest.raises(InputError, match=named):
        oscillate(0.1 * one, one, one, np.array([0, 1]), n_samples, one, one, one, threads)
