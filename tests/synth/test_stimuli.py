import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tonotopy.synth import (
    InputError,
    Noise,
    OtherPartials,
    Partial,
    Stimulus,
    StimulusSet,
    partials,
    pitches,
)

SETTINGS = settings(derandomize=True, deadline=None, max_examples=40)
RATE = 24_000

partial = st.builds(
    Partial,
    frequency_hz=st.floats(20, 11_000),
    amplitude=st.floats(0.001, 0.2),
    phase_rad=st.floats(-7, 7),
    onset_s=st.floats(0, 0.01),
    ramp_s=st.floats(0, 0.01),
)
context = st.sampled_from([None, Noise("white", 6.0, 1), OtherPartials((Partial(300.0, 0.1),), "hum")])
rows = st.lists(
    st.builds(
        Stimulus,
        st.lists(partial, min_size=1, max_size=4).map(tuple),
        context,
        st.fixed_dictionaries({"f0_hz": st.floats(20, 11_000), "kind": st.sampled_from(["a", "bcd"])}),
    ),
    min_size=1,
    max_size=6,
)


@SETTINGS
@given(rows, st.randoms(use_true_random=False))
def test_rows_permute(stimuli, random):
    order = list(range(len(stimuli)))
    random.shuffle(order)
    whole = StimulusSet.of(stimuli)
    permuted = StimulusSet.of([stimuli[i] for i in order])
    np.testing.assert_array_equal(whole.render(RATE, 500)[order], permuted.render(RATE, 500))
    np.testing.assert_array_equal(whole[order].render(RATE, 500), permuted.render(RATE, 500))
    assert whole[order].sha256 == permuted.sha256


@SETTINGS
@given(rows, st.integers(0, 5), st.integers(1, 6))
def test_slices_equal_the_whole(stimuli, start, length):
    whole = StimulusSet.of(stimuli)
    start = min(start, len(whole) - 1)
    part = whole[start : start + length]
    np.testing.assert_array_equal(part.render(RATE, 400), whole.render(RATE, 400)[start : start + length])
    np.testing.assert_allclose(part.rms, whole.rms[start : start + length], rtol=1e-15)


@SETTINGS
@given(rows)
def test_rows_come_back_as_they_went_in(stimuli):
    whole = StimulusSet.of(stimuli)
    assert [whole.stimulus(i) for i in range(len(whole))] == stimuli


@SETTINGS
@given(rows)
def test_same_specification_has_the_same_hash(stimuli):
    assert (
        StimulusSet.of(stimuli).sha256
        == StimulusSet.of(list(stimuli)).sha256
        == StimulusSet.of(stimuli)[:].sha256
    )


CHANGES = {
    "frequency": lambda s: dataclasses.replace(s, partials=(Partial(441.0, 0.1), *s.partials[1:])),
    "amplitude": lambda s: dataclasses.replace(s, partials=(Partial(440.0, 0.11), *s.partials[1:])),
    "phase": lambda s: dataclasses.replace(s, partials=(Partial(440.0, 0.1, 1e-12), *s.partials[1:])),
    "onset": lambda s: dataclasses.replace(s, partials=(Partial(440.0, 0.1, onset_s=0.1), *s.partials[1:])),
    "offset": lambda s: dataclasses.replace(s, partials=(Partial(440.0, 0.1, offset_s=9.0), *s.partials[1:])),
    "ramp": lambda s: dataclasses.replace(s, partials=(Partial(440.0, 0.1, ramp_s=0.1), *s.partials[1:])),
    "one partial fewer": lambda s: dataclasses.replace(s, partials=s.partials[:1]),
    "coordinate value": lambda s: dataclasses.replace(s, coordinates={"f0_hz": 1.0}),
    "coordinate name": lambda s: dataclasses.replace(s, coordinates={"f1_hz": 440.0}),
    "context": lambda s: dataclasses.replace(s, context=Noise("white", 6.0, 1)),
    "another context": lambda s: dataclasses.replace(s, context=Noise("white", 6.0, 2)),
}


