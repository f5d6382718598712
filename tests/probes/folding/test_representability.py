from dataclasses import replace

import numpy as np
import pytest
import soundfile
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from tonotopy.encoders import load
from tonotopy.encoders.base import Stage
from tonotopy.probes.engine.session import Session
from tonotopy.probes.folding.folding import fold, fold_plan, one_channel_recovery
from tonotopy.probes.folding.representability import recovery, representability
from tonotopy.probes.folding.signals import demodulated, draws_of, representability_signals, spectral_peaks
from tonotopy.probes.statistics.agreement import agreement, alike, partial_rank_correlation
from tonotopy.probes.statistics.ridge import gram, held_out_predictions, ridge
from tonotopy.synth import InputError, Partial, Stimulus, StimulusSet, pitches
from tonotopy.synth.partials import partials_at

from ..conftest import encoder_of

RATE = 24_000
FRAME_RATE = 75.0
FREQUENCIES = st.lists(st.floats(20.0, 11_900.0), min_size=1, max_size=8)


def signals_of(*partial_lists, kind="test"):
    rows = [
        Stimulus(tuple(Partial(*p) for p in one), coordinates={"signal_kind": kind}) for one in partial_lists
    ]
    return StimulusSet.of(rows)


# fold_plan


@settings(derandomize=True, deadline=None)
@given(FREQUENCIES, st.integers(1, 1000), st.floats(1e-3, 100.0))
def test_fold_plan_holds_together(frequency, hop, resolution):
    amplitude = 1.0 + np.arange(len(frequency))
    plan = fold_plan(frequency, amplitude, RATE, [1, hop], resolution)
    np.testing.assert_allclose(plan.fold_hz[0], frequency)  # a stride of 1 folds nothing
    np.testing.assert_allclose(
        plan.fold_hz[1], fold(np.array(frequency) + 3 * RATE / hop, RATE / hop), atol=1e-6
    )
    assert plan.in_band[0] == pytest.approx(1.0)
    assert ((plan.clear > 0) & (plan.clear <= 1 + 1e-12)).all()
    for folds, clear, group in zip(plan.fold_hz, plan.clear, plan.group, strict=True):
        order = np.argsort(folds)
        np.testing.assert_array_equal(np.diff(group[order]) > 0, np.diff(folds[order]) > resolution)
        alone = np.bincount(group)[group] == 1
        np.testing.assert_allclose(clear[alone], 1.0)


def test_fold_plan_of_known_collisions():
    f = 10.0
    plan = fold_plan([f, FRAME_RATE - f, 5 * FRAME_RATE + f, 20.0], [1, 2, 3, 1], RATE, [320], 1e-6)
    np.testing.assert_allclose(plan.fold_hz, [[f, f, f, 20.0]])
    np.testing.assert_allclose(plan.clear, [[1 / 14, 4 / 14, 9 / 14, 1.0]])
    np.testing.assert_array_equal(plan.group, [[0, 0, 0, 1]])
    np.testing.assert_allclose(plan.in_band, [2 / 15])  # 10 and 20 Hz lie below 37.5 Hz


def test_harmonics_of_half_the_frame_rate_all_fold_to_its_ends():
    harmonics = FRAME_RATE / 2 * np.arange(1, 9)
    plan = fold_plan(harmonics, np.ones(8), RATE, 320, 1e-6)
    np.testing.assert_allclose(plan.fold_hz[0], np.tile([37.5, 0.0], 4), atol=1e-9)
    np.testing.assert_allclose(plan.clear, 0.25)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (([], [], RATE, 320, 1.0), "frequency_hz of nothing"),
        (([-1.0], [1.0], RATE, 320, 1.0), r"frequency_hz -1\.0"),
        (([1.0], [np.nan], RATE, 320, 1.0), "amplitude nan"),
        (([1.0, 2.0], [1.0], RATE, 320, 1.0), "2 frequencies and 1 amplitudes"),
        (([1.0], [1.0], RATE, 0, 1.0), r"hops 0\.0"),
        (([1.0], [1.0], RATE, 320, 0.0), r"resolution_hz 0\.0"),
    ],
)
def test_fold_plan_refuses(arguments, said):
    with pytest.raises(InputError, match=said):
        fold_plan(*arguments)


