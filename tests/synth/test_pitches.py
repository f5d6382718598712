import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tonotopy.synth import TIMBRES, InputError, Timbre, level_dbfs, pitches

SETTINGS = settings(derandomize=True, deadline=None, max_examples=60)


def parts(timbre, f0_hz=100.0, level=-20.0, **options):
    note = timbre.note(f0_hz, level, **options)
    return np.array([p.frequency_hz for p in note]), np.array([p.amplitude for p in note])


@SETTINGS
@given(
    st.builds(
        Timbre,
        st.integers(1, 40),
        st.floats(-24, 12),
        st.booleans(),
        st.booleans(),
        st.sampled_from([0.0, 1e-4, 1e-2]),
    ),
    st.floats(20, 2000),
    st.floats(-60, 0),
)
def test_level_is_rms_of_the_whole_note(timbre, f0_hz, level):
    _, amplitude = parts(timbre, f0_hz, level)
    assert len(amplitude) == timbre.n_partials
    assert 20 * np.log10(np.sqrt(np.sum(amplitude**2))) == pytest.approx(level, abs=1e-9)


def test_rendered_notes_have_the_level_asked_for():
    notes = pitches(midi=[40, 57], timbres=list(TIMBRES), level_dbfs=-23.0)
    for waveform in notes.render(96_000, 960_000):
        assert level_dbfs(waveform) == pytest.approx(-23.0, abs=0.01)


@SETTINGS
@given(st.floats(-24, 12))
def test_slope_is_per_octave(slope):
    _, amplitude = parts(Timbre(8, slope))
    assert 20 * np.log10(amplitude[[1, 3, 7]] / amplitude[0]) == pytest.approx(
        slope * np.array([1, 2, 3]), abs=1e-9
    )


def test_odd_only_and_missing_fundamental_choose_the_harmonics():
    assert parts(Timbre(4, odd_only=True))[0] == pytest.approx([100, 300, 500, 700])
    assert parts(Timbre(4, missing_fundamental=True))[0] == pytest.approx([200, 300, 400, 500])
    assert parts(Timbre(3, odd_only=True, missing_fundamental=True))[0] == pytest.approx([300, 500, 700])


def test_inharmonic_partials_are_a_stiff_strings():
    b = 1e-3
    frequency, _ = parts(Timbre(5, inharmonicity=b))
    k = np.arange(1, 6)
    assert frequency[0] == pytest.approx(100.0, rel=1e-15)
    assert (frequency / k) ** 2 == pytest.approx(1e4 * (1 + b * k**2) / (1 + b), rel=1e-12)


def test_schroeder_phases_lower_the_crest_factor():
    timbre = Timbre(20, 0.0)
    note = pitches(f0_hz=100.0, timbres=timbre)
    peak = np.abs(note.render(48_000, 4800)).max()
    in_phase = note.columns["amplitude"].sum()  # the peak of as many cosines
    assert peak < 0.45 * in_phase
    assert peak / note.rms[0] < 2.0  # a sine's is 1.41, that of 20 cosines 6.3


def test_max_hz_leaves_partials_out_and_keeps_the_level():
    notes = pitches(f0_hz=[200.0, 2000.0], timbres="saw", max_hz=4000.0)
    assert notes.coordinates["n_partials"].tolist() == [10, 2]
    assert notes.columns["frequency_hz"].max() == 4000.0
    np.testing.assert_allclose(notes.rms, 0.1 * 0.5**0.5)


def test_fundamentals_cross_timbres_with_fundamental_slowest():
    soft = Timbre(2, -40.0, name="soft")
    notes = pitches(midi=[57, 69.5], timbres=["square", soft])
    known = {name: values.tolist() for name, values in notes.coordinates.items()}
    assert known.pop("f0_hz") == pytest.approx([220, 220, 440 * 2 ** (0.5 / 12), 440 * 2 ** (0.5 / 12)])
    assert known.pop("midi") == pytest.approx([57, 57, 69.5, 69.5])
    assert known == {
        "kind": ["pitch"] * 4,
        "timbre": ["square", "soft"] * 2,
        "n_partials": [10, 2] * 2,
        "level_dbfs": [-20.0] * 4,
    }


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({}, "exactly one of f0_hz and midi"),
        ({"f0_hz": 100.0, "midi": 60}, "exactly one of f0_hz and midi"),
        ({"midi": []}, "empty"),
        ({"f0_hz": -100.0}, "f0 -100.0 Hz"),
        ({"midi": float("nan")}, "f0 nan Hz"),
        ({"midi": 60, "timbres": "kazoo"}, "timbre 'kazoo'.*known are sine"),
        ({"midi": 60, "timbres": [Timbre(1), Timbre(2)]}, "different names"),
        ({"midi": 60, "level_dbfs": float("inf")}, "level inf"),
        ({"midi": 60, "max_hz": 100.0}, "no partial lies at or below max_hz 100"),
        ({"midi": 60, "max_hz": float("nan")}, "max_hz nan"),
    ],
)
def test_refuses_unusable_notes(arguments, named):
    with pytest.raises(InputError, match=named):
        pitches(**arguments)


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ({"n_partials": 0}, "n_partials 0"),
        ({"slope_db_per_octave": float("nan")}, "nan dB/octave"),
        ({"inharmonicity": -1e-3}, "inharmonicity -0.001"),
    ],
)
def test_refuses_unusable_timbres(arguments, named):
    with pytest.raises(InputError, match=named):
        Timbre(**arguments)