def test_any_change_of_the_specification_changes_the_hash():
    base = Stimulus((Partial(440.0, 0.1), Partial(880.0, 0.1)), None, {"f0_hz": 440.0})
    hashes = {name: StimulusSet.of([change(base)]).sha256 for name, change in CHANGES.items()}
    hashes["none"] = StimulusSet.of([base]).sha256
    hashes["partials split over two rows"] = StimulusSet.of(
        [Stimulus((p,), None, base.coordinates) for p in base.partials]
    ).sha256
    assert len(set(hashes.values())) == len(hashes)


def test_contexts_that_no_row_plays_do_not_change_the_hash():
    tones = partials(100, 1000, count=3).in_contexts([Noise(seed=1), Noise(seed=2)])
    second = tones[np.flatnonzero(tones.coordinates["context"] == Noise(seed=2).label)]
    assert second.sha256 == partials(100, 1000, count=3).in_contexts([Noise(seed=2)]).sha256


@SETTINGS
@given(rows, st.integers(1, 9))
def test_phases_are_equally_spaced(stimuli, count):
    whole = StimulusSet.of(stimuli)
    turned = whole.with_phases(count)
    assert len(turned) == count * len(whole)
    np.testing.assert_array_equal(turned.coordinates["phase_index"], np.tile(np.arange(count), len(whole)))
    for row in range(len(whole)):
        own = whole.stimulus(row).partials
        for k in range(count):
            moved = turned.stimulus(row * count + k).partials
            steps = [b.phase_rad - a.phase_rad for a, b in zip(own, moved, strict=True)]
            expected = [2 * np.pi * (j * k % count) / count for j in range(1, len(own) + 1)]
            np.testing.assert_allclose(steps, expected, atol=1e-14)


@pytest.mark.parametrize("f0_hz", [100.0, 100.3])
def test_beats_average_out_in_every_sample(f0_hz):
    """Of partials that lie close, and of harmonics: P of them need 2 P + 1 phases, and 2 P are too few."""
    frequency = [f0_hz, f0_hz + 1, f0_hz + 2, 2 * f0_hz]
    amplitude = [0.4, 0.3, 0.2, 0.1]
    sound = StimulusSet.of([Stimulus(tuple(map(Partial, frequency, amplitude)))])
    exact = np.sum(np.square(amplitude)) / 2
    power = [np.mean(sound.with_phases(k).render(RATE, 500).astype(np.float64) ** 2, axis=0) for k in (9, 8)]
    np.testing.assert_allclose(power[0], exact, atol=1e-6)
    assert np.abs(power[1] - exact).max() > 1e-3


@pytest.mark.parametrize("count", [3, 4, 8])
def test_power_averaged_over_phases_is_exact_in_every_sample(count):
    tone = partials(613.0, 613.0, count=1, level_dbfs=0.0)
    power = np.mean(tone.with_phases(count).render(RATE, 300).astype(np.float64) ** 2, axis=0)
    np.testing.assert_allclose(power, 0.5, atol=1e-6)


@SETTINGS
@given(st.lists(st.floats(20, 11_000), min_size=1, max_size=5), st.integers(0, 3))
def test_a_component_keeps_its_amplitude_in_company(frequencies, seed):
    alone = StimulusSet.of([Stimulus(tuple(Partial(f, 0.05) for f in frequencies))])
    company = [
        None,
        Noise("white", 3.0, seed),
        Noise("pink", -6.0, seed),
        OtherPartials((Partial(99.0, 0.3),), "hum"),
    ]
    mixed = alone.in_contexts(company)
    number = f" #{seed}" if seed else ""
    labels = ["silence", f"white noise 3 dB{number}", f"pink noise -6 dB{number}", "hum"]
    assert mixed.coordinates["context"].tolist() == labels
    isolated = alone.render(RATE, 2400)[0]
    for waveform, other in zip(mixed.render(RATE, 2400), company, strict=True):
        heard = np.zeros(2400, np.float32) if other is None else other.render(2400, RATE, float(alone.rms[0]))
        rounding = 2 * np.finfo(np.float32).eps * max(np.abs(waveform).max(), np.abs(heard).max())
        assert np.abs(waveform - heard - isolated).max() <= rounding