@settings(derandomize=True, deadline=None)
@given(FREQUENCIES, st.integers(1, 24), st.floats(-10.0, 60.0))
def test_one_channel_tells_no_more_than_it_has_numbers(frequency, frames, snr_db):
    told = one_channel_recovery(frequency, np.ones(len(frequency)), FRAME_RATE, frames, snr_db)
    assert (told >= 0).all()
    assert (told <= 1 + 1e-9).all()
    assert 2 * told.sum() <= frames + 1e-9
    moved = one_channel_recovery(
        np.array(frequency) + 150.0, np.ones(len(frequency)), FRAME_RATE, frames, snr_db
    )
    np.testing.assert_allclose(moved, told, atol=1e-5)  # it cannot tell f from f + R


def test_one_channel_of_one_partial_has_a_closed_form():
    """Over whole half-cycles K has the eigenvalue a^2 F / 4 + s^2 twice."""
    told = one_channel_recovery(FRAME_RATE / 4, 0.3, FRAME_RATE, 16, snr_db=3.0)
    signal, noise = 16 / 4, 10**-0.3 / 2
    np.testing.assert_allclose(told, signal / (signal + noise))


# the readout


def test_ridge_without_a_penalty_is_least_squares():
    generator = np.random.default_rng(1)
    x, y = generator.standard_normal((40, 5)), generator.standard_normal((40, 2))
    fit = np.arange(40) < 30
    intercept = np.ones((40, 1))
    exact, *_ = np.linalg.lstsq(np.hstack([x, intercept])[fit], y[fit], rcond=None)
    [predicted] = ridge(gram(x), y, fit, ~fit, np.array([1e-12]))
    np.testing.assert_allclose(predicted, np.hstack([x, intercept])[~fit] @ exact, atol=1e-8)


def test_ridge_is_its_primal_closed_form():
    generator = np.random.default_rng(2)
    x, y = generator.standard_normal((40, 5)), generator.standard_normal((40, 2))
    fit = np.arange(40) < 30
    centred = x[fit] - x[fit].mean(0)
    penalty = 0.7 * np.trace(centred @ centred.T) / 30
    weights = np.linalg.solve(
        centred.T @ centred + penalty * np.eye(5), centred.T @ (y[fit] - y[fit].mean(0))
    )
    [predicted] = ridge(gram(x), y, fit, ~fit, np.array([0.7]))
    np.testing.assert_allclose(predicted, (x[~fit] - x[fit].mean(0)) @ weights + y[fit].mean(0))


def test_what_a_draw_has_in_common_does_not_leak():
    """Features that name the draw tell nothing of other draws; rows dealt out singly would leak."""
    generator = np.random.default_rng(3)
    groups = np.repeat(np.arange(24), 10)
    features = np.eye(24)[groups] + 0.01 * generator.standard_normal((240, 24))
    targets = generator.standard_normal((24, 4))[groups]
    explained = {
        name: 1
        - np.square(targets - held_out_predictions(features, targets, how)).sum() / np.square(targets).sum()
        for name, how in {"grouped": groups, "by row": np.arange(240)}.items()
    }
    assert explained["grouped"] < 0.05
    assert explained["by row"] > 0.9


def test_a_group_is_predicted_without_its_own_targets():
    generator = np.random.default_rng(6)
    groups = np.repeat(np.arange(8), 5)
    features, targets = generator.standard_normal((40, 60)), generator.standard_normal((40, 3))
    predicted = held_out_predictions(features, targets, groups)
    for group in range(8):
        own = groups == group
        changed = held_out_predictions(features, np.where(own[:, None], 100.0, targets), groups)
        np.testing.assert_array_equal(changed[own], predicted[own])


