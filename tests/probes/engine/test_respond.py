import numpy as np
import pytest
import torch
from torch import nn

from tonotopy.encoders import load
from tonotopy.encoders.base import Stage
from tonotopy.probes.engine.respond import listening_plan, respond
from tonotopy.probes.engine.runtime import flushing_denormals
from tonotopy.probes.engine.session import Session
from tonotopy.probes.engine.stages import tone_response
from tonotopy.probes.filters.selectivity import selectivity
from tonotopy.synth import partials
from tonotopy.synth.errors import InputError
from tonotopy.synth.partials import partials_at

from ..conftest import encoder_of

pytestmark = pytest.mark.numerical


def collect(encoder, stimuli, stages, tile_seconds=None, **options):
    heard = {stage: np.full((len(stimuli), encoder.stages[stage].channels), np.nan) for stage in stages}
    times = {stage: np.zeros(len(stimuli), dtype=int) for stage in stages}

    def write(stage, rows, values):
        heard[stage][rows] = values["response"]
        times[stage][rows] += 1

    plan = respond(
        Session(encoder, tile_seconds=tile_seconds), stimuli, stages, tone_response, write, **options
    )
    assert all((t == 1).all() for t in times.values()), "every stimulus is written exactly once"
    return heard, plan


def test_agrees_with_the_loop_a_user_would_write(stack):
    """One second per tone and phase, hooks by hand, generous trimming: each tone's responses within 1 %."""
    tones = partials(100, 9000, count=12)
    heard, _ = collect(stack, tones, ["first_layer", "latent"])
    t = np.arange(24_000) / 24_000
    for row, frequency in enumerate(tones.columns["frequency_hz"]):
        for stage in ("first_layer", "latent"):
            power = []
            for phase in 2 * np.pi * np.arange(15) / 15:
                x = 0.1 * np.sin(2 * np.pi * frequency * t + phase)
                waves = torch.from_numpy(np.stack([x, 0 * x]).astype(np.float32))
                tone, silence = stack.run(waves, [stage])[stage][..., 50:-50].double()
                power.append(((tone - silence) ** 2).mean(-1))
            expected = (torch.stack(power).mean(0).sqrt() / (0.1 / np.sqrt(2))).numpy()
            error = np.linalg.norm(heard[stage][row] - expected) / np.linalg.norm(expected)
            assert error < (1e-3 if stage == "first_layer" else 0.01)  # linear stages need no long tone


def test_the_onset_is_trimmed_exactly(stack):
    """A frame that saw the edge, or one frame too few kept, would change the plan."""
    plan = listening_plan(stack, partials(100, 200, count=2), ["first_layer", "latent"], frames=100)
    assert plan.listening["latent"].first == 0  # unpadded: every frame sees real samples only
    assert plan.n_samples == 612  # (100 - 1) * 6 + 16 = 610 samples, in whole hops of 6
    padded = encoder_of(
        nn.Sequential(nn.Conv1d(1, 2, 9, padding=4)), [Stage("first_layer", 2, 1, 9, 4)], {"first_layer": "0"}
    )
    plan = listening_plan(padded, partials(100, 200, count=2), ["first_layer"], frames=500)
    steady = plan.listening["first_layer"]
    assert (steady.first, steady.frames, plan.n_samples) == (4, 500, 508)


def test_a_short_frame_is_heard_for_20_ms_and_a_long_one_for_a_second():
    for hop, frames in ((1, 480), (320, 4), (24_000, 1)):
        module = nn.Sequential(nn.Conv1d(1, 1, hop, stride=hop))
        encoder = encoder_of(module, [Stage("first_layer", 1, hop, hop, hop - 1)], {"first_layer": "0"})
        plan = listening_plan(encoder, partials(100, 200, count=2), ["first_layer"])
        assert plan.listening["first_layer"].frames == frames


def test_a_padded_stage_still_agrees_with_its_closed_form():
    module = nn.Sequential(nn.Conv1d(1, 3, 101, padding=50))
    kernels = {"first_layer": module[0].weight.detach().double().numpy()[:, 0]}
    encoder = encoder_of(
        module, [Stage("first_layer", 3, 1, 101, 50, "convolution")], {"first_layer": "0"}, kernels=kernels
    )
    tuning = selectivity(Session(encoder), partials(100, 11_000, count=50))
    assert float(tuning.closed_form_error[0]) < 1e-3


def test_a_tone_that_folds_to_dc_reads_no_lower():
    """Mean of RMS over phases would read 0.9 dB low; the root of the mean power is exact."""
    decimator = load("control:decimator")
    tones = partials_at([75.0, 1000.0, 2400.0, 2401.0, 7500.0])  # 75 Hz is the frame rate
    heard, _ = collect(decimator, tones, ["first_layer"])
    np.testing.assert_allclose(heard["first_layer"], 1.0, rtol=1e-4)