def test_rms_is_measured_power():
    notes = pitches(midi=[45, 69], timbres=["saw", "square"])
    waveforms = notes.render(48_000, 480_000).astype(np.float64)
    np.testing.assert_allclose(np.sqrt((waveforms**2).mean(axis=1)), notes.rms, rtol=1e-4)


def test_nyquist_raises_and_names_the_frequency():
    with pytest.raises(
        InputError, match=r"frequency 12000 Hz: must lie below the Nyquist frequency 12000 Hz"
    ):
        partials(6000, 12_000, count=2).render(RATE, 10)


def test_dropping_above_nyquist_is_recorded():
    notes = pitches(f0_hz=[1000.0, 5000.0, 12_500.0], timbres="saw").below_nyquist(RATE, "drop")
    assert notes.coordinates["f0_hz"].tolist() == [1000.0, 5000.0]
    assert notes.coordinates["n_dropped"].tolist() == [0, 8]
    assert np.diff(notes.first).tolist() == [10, 2]
    assert notes.render(RATE, 10).shape == (2, 10)


def test_rows_without_partials_stay_when_others_are_dropped():
    silent = Stimulus((), OtherPartials((Partial(99.0, 0.3),), "hum"))
    mixed = StimulusSet.of(
        [silent, Stimulus((Partial(13_000.0),)), silent, Stimulus((Partial(100.0, 0.5),)), silent]
    )
    np.testing.assert_allclose(mixed.rms, [0, 0.5**0.5, 0, 0.5 * 0.5**0.5, 0])
    kept = mixed.below_nyquist(RATE, "drop")
    assert np.diff(kept.first).tolist() == [0, 0, 1, 0]
    turned = kept.with_phases(3)
    assert np.diff(turned.first).tolist() == [0] * 6 + [1] * 3 + [0] * 3
    np.testing.assert_array_equal(turned[0:1].render(RATE, 50), kept[0:1].render(RATE, 50))


@pytest.mark.parametrize(
    ("partial", "named"),
    [
        (Partial(0.0), "frequency 0.0 Hz"),
        (Partial(-1.0), "frequency -1.0 Hz"),
        (Partial(np.nan), "frequency nan Hz"),
        (Partial(np.inf), "frequency inf Hz"),
        (Partial(1.0, np.nan), "amplitude nan"),
        (Partial(1.0, 1e39), "amplitude 1e\\+39"),
        (Partial(1.0, 1.0, np.inf), "phase_rad inf"),
        (Partial(1.0, onset_s=np.nan), "onset_s nan"),
        (Partial(1.0, offset_s=np.nan), "offset_s nan"),
        (Partial(1.0, ramp_s=-1.0), "ramp_s -1.0"),
    ],
)
def test_refuses_unusable_numbers(partial, named):
    with pytest.raises(InputError, match=named):
        StimulusSet.of([Stimulus((partial,))])


class Broken:
    label = "broken"

    def render(self, n_samples, sample_rate, component_rms):
        return np.full(n_samples, np.nan, np.float32)


def test_a_context_that_is_not_finite_is_named():
    with pytest.raises(InputError, match="context 'broken': its waveform holds NaN"):
        partials(100, 1000, count=2).in_contexts([None, Broken()]).render(RATE, 10)


def test_refuses_what_cannot_be_a_set():
    tone = Stimulus((Partial(440.0),), coordinates={"f0_hz": 440.0})
    with pytest.raises(InputError, match="empty"):
        StimulusSet.of([])
    with pytest.raises(InputError, match="coordinate f0_hz"):
        StimulusSet.of([tone, Stimulus((Partial(440.0),))])
    one = StimulusSet.of([tone])
    with pytest.raises(InputError, match="phases 0"):
        one.with_phases(0)
    with pytest.raises(InputError, match="different labels"):
        one.in_contexts([Noise(), Noise()])
    with pytest.raises(InputError, match="already has contexts"):
        one.in_contexts([Noise()]).in_contexts([Noise()])
    with pytest.raises(InputError, match="above_nyquist 'ignore'"):
        one.below_nyquist(RATE, "ignore")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="sample rate nan"):
        one.render(float("nan"), 10)
