import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tonotopy.synth import InputError, Snap, hz_to_midi, level_dbfs, midi_to_hz, partials, partials_at

SETTINGS = settings(derandomize=True, deadline=None, max_examples=60)


def test_per_octave_is_geometric_and_includes_both_ends_where_they_fall():
    frequency = partials(55, 880, per_octave=12).coordinates["f0_hz"]
    np.testing.assert_allclose(frequency, 55 * 2 ** (np.arange(49) / 12), rtol=1e-14)
    assert partials(60, 10_000, per_octave=24).coordinates["f0_hz"].max() <= 10_000


def test_count_spreads_from_end_to_end():
    np.testing.assert_allclose(partials(100, 1600, count=5).coordinates["f0_hz"], [100, 200, 400, 800, 1600])
    linear = partials(100, 1600, count=6, spacing="linear")
    np.testing.assert_allclose(linear.coordinates["f0_hz"], [100, 400, 700, 1000, 1300, 1600])


def test_steps_are_even():
    np.testing.assert_allclose(partials(10, 11, step_hz=0.1).coordinates["f0_hz"], 10 + 0.1 * np.arange(11))
    assert partials(10, 10.95, step_hz=0.1).coordinates["f0_hz"].max() < 10.95


@SETTINGS
@given(st.floats(-120, 0))
def test_level_is_rms_re_full_scale_sine(level):
    tone = partials_at([1000.0], level_dbfs=level)
    assert level_dbfs(tone.render(24_000, 24_000)[0]) == pytest.approx(level, abs=1e-4)


def test_levels_cross_frequencies_with_frequency_slowest():
    tones = partials_at([100.0, 200.0], level_dbfs=[-40.0, -20.0, 0.0])
    assert tones.coordinates["f0_hz"].tolist() == [100] * 3 + [200] * 3
    assert tones.coordinates["level_dbfs"].tolist() == [-40, -20, 0] * 2
    np.testing.assert_allclose(tones.columns["amplitude"], [0.01, 0.1, 1.0] * 2)


def test_coordinates_say_what_is_played():
    tones = partials_at([440.0, 880.0], phase_rad=0.5)
    assert {name: values.tolist() for name, values in tones.coordinates.items()} == {
        "kind": ["partial"] * 2,
        "f0_hz": [440, 880],
        "midi": [69, 81],
        "n_partials": [1, 1],
        "level_dbfs": [-20, -20],
    }
    np.testing.assert_allclose(tones.render(24_000, 1), 0.1 * np.sin(0.5))


@SETTINGS
@given(
    st.lists(st.floats(1, 20_000), min_size=1, max_size=20),
    st.integers(3, 5000),
    st.sampled_from([8000, 22_050, 24_000, 48_000]),
)
def test_snapped_tones_are_coherent_and_near(requested, n_samples, rate):
    tones = partials_at(requested, snap=Snap(n_samples, rate))
    got, asked = tones.coordinates["f0_hz"], tones.coordinates["requested_hz"]
    cycles = got * n_samples / rate
    np.testing.assert_allclose(cycles, np.rint(cycles), rtol=1e-12)
    assert len(set(np.rint(cycles))) == len(got)
    assert ((cycles >= 1 - 1e-9) & (got < rate / 2)).all()
    playable = (asked >= rate / n_samples) & (asked <= rate * ((n_samples - 1) // 2) / n_samples)
    assert (np.abs(got - asked)[playable] <= rate / n_samples / 2 * (1 + 1e-9)).all()
    assert set(asked) <= set(requested)
    np.testing.assert_array_equal(tones.columns["frequency_hz"], got)


def test_snapped_tones_hold_no_power_outside_their_bin():
    n_samples, rate = 960, 24_000
    tones = partials(100, 11_000, count=20, snap=Snap(n_samples, rate), level_dbfs=[-20.0, -6.0])
    spectrum = np.abs(np.fft.rfft(tones.render(rate, n_samples).astype(np.float64)))
    own = np.rint(tones.coordinates["f0_hz"] * n_samples / rate).astype(int)
    inside = spectrum[np.arange(len(tones)), own]
    np.testing.assert_allclose(inside, tones.columns["amplitude"] * n_samples / 2, rtol=1e-6)
    spectrum[np.arange(len(tones)), own] = 0
    assert (spectrum.max(axis=1) < 1e-6 * inside).all()
    assert len(tones.coordinates["requested_hz"]) == len(tones)


@SETTINGS
@given(st.floats(0, 127))
def test_midi_and_hertz_are_inverse(midi):
    assert hz_to_midi(midi_to_hz(midi)) == pytest.approx(midi, abs=1e-9)


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({"low_hz": 0, "high_hz": 100, "count": 3}, "low_hz 0"),
        ({"low_hz": -5, "high_hz": 100, "count": 3}, "low_hz -5"),
        ({"low_hz": float("nan"), "high_hz": 100, "count": 3}, "low_hz nan"),
        ({"low_hz": 10, "high_hz": float("inf"), "count": 3}, "high_hz inf"),
        ({"low_hz": 100, "high_hz": 100, "count": 3}, "low_hz 100"),
        ({"low_hz": 200, "high_hz": 100, "count": 3}, "low_hz 200"),
        ({"low_hz": 10, "high_hz": 100}, "not 0"),
        ({"low_hz": 10, "high_hz": 100, "count": 3, "per_octave": 3}, "not 2"),
        ({"low_hz": 10, "high_hz": 100, "count": 0}, "count 0.*empty"),
        ({"low_hz": 10, "high_hz": 100, "step_hz": 1e-12}, "step_hz 1e-12: the grid would hold over"),
        ({"low_hz": 10, "high_hz": 100, "count": 3, "level_dbfs": 1e5}, "level 100000.0 dBFS"),
        ({"low_hz": 10, "high_hz": 100, "count": 2.5}, "count 2.5"),
        ({"low_hz": 10, "high_hz": 100, "per_octave": -1}, "per_octave -1"),
        ({"low_hz": 10, "high_hz": 100, "step_hz": float("nan")}, "step_hz nan"),
        ({"low_hz": 10, "high_hz": 100, "count": 3, "spacing": "mel"}, "spacing 'mel'"),
        ({"low_hz": 10, "high_hz": 100, "count": 3, "level_dbfs": float("nan")}, "level nan"),
        ({"low_hz": 10, "high_hz": 100, "count": 3, "level_dbfs": []}, "empty"),
        ({"low_hz": 10, "high_hz": 100, "count": 3, "phase_rad": float("nan")}, "phase nan"),
    ],
)
def test_refuses_unusable_grids_in_one_line(arguments, named):
    with pytest.raises(InputError, match=named) as caught:
        partials(**arguments)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("frequency", [0.0, -1.0, np.nan, np.inf])
def test_refuses_unusable_frequencies(frequency):
    with pytest.raises(InputError, match=f"frequency {frequency} Hz"):
        partials_at([440.0, frequency])


def test_refuses_no_frequency_and_impossible_snaps():
    with pytest.raises(InputError, match="empty"):
        partials_at([])
    with pytest.raises(InputError, match="snap to 2 samples"):
        Snap(2, 24_000)
    with pytest.raises(InputError, match="sample rate 0"):
        Snap(100, 0)
