import math

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st

from tonotopy.synth import (
    InputError,
    Noise,
    OtherPartials,
    Partial,
    RecordingSlice,
    StimulusSet,
    level_dbfs,
    other_pitches,
    partials,
    recording_slices,
)

RATE = 24_000


def rms(waveform):
    return math.sqrt(np.mean(np.square(waveform, dtype=np.float64)))


@pytest.fixture
def take(tmp_path):
    """A recording of 3 s at 24 kHz: 1 s each of 200 Hz, 400 Hz and silence."""
    n = np.arange(RATE)
    tones = [0.5 * np.sin(2 * np.pi * f * n / RATE) for f in (200, 400)]
    path = tmp_path / "take.wav"
    soundfile.write(path, np.concatenate([*tones, np.zeros(RATE)]), RATE, subtype="FLOAT")
    return path


@settings(derandomize=True, deadline=None, max_examples=40)
@given(st.sampled_from(["white", "pink"]), st.floats(-40, 60), st.integers(0, 99), st.floats(1e-3, 1))
def test_noise_has_the_ratio_asked_for(colour, snr_db, seed, component_rms):
    noise = Noise(colour, snr_db, seed).render(6000, RATE, component_rms)
    assert noise.dtype == np.float32
    assert 20 * math.log10(component_rms / rms(noise)) == pytest.approx(snr_db, abs=1e-4)


def test_noise_depends_on_its_seed_alone():
    tones = partials(100, 1000, count=3).in_contexts([Noise("pink", 0.0, 4)])
    noise = tones.render(RATE, 6000) - partials(100, 1000, count=3).render(RATE, 6000)
    np.testing.assert_allclose(noise, np.tile(noise[0], (3, 1)), atol=1e-6)
    other = Noise("pink", 0.0, 5).render(6000, RATE, float(tones.rms[0]))
    assert abs(np.corrcoef(noise[0], other)[0, 1]) < 0.2


@pytest.mark.parametrize(("colour", "slope_db"), [("white", 0.0), ("pink", -3.01)])
def test_noise_has_its_colour(colour, slope_db):
    noise = Noise(colour, 0.0, 1).render(1 << 19, RATE, 1.0)
    power = np.abs(np.fft.rfft(noise.astype(np.float64))) ** 2
    frequency = np.fft.rfftfreq(len(noise), 1 / RATE)
    octaves = 40 * 2.0 ** np.arange(9)
    levels = [10 * np.log10(power[(frequency >= lo) & (frequency < 2 * lo)].mean()) for lo in octaves[:-1]]
    # An octave of 40 Hz holds 874 bins: its level is uncertain by 0.15 dB, the slope over 8 by far less.
    assert np.polyfit(np.arange(len(levels)), levels, 1)[0] == pytest.approx(slope_db, abs=0.06)
    if colour == "pink":
        assert power[frequency < 19.9].max() < 1e-9 * power.max()


def test_other_pitches_keep_their_own_level():
    company = other_pitches([48, 55], "sine", level_dbfs=-30.0)
    assert company.label == "sine 48 55 -30 dBFS"
    loud, soft = (company.render(48_000, 48_000.0, r) for r in (1.0, 0.001))
    np.testing.assert_array_equal(loud, soft)
    assert level_dbfs(loud) == pytest.approx(-30 + 10 * math.log10(2), abs=0.02)


def test_other_partials_above_nyquist_raise():
    tones = partials(100, 1000, count=2).in_contexts([OtherPartials((Partial(13_000.0),), "whistle")])
    with pytest.raises(InputError, match="13000 Hz"):
        tones.render(RATE, 10)