def test_rows_follow_the_stimuli(stack):
    tones = partials(100, 9000, count=20)
    order = np.random.default_rng(0).permutation(20)
    one, _ = collect(stack, tones, ["latent"], tile_seconds=0.01)
    other, _ = collect(stack, tones[order], ["latent"], tile_seconds=0.05)
    np.testing.assert_allclose(one["latent"][order], other["latent"], rtol=1e-5)


def test_one_tile_size_repeats_to_the_bit(stack):
    tones = partials(100, 9000, count=20)
    one, _ = collect(stack, tones, ["latent"], tile_seconds=0.02)
    other, _ = collect(stack, tones, ["latent"], tile_seconds=0.02)
    np.testing.assert_array_equal(one["latent"], other["latent"])


@pytest.mark.parametrize("pole", [0.8, 0.99, 0.999])
def test_an_unbounded_stage_is_heard_after_it_settled(leaky, pole):
    """The slowest pole's memory fades to 1 % in 4,600 samples: too few frames dropped would show."""
    tones = partials(200, 2000, count=7)
    encoder = encoder_of(type(leaky.module)(pole), list(leaky.stages.values()), leaky.taps)
    heard, plan = collect(encoder, tones, ["first_layer"], frames=64)
    w = 2 * np.pi * tones.columns["frequency_hz"] / 24_000
    assert plan.listening["first_layer"].settled
    assert plan.listening["first_layer"].first <= 7200
    np.testing.assert_allclose(heard["first_layer"][:, 0], 1 / np.abs(1 - pole * np.exp(-1j * w)), rtol=0.01)


def test_a_stage_that_never_settles_is_told_so(leaky):
    encoder = encoder_of(type(leaky.module)(1.0001), list(leaky.stages.values()), leaky.taps)
    _, plan = collect(encoder, partials(200, 2000, count=3), ["first_layer"])
    assert plan.listening["first_layer"].settled is False


def test_no_stimulus_is_cut_and_all_are_equally_long(stack):
    lengths = set()
    run = stack.run

    def spy(waveforms, stages):
        lengths.add(waveforms.shape[-1])
        return run(waveforms, stages)

    stack.run = spy
    _, plan = collect(stack, partials(100, 9000, count=50), ["latent"])
    assert lengths == {plan.n_samples}


def test_silence_is_taken_off_not_zero():
    """A bias, or a norm, answers silence too; a response that forgot it would be far off."""
    module = nn.Sequential(nn.Conv1d(1, 1, 1))
    with torch.no_grad():
        module[0].weight.fill_(2.0)
        module[0].bias.fill_(100.0)
    encoder = encoder_of(module, [Stage("first_layer", 1, 1, 1, 0)], {"first_layer": "0"})
    heard, _ = collect(encoder, partials(100, 5000, count=5), ["first_layer"])
    np.testing.assert_allclose(heard["first_layer"], 2.0, rtol=1e-4)


def test_nan_is_named():
    class Breaks(nn.Module):
        def __init__(self):
            super().__init__()
            self.end = nn.Identity()

        def forward(self, x):
            return self.end(x / (x.abs() > 0.5))

    encoder = encoder_of(Breaks(), [Stage("latent", 1, 1, 1, 0)], {"latent": "end"})
    with pytest.raises(InputError, match=r"test: NaN or Inf in response at stage 'latent', stimulus 0"):
        collect(encoder, partials(100, 200, count=2), ["latent"])


def test_a_stage_with_fewer_frames_than_it_says_is_refused():
    stages = [Stage("first_layer", 1, 4, None, 0)]  # really 31 samples late
    encoder = encoder_of(nn.Conv1d(1, 1, 32, stride=4), stages, {"first_layer": ""})
    with pytest.raises(InputError, match=r"'first_layer': test gives \d+ frames of \d+ samples"):
        collect(encoder, partials(100, 200, count=2), ["first_layer"])


@pytest.mark.parametrize("frequency", [12_000.0, 20_000.0])
def test_nyquist_is_refused(stack, frequency):
    with pytest.raises(InputError, match="Nyquist"):
        collect(stack, partials_at([100.0, frequency]), ["latent"])


def test_unknown_stage_names_those_there_are(stack):
    with pytest.raises(InputError, match="it has first_layer, latent"):
        respond(Session(stack), partials(100, 200, count=2), ["stack_end"], tone_response, print)


def test_denormals_are_flushed_inside_only():
    tiny = torch.tensor([1e-40])
    with flushing_denormals():
        assert (tiny * 1.0).item() == 0
    assert (tiny * 1.0).item() != 0