def test_too_few_groups_are_refused():
    with pytest.raises(InputError, match="3 groups of rows cannot be dealt out to 4 folds"):
        held_out_predictions(np.ones((6, 2)), np.ones((6, 1)), np.arange(6) // 2)


# agreement


def test_a_prediction_that_only_counts_parts_adds_nothing():
    generator = np.random.default_rng(4)
    parts = np.repeat([1, 2, 4, 8, 16], 8)
    measured = 1 / parts + 0.05 * generator.standard_normal(40)
    counting = agreement(-parts + 0.1 * generator.standard_normal(40), measured, parts)
    assert counting.correlation > 0.8
    assert counting.correlation_p == 0.001
    assert counting.density_correlation > 0.8
    assert counting.partial_correlation_p > 0.05
    knowing = agreement(measured + 0.02 * generator.standard_normal(40), measured, parts)
    assert knowing.partial_correlation_p < 0.01
    assert knowing.correlation_low < knowing.correlation < knowing.correlation_high


@pytest.mark.parametrize("seed", range(4))
def test_p_of_a_correlation_is_that_of_its_distribution(seed):
    from scipy.stats import spearmanr

    one, other = np.random.default_rng(seed).standard_normal((2, 30))
    found = agreement(one, other, np.ones(30))
    assert found.correlation_p == pytest.approx(spearmanr(one, other, alternative="greater")[1], abs=0.05)


def test_predictions_are_shuffled_among_items_of_as_many_parts_only():
    parts = np.repeat([1, 2, 4], 8)
    measured = np.random.default_rng(7).permutation(24) / 24
    by_parts = np.repeat([0.2, 0.9, 0.5], 8)  # so that no shuffle changes anything
    assert agreement(by_parts, measured, parts).partial_correlation_p == 1.0


def test_partial_correlation_is_that_of_residual_ranks():
    generator = np.random.default_rng(5)
    a, b, c = (generator.permutation(30).astype(float) for _ in range(3))
    left = [x - x.mean() - np.polyval(np.polyfit(c, x - x.mean(), 1), c) for x in (a, b)]
    assert float(partial_rank_correlation(a, b, c)) == pytest.approx(np.corrcoef(*left)[0, 1])


def test_no_order_is_said_and_not_invented():
    assert "predicted alike" in agreement(np.ones(9), np.arange(9.0), np.ones(9)).remark
    assert "3 items are too few" in agreement(np.arange(3.0), np.arange(3.0), np.ones(3)).remark
    same_number = agreement(np.arange(9.0), np.arange(9.0), np.full(9, 5))
    assert same_number.correlation == 1.0
    assert np.isnan(same_number.density_correlation)
    assert alike(np.array([1, 2, 3])).tolist() == [1, 1, 1]


# recordings


def test_a_recorded_partial_is_found_and_its_phase_too():
    time_s = np.arange(RATE) / RATE
    wave = 0.5 * np.cos(2 * np.pi * 440 * time_s + 1.0) + 0.1 * np.cos(2 * np.pi * 2_000 * time_s - 2.0)
    frequency, amplitude = spectral_peaks(wave[None], RATE)
    np.testing.assert_allclose(frequency, [440, 2_000])
    np.testing.assert_allclose(amplitude, [0.5, 0.1], rtol=1e-3)
    last = np.array([5_000, 12_345])
    heard = demodulated(wave[None], frequency, RATE, last)[0]
    exact = np.array([0.5, 0.1]) * np.exp(1j * (2 * np.pi * last[:, None] * frequency / RATE + [1.0, -2.0]))
    np.testing.assert_allclose(heard, exact, atol=5e-3)


# the probe, on controls


@pytest.fixture(scope="module")
def decimator():
    return load("control:decimator")


@pytest.fixture(scope="module")
def heard_by_the_decimator(decimator):
    return representability(Session(decimator))


@pytest.mark.parametrize("ratio", [1.0, 0.5])
def test_partials_that_share_a_fold_share_what_is_recovered(decimator, ratio):
    """a_p^2 / (a_p^2 + a_q^2) each; the third is by itself."""
    amplitude = 0.1 * np.array([1.0, ratio, 1.0])
    frequency = np.array([310.0, 440.0, 400.0])  # folds 10, 10 and 25 Hz
    signal = signals_of(zip(frequency, amplitude, strict=True))
    drawn = draws_of(signal, 0, 800, np.random.default_rng(0))
    features = decimator.run(torch.from_numpy(drawn.render(RATE, 16 * 320)), ["first_layer"])["first_layer"]
    phase = drawn.columns["phase_rad"].reshape(800, 3)
    recovered = recovery(
        features.flatten(1).numpy(), np.hstack([np.cos(phase), np.sin(phase)]), np.arange(800)
    )
    exact = [1 / (1 + ratio**2), ratio**2 / (1 + ratio**2), 1.0]
    np.testing.assert_allclose(recovered, exact, atol=0.05)
    np.testing.assert_allclose(fold_plan(frequency, amplitude, RATE, 320, 4.7).clear[0], exact)
    np.testing.assert_allclose(
        one_channel_recovery(frequency, amplitude, FRAME_RATE, 16, 30.0), exact, atol=0.01
    )


def test_partials_of_different_folds_are_recovered(decimator):
    result = representability(Session(decimator), signals_of([(310.0, 0.1), (400.0, 0.05)], [(1_000.0, 0.1)]))
    assert (result.recovered > 0.95).all()


def test_the_decimator_does_what_its_stride_predicts(heard_by_the_decimator):
    one = heard_by_the_decimator.isel(stage=0)
    assert float(one.correlation) > 0.9
    assert float(one.correlation_low) > 0.8
    assert float(one.correlation_p) == 0.001
    assert float(one.partial_correlation_p) < 0.01
    silent = one.signal_kind != "noisy"  # the noise is not part of the prediction
    assert float(np.abs(one.predicted - one.recovered)[silent].mean()) < 0.05


def test_the_stft_recovers_what_folds(decimator):
    """Folding alone is not loss."""
    stft = load("filterbank:stft")
    kinds = [[(1_000.0, 0.1)], [(310.0, 0.1), (440.0, 0.1)]]
    notes = pitches(f0_hz=[220.0, 440.0], timbres=["saw", "square"])
    rows = [notes.stimulus(i) for i in range(len(notes))]
    rows = [replace(row, coordinates={"signal_kind": "pitch"}) for row in rows]
    known = signals_of(*kinds)
    signals = StimulusSet.of([*(known.stimulus(i) for i in range(len(known))), *rows])
    result = representability(Session(stft), signals)
    assert (result.recovered > 0.98).all()
    assert float(result.predicted.min()) < 0.8
    assert np.isnan(result.correlation[0])
    assert "measured alike" in str(result.remark[0].item())


def test_an_encoder_that_ignores_its_input_recovers_nothing():
    class Deaf(nn.Module):
        def forward(self, x):  # [B, T] -> noise [B, 3, F], other in each draw
            return torch.rand(
                (len(x), 3, x.shape[-1] // 100), generator=torch.Generator().manual_seed(len(x))
            )

    deaf = encoder_of(
        Deaf(), [Stage("first_layer", 3, 100, 100, 99)], {"first_layer": ""}, prepare=lambda x: x
    )
    recovered = representability(
        Session(deaf), signals_of(*([(f, 0.1)] for f in np.geomspace(100, 5_000, 20)))
    ).recovered
    assert float(recovered.mean()) < 0.02
    assert float(recovered.max()) < 0.15


def test_a_seed_repeats_and_tiles_do_not_matter(decimator, heard_by_the_decimator):
    signals = representability_signals(RATE)[::8]
    one, again, tiled = (
        representability(Session(decimator, tile_seconds=seconds), signals) for seconds in (8.0, 8.0, 0.5)
    )
    np.testing.assert_array_equal(one.recovered, again.recovered)
    np.testing.assert_allclose(tiled.recovered, one.recovered, atol=1e-6)
    other = representability(Session(decimator, seed=1), signals)
    assert (other.recovered != one.recovered).any()


def test_stages_of_other_hops_and_codes(stack):
    result = representability(Session(stack), representability_signals(RATE)[::4])
    assert result.recovered.dims == ("stage", "signal")
    assert result.recovered.notnull().all()
    assert result.resolution.values.tolist() == [RATE / (2 * 16), RATE / (6 * 16)]
    texture = representability(Session(load("control:texture")), representability_signals(RATE)[::8])
    assert texture.stage.values.tolist() == ["quantized", "codes"]
    assert texture.recovered.sel(stage="codes").isnull().all()
    assert str(texture.remark.sel(stage="codes").item()) == "codes have no linear readout"


def test_an_unbounded_stage_is_read_once_settled(leaky):
    result = representability(Session(leaky), signals_of([(500.0, 0.1)], [(900.0, 0.1)]))
    assert int(result.first_frame[0]) > 100  # 0.99^t below 1 %
    assert (result.recovered > 0.95).all()


def test_recordings_are_signals_too(decimator, tmp_path):
    generator = np.random.default_rng(0)
    time_s = np.arange(13 * RATE) / RATE
    trembling = 1 + 0.5 * np.sin(2 * np.pi * 0.7 * time_s)
    wave = 0.3 * trembling * np.sin(2 * np.pi * 440 * time_s) + 0.001 * generator.standard_normal(len(time_s))
    soundfile.write(tmp_path / "tone.wav", wave, RATE)
    soundfile.write(tmp_path / "short.wav", wave[:RATE], RATE)
    signals = representability_signals(RATE, recordings=tmp_path)
    assert signals.coordinates["signal_kind"].tolist().count("recording") == 1
    result = representability(Session(decimator), signals[[0, len(signals) - 1]])
    assert result.n_partials.values.tolist() == [1, 1]
    assert float(result.recovered[0, 1]) > 0.95
    (tmp_path / "broken.wav").write_bytes(b"no audio")
    with pytest.warns(UserWarning, match=r"1 recordings left out: .*broken\.wav"):
        representability_signals(RATE, recordings=tmp_path)
    with pytest.raises(InputError, match=r"broken\.wav"):
        representability_signals(RATE, recordings=tmp_path, strict=True)
    (tmp_path / "broken.wav").unlink()
    (tmp_path / "tone.wav").unlink()
    with pytest.raises(InputError, match="no recording in it lasts 12 s"):
        representability_signals(RATE, recordings=tmp_path)


def test_a_recording_that_is_silent_or_too_short_has_no_values_and_the_others_have(tmp_path, decimator):
    wave = 0.1 * np.random.default_rng(0).standard_normal(20 * RATE)
    ends = np.where(np.arange(len(wave)) < RATE, wave, 0.0)
    for name, sound in {"ends": ends, "wave": wave}.items():
        (tmp_path / name).mkdir()
        soundfile.write(tmp_path / name / "a.wav", sound, RATE)
    silent, sounding = (representability_signals(RATE, tmp_path / name)[::5] for name in ("ends", "wave"))
    long = nn.Conv1d(1, 1, 4 * RATE, stride=6_000, bias=False)
    stages = [Stage("first_layer", 1, 6_000, 4 * RATE, 4 * RATE - 1)]
    patient = encoder_of(long, stages, {"first_layer": ""})
    for encoder, signals in ((decimator, silent), (patient, sounding[[0, 3, 7, -1]])):
        result = representability(Session(encoder), signals).isel(stage=0)
        unread = result.signal_kind == "recording"
        assert unread.sum() == 1
        assert (result.recovered.isnull() == unread).all()
        assert (result.n_partials == 0).values.tolist() == unread.values.tolist()
    result = representability(Session(decimator), silent).isel(stage=0)
    alone = representability(Session(decimator), silent[np.arange(len(silent) - 1)]).isel(stage=0)
    assert float(result.correlation) == float(alone.correlation)


def test_a_stage_that_answers_nothing_recovers_nothing():
    dead = encoder_of(nn.Conv1d(1, 2, 8, stride=4), [Stage("latent", 2, 4, 8, 7)], {"latent": ""})
    with torch.no_grad():
        dead.module.weight.zero_()
    result = representability(Session(dead), representability_signals(RATE)[::8]).isel(stage=0)
    assert float(result.recovered.max()) < 0.01
    assert "measured alike" in str(result.remark.item())


@pytest.mark.parametrize(
    ("signals", "options", "said"),
    [
        (partials_at([440.0]), {}, "no coordinate 'signal_kind'"),
        (signals_of([(440.0, 0.1)]), {"draws": 3}, "draws 3: must be at least 4"),
        (signals_of([(440.0, 0.1)]), {"windows": 0}, "windows 0: must be positive"),
        (representability_signals(RATE)[35:], {}, "needs a signal of partials alone"),
        (signals_of([(440.0, 0.1)]), {"stages": ["latent"]}, "stage 'latent'"),
        (signals_of([(13_000.0, 0.1)]), {}, "below the Nyquist frequency"),
        (signals_of([(440.0, 0.1, 0.0, 0.5)]), {}, "must be steady"),
    ],
)
def test_bad_input_is_named(decimator, signals, options, said):
    with pytest.raises(InputError, match=said):
        representability(Session(decimator, options.pop("stages", None)), signals, **options)