def test_recording_plays_its_part_at_its_level(take):
    part = RecordingSlice(take, 1.0).render(RATE // 2, RATE, 0.0)
    np.testing.assert_allclose(part, 0.5 * np.sin(2 * np.pi * 400 * np.arange(RATE // 2) / RATE), atol=1e-6)
    assert level_dbfs(RecordingSlice(take, 0.0, level_dbfs=-33.0).render(RATE, RATE, 0.5)) == pytest.approx(
        -33.0
    )
    assert rms(RecordingSlice(take, 0.0, snr_db=20.0).render(RATE, RATE, 0.5)) == pytest.approx(
        0.05, rel=1e-5
    )


def test_recording_is_specified_by_its_content(take, tmp_path):
    copy = tmp_path / "elsewhere" / "take.wav"
    copy.parent.mkdir()
    copy.write_bytes(take.read_bytes())
    tones = partials(100, 1000, count=2)
    hashes = {tones.in_contexts([RecordingSlice(path)]).sha256 for path in (take, copy)}
    assert len(hashes) == 1
    assert tones.in_contexts([RecordingSlice(take, 0.5)]).sha256 not in hashes


def test_recording_that_changed_does_not_play(take):
    part = RecordingSlice(take)
    soundfile.write(take, np.ones(100), RATE)
    with pytest.raises(InputError, match="has changed"):
        part.render(50, RATE, 1.0)


def test_silent_part_cannot_be_brought_to_a_level(take):
    assert not RecordingSlice(take, 2.0).render(RATE, RATE, 1.0).any()
    for part in (RecordingSlice(take, 2.0, snr_db=0.0), RecordingSlice(take, 2.0, level_dbfs=-20.0)):
        with pytest.raises(InputError, match="silent from 2 s on"):
            part.render(RATE, RATE, 1.0)


def test_recordings_as_the_stimulus(take):
    rows = recording_slices(take.parent, seconds=0.5, per_file=2)
    assert {name: values.tolist() for name, values in rows.coordinates.items()} == {
        "kind": ["recording"] * 2,
        "recording": ["take.wav"] * 2,
        "title": ["take"] * 2,
        "start_s": [0.625, 1.875],
    }
    assert rows.rms.tolist() == [0, 0]
    waveforms = rows.render(RATE, RATE // 2)
    take_samples = soundfile.read(take, dtype="float32")[0]
    np.testing.assert_array_equal(waveforms[0], take_samples[15_000:27_000])
    np.testing.assert_array_equal(rows[1:].render(RATE, RATE // 2)[0], take_samples[45_000:57_000])
    turned = rows.with_phases(2)
    np.testing.assert_array_equal(turned.render(RATE, RATE // 2)[::2], waveforms)
    assert len(rows.below_nyquist(100.0, "drop")) == 2


def test_real_recordings_as_the_stimulus(audio):
    rows = recording_slices(audio, seconds=0.25)
    waveforms = rows.render(22_050, 22_050 // 4)
    assert len(rows) == 5
    assert np.isfinite(waveforms).all()
    assert all(-60 < level_dbfs(waveform) < 3 for waveform in waveforms)


@pytest.mark.parametrize(
    ("make", "named"),
    [
        (lambda take: Noise("brown"), "noise colour 'brown'"),  # type: ignore[arg-type]
        (lambda take: Noise(snr_db=math.nan), "SNR nan dB"),
        (lambda take: Noise(seed=-1), "seed -1"),
        (lambda take: Noise().render(10, RATE, 0.0), "stimulus is silent"),
        (lambda take: Noise("pink").render(1, RATE, 1.0), "too short"),
        (lambda take: OtherPartials((), "none"), "holds no partial"),
        (lambda take: RecordingSlice(take, -1.0), "start_s -1.0"),
        (lambda take: RecordingSlice(take, snr_db=math.nan), "snr_db nan"),
        (lambda take: RecordingSlice(take, snr_db=1.0, level_dbfs=1.0), "not both"),
        (lambda take: RecordingSlice(take.parent / "none.wav"), "no such file"),
        (lambda take: RecordingSlice(take, 2.5).render(RATE, RATE, 1.0), "lasts 3.000 s, cannot play 2.5"),
        (lambda take: RecordingSlice(take, snr_db=0.0).render(RATE, RATE, 0.0), "stimulus is silent"),
        (lambda take: recording_slices(take.parent, seconds=4.0), "lasts 3.000 s, shorter than 4 s"),
        (lambda take: recording_slices(take.parent, seconds=0.0), "seconds 0.0"),
        (lambda take: recording_slices(take.parent, per_file=0), "per_file 0"),
    ],
)
def test_refuses_unusable_company_in_one_line(make, named, take):
    with pytest.raises(InputError, match=named) as caught:
        make(take)
    assert "\n" not in str(caught.value)


def test_nothing_but_finite_samples_leaves():
    everything = partials(100, 1000, count=3).in_contexts(
        [None, Noise("white", 100.0), Noise("pink", -40.0), other_pitches(60)]
    )
    assert isinstance(everything, StimulusSet)
    assert np.isfinite(everything.render(RATE, 5000)).all()
