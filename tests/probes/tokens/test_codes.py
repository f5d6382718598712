import math

import numpy as np
import pytest
import torch
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from tonotopy.encoders import load
from tonotopy.encoders.base import Stage
from tonotopy.probes import codes
from tonotopy.probes.engine.session import Session
from tonotopy.probes.statistics.information import information
from tonotopy.probes.tokens.codes import CODES, default_components, drawn_contexts
from tonotopy.probes.tokens.reuse import agreements
from tonotopy.synth import partials, partials_at
from tonotopy.synth.errors import InputError

from ..conftest import encoder_of

RATE, HOP, WINDOW = 24_000, 320, 2400
SLOTS_HZ = 2.0 * np.arange(10, 50, 5) ** 2  # they and the gaps are whole cycles of the window
GAPS_HZ = np.sqrt(SLOTS_HZ[1:] * SLOTS_HZ[:-1])
SLOT, CONSTANT, OCTANT, COMPANY = range(4)


class Slots(nn.Module):
    """Four codebooks that know what they say.

    The component that sounds, nothing, the octant of its phase, and which of the company is lowest.
    """

    def __init__(self):
        super().__init__()
        self.end = nn.Identity()

    def forward(self, waveforms):
        frames = waveforms.double().unfold(-1, WINDOW, HOP)  # [B, F, L]
        time = torch.arange(WINDOW, dtype=torch.float64) / RATE
        frequency = torch.from_numpy(np.concatenate([SLOTS_HZ, GAPS_HZ]))
        waves = torch.exp(-2j * math.pi * frequency[:, None] * time) * torch.hann_window(WINDOW)
        heard = frames.to(waves.dtype) @ waves.T  # [B, F, slots + gaps]
        own, other = heard[..., : len(SLOTS_HZ)], heard[..., len(SLOTS_HZ) :]
        slot = own.abs().argmax(-1)
        angle = own.gather(-1, slot[..., None])[..., 0].angle()
        octant = (((angle + 0.1) / (math.pi / 4)).floor() % 8).long()
        sounds = other.abs() > 0.5 * other.abs().amax(-1, keepdim=True)
        lowest = sounds.long().argmax(-1)
        return self.end(torch.stack([slot, torch.zeros_like(slot), octant, lowest], 1))


@pytest.fixture(scope="module")
def slots():
    stage = Stage("codes", 4, HOP, WINDOW, WINDOW - 1, "codes")
    return encoder_of(Slots(), [stage], {"codes": "end"}, RATE, prepare=lambda waveforms: waveforms)


@pytest.fixture(scope="module")
def found(slots):
    return codes(Session(slots), partials_at(SLOTS_HZ), contexts=2, density=3).sel(stage="codes")


def means(found, codebook):
    one = found.sel(codebook=codebook + 1)
    kinds = ("same", "different", "context", "phase")
    return {kind: float(one[f"agreement_{kind}"].mean()) for kind in kinds}


def test_a_code_that_names_the_partial_agrees_whatever_else_sounds(found):
    assert means(found, SLOT) == {"same": 1.0, "different": 0.0, "context": 0.0, "phase": 1.0}
    assert found.reuse_p.values[SLOT] < 0.005
    np.testing.assert_allclose(found.information.sel(codebook=1), math.log2(8), atol=0.1)
    assert found.attrs["information_limit"] == math.log2(8)
    assert found.used.values[SLOT] == 8
    assert found.perplexity.values[SLOT] == pytest.approx(8.0)


def test_a_code_that_says_nothing_agrees_always_and_informs_of_nothing(found):
    assert set(means(found, CONSTANT).values()) == {1.0}
    assert found.reuse_p.values[CONSTANT] == 1.0
    np.testing.assert_allclose(found.information.sel(codebook=2), 0, atol=1e-6)
    assert found.information_p.values[CONSTANT] == 1.0
    assert (found.change_probability.sel(codebook=2) == 0).all()


def test_equal_phases_do_not_count_as_agreement_across_phases(found):
    assert means(found, OCTANT)["phase"] == 0.0
    assert means(found, OCTANT)["same"] == 1.0  # at one phase it is the same sound


def test_a_code_of_the_company_is_not_taken_for_one_of_the_partial(found):
    # a context compared with itself would agree here
    assert means(found, COMPANY) == {"same": 0.0, "different": 0.0, "context": 1.0, "phase": 1.0}
    assert found.reuse_p.values[COMPANY] == 1.0
    assert found.information.sel(codebook=4).isnull().all()  # either context has a code that is new
    assert found.information_seen.values.tolist() == [1.0, 1.0, 1.0, 0.0]
    assert "no information of codebooks 4" in str(found.remark.values)
    assert (found.change_probability.sel(codebook=4) == 0).all()  # silence instead of it would say 1


def test_codebooks_together_agree_only_where_every_one_does(found):
    np.testing.assert_array_equal(found.joint_same[:, :3], 1.0)
    np.testing.assert_array_equal(found.joint_same[:, 3], 0.0)
    np.testing.assert_array_equal(found.joint_phase, np.tile([1.0, 1.0, 0.0, 0.0], (8, 1)))
    np.testing.assert_allclose(found.joint_information[:, :2], 3.0, atol=0.1)


def test_a_code_of_phase_free_content_stays_when_the_start_moves(found):
    assert (found.shifted_same.sel(codebook=SLOT + 1) == 1).all()
    assert (found.unrelated_same.sel(codebook=SLOT + 1) == 0).all()
    whole = found.delay.values == np.floor(found.delay.values)
    octant = found.shifted_same.sel(codebook=OCTANT + 1)
    assert (octant[whole] == 1).all()
    # a quarter of a hop is a sixth of a cycle of 50 Hz: only 1800 Hz turns by whole cycles
    np.testing.assert_array_equal(octant.sel(delay=0.25), SLOTS_HZ == 1800)
    assert found.delay.values[0] == 1 / HOP


def test_what_an_encoder_lacks_is_said(found):
    assert "no margins" in str(found.remark.values)
    assert "no generations" in str(found.remark.values)
    assert "no reuse: to choose among codebooks takes 3 contexts" in str(found.remark.values)
    assert found.reuse.isnull().all()
    assert "margin" not in found
    assert "reencoded_same" not in found


tables = st.tuples(
    st.integers(2, 4),
    st.integers(2, 3),
    st.integers(2, 3),
    st.integers(1, 2),
    st.integers(1, 2),
    st.integers(),
)


@given(tables)
@settings(derandomize=True, deadline=None, max_examples=30)
def test_agreements_are_counts_of_pairs(shape_and_seed):
    *shape, seed = shape_and_seed
    n, contexts, phases, _, books = shape
    tokens = np.random.default_rng(abs(seed)).integers(0, 3, shape)
    counted = agreements(tokens)
    pairs = {
        "same": lambda p, c, r, d: p == r and c != d,
        "different": lambda p, c, r, d: p != r and c != d,
        "context": lambda p, c, r, d: p != r and c == d,
    }
    places = [(p, c) for p in range(n) for c in range(contexts)]
    for kind, fits in pairs.items():
        for p in range(n):
            for q in range(books):
                alike, joint = (
                    [
                        (tokens[p, c, :, :, low : q + 1] == tokens[r, d, :, :, low : q + 1]).all(-1).mean()
                        for c in range(contexts)
                        for r, d in places
                        if fits(p, c, r, d)
                    ]
                    for low in (q, 0)
                )
                assert counted[f"agreement_{kind}"][p, q] == pytest.approx(np.mean(alike))
                if kind != "context":
                    assert counted[f"joint_{kind}"][p, q] == pytest.approx(np.mean(joint))
    turned = [
        (tokens[:, :, k] == tokens[:, :, m]).mean((1, 2))
        for k in range(phases)
        for m in range(phases)
        if k != m
    ]
    np.testing.assert_allclose(counted["agreement_phase"], np.mean(turned, axis=0))


def test_reuse_of_random_codes_is_found_no_more_often_than_chance_allows():
    generator = np.random.default_rng(0)
    p = [
        agreements(generator.integers(0, 4, (5, 3, 2, 2, 1)), seed)["reuse_p"][0] for seed in range(60)
    ]  # relabelled: 5!^2 ways, so p hardly ties
    assert np.sum(np.array(p) <= 0.2) <= 20  # binomial(60, 0.2): 12, above 20 in 0.6 % of cases
    assert np.sum(np.array(p) >= 0.8) >= 4


class TestInformation:
    @staticmethod
    def of_one(tokens, *about, **more):
        each, joint = information(tokens[..., None], *about, **more)
        np.testing.assert_allclose(each.bits, joint.bits, atol=1e-6)  # of a single codebook they are the same
        return each

    def test_tokens_that_tell_nothing_give_none_though_counts_say_otherwise(self):
        generator = np.random.default_rng(1)
        told = [self.of_one(generator.integers(0, 64, (16, 4, 32)), seed, 19) for seed in range(40)]
        mean = np.array([one.bits.mean() for one in told])
        assert abs(mean.mean()) < max(1e-3, 3 * mean.std() / np.sqrt(len(mean)))
        assert max(abs(one.null_bits[0]) for one in told) < 0.01  # there is hardly a bias to take off

    def test_a_noisy_channel_has_the_information_of_its_closed_form(self):
        n, wrong = 8, 0.3
        generator = np.random.default_rng(2)
        sent = np.broadcast_to(np.arange(n)[:, None, None], (n, 500, 4))
        lost = generator.random(sent.shape) < wrong
        received = np.where(lost, generator.integers(0, n, sent.shape), sent)
        right, other = 1 - wrong + wrong / n, wrong / n
        exact = math.log2(n) + right * math.log2(right) + (n - 1) * other * math.log2(other)
        assert self.of_one(received, 0, 9).bits.mean() == pytest.approx(exact, abs=0.02)

    def test_few_sounds_suffice_for_a_tenth_of_the_limit(self):
        n, wrong = 16, 0.5
        right, other = 1 - wrong + wrong / n, wrong / n
        exact = math.log2(n) + right * math.log2(right) + (n - 1) * other * math.log2(other)
        generator = np.random.default_rng(3)
        sent = np.broadcast_to(np.arange(n)[:, None, None], (n, 4, 32))
        lost = generator.random(sent.shape) < wrong
        received = np.where(lost, generator.integers(0, n, sent.shape), sent)
        assert self.of_one(received).bits.mean() == pytest.approx(exact, abs=0.15)

    def test_samples_of_one_sound_are_no_evidence_of_their_own(self):
        """Every sound has one token, drawn at random: shuffling samples would find much to tell."""
        generator = np.random.default_rng(4)
        told = []
        for seed in range(100):
            tokens = np.repeat(generator.integers(0, 8, (8, 4, 1)), 32, axis=2)
            told.append(self.of_one(tokens, seed, shuffles=99))
        p = np.array([one.p[0] for one in told])
        assert np.sum(p <= 0.05) <= 11  # binomial(100, 0.05): above 11 in 0.4 % of cases
        mean = np.array([one.bits.mean() for one in told])
        assert abs(mean.mean()) < 3 * mean.std() / 10

    def test_tokens_that_never_recur_tell_nothing_that_can_be_known(self):
        found = self.of_one(np.arange(16 * 4 * 8).reshape(16, 4, 8))
        assert np.isnan(found.bits).all()
        assert found.p == 1.0

    def test_bits_of_a_component_that_alone_has_a_token(self):
        tokens = np.zeros((4, 50, 4), dtype=int)
        tokens[0] = 1
        found = self.of_one(tokens)
        # of its own: log2(1 / (1/4)); of the others: log2(1 / (3/4))
        np.testing.assert_allclose(found.bits[:, 0], [2.0, *[math.log2(4 / 3)] * 3], atol=0.02)

    def test_many_codebooks_together_do_not_saturate(self):
        """Every combination of these tokens is new, but each codebook tells a little of the component."""
        generator = np.random.default_rng(6)
        named = np.arange(16)[:, None, None, None] >> np.arange(8) % 4 & 1  # a bit each, twice
        wrong = generator.random((16, 6, 8, 8)) < 0.1
        noise = generator.integers(0, 200, (16, 6, 8, 4))  # and codebooks that say nothing
        tokens = np.concatenate([named ^ wrong, noise], axis=-1)
        each, joint = information(tokens, shuffles=49)
        one_bit = 1 + 0.9 * np.log2(0.9) + 0.1 * np.log2(0.1)
        np.testing.assert_allclose(each.bits[:, :8].mean(0), one_bit, atol=0.06)
        np.testing.assert_allclose(each.bits[:, 8:].mean(0), 0, atol=0.02)
        bits = joint.bits.mean(0)
        np.testing.assert_allclose(bits[:4], one_bit * np.arange(1, 5), atol=0.15)
        agree = 0.9**2 + 0.1**2  # two looks at a bit that differ tell nothing of it
        right = 0.9**2 / agree
        twice = agree * (1 + right * np.log2(right) + (1 - right) * np.log2(1 - right))
        np.testing.assert_allclose(bits[7:], 4 * twice, atol=0.15)


def own_codes(n=6, contexts=6, samples=5, wrong=0.0, seed=0):
    """Codes [n, contexts, samples, 1, n]: each codebook tells whether its own component is there."""
    generator = np.random.default_rng(seed)
    told = np.eye(n, dtype=int)[:, None, None, None] * np.ones((1, contexts, samples, 1, 1), dtype=int)
    return np.where(generator.random(told.shape) < wrong, 1 - told, told)


def test_a_codebook_for_every_component_is_reuse_whole_though_the_mean_codebook_has_little():
    found = agreements(own_codes())
    np.testing.assert_array_equal(found["reuse"], 1.0)
    np.testing.assert_array_equal(found["reuse_chance"], 0.0)
    assert (found["agreement_same"] - found["agreement_different"]).mean() < 1 / 3


def test_codes_that_are_right_by_nine_in_ten_are_reused_by_as_much():
    found = agreements(own_codes(samples=400, wrong=0.1))
    right = 0.9**2 + 0.1**2  # in both contexts, or in neither
    np.testing.assert_allclose(found["reuse"], right - (1 - right), atol=0.08)


def test_codes_of_combinations_are_reused_at_once():
    bits = np.arange(8)[:, None] >> np.arange(3) & 1
    tokens = bits[:, None, None, None] * np.ones((1, 4, 3, 1, 1), dtype=int)
    np.testing.assert_array_equal(agreements(tokens)["reuse"], 1.0)
    each = agreements(tokens)["agreement_same"] - agreements(tokens)["agreement_different"]
    assert each.max() < 0.6


@pytest.mark.parametrize("entries", [2, 30])
def test_choosing_among_many_codebooks_adds_nothing(entries):
    generator = np.random.default_rng(entries)
    found = []
    for _ in range(20):
        table = generator.dirichlet(np.ones(entries), 24)  # some entries are common, in some codebooks
        tokens = np.stack([generator.choice(entries, (8, 5, 1, 1), p=p) for p in table], -1)
        found.append(agreements(np.tile(tokens, (1, 1, 2, 1, 1)))["reuse"].mean())
    assert abs(np.mean(found)) < 3 * np.std(found) / np.sqrt(20)


def test_a_code_that_never_changes_is_not_reused():
    found = agreements(np.zeros((5, 4, 2, 2, 3), dtype=int))
    np.testing.assert_array_equal(found["reuse"], 0.0)
    np.testing.assert_array_equal(found["reuse_chance"], 1.0)


def test_contexts_that_sound_in_a_component_s_own_band_do_not_count():
    tokens = own_codes(contexts=5)
    tokens[:, :2] = 7  # there all is another sound
    apart = np.tile(np.arange(5) >= 2, (6, 1))
    np.testing.assert_array_equal(agreements(tokens, apart=apart)["reuse"], 1.0)
    assert (agreements(tokens)["reuse"] < 1).all()
    apart[0, 2] = False  # two contexts are too few to choose a codebook
    assert np.flatnonzero(np.isnan(agreements(tokens, apart=apart)["reuse"])).tolist() == [0]
    assert np.isfinite(agreements(tokens[..., :1], apart=apart)["reuse"]).all()  # or there is but one


@pytest.mark.parametrize(
    ("name", "low", "high"),
    [
        ("control:band_codec", 0.95, 1.0),
        ("control:dominant_codec", 0.0, 0.2),
        ("control:texture", -0.05, 0.05),
    ],
)
def test_reuse_of_codecs_of_known_truth(name, low, high):
    found = codes(Session(load(name)), phases=2)
    assert low <= float(found.reuse.mean()) <= high
    assert found.reuse.notnull().mean() > 0.8


def test_company_lies_between_the_components_and_is_dealt_out_evenly():
    components = partials(120.0, 6000.0, count=16)
    dealt = drawn_contexts(components, 5, 6, seed=3)
    frequency = np.array([[p.frequency_hz for p in context.partials] for context in dealt])
    own = components.columns["frequency_hz"]
    assert np.abs(np.log(frequency.ravel()[:, None] / own)).min() > 0.1
    _, uses = np.unique(frequency.round(6), return_counts=True)
    assert (uses == 2).all()
    assert all(len(set(row)) == 6 for row in frequency.round(6))
    assert {p.amplitude for context in dealt for p in context.partials} == {0.1}


def test_components_stay_below_what_an_encoder_can_hear():
    assert default_components(load("control:texture")).columns["frequency_hz"][[0, -1]].tolist() == [
        120,
        6000,
    ]
    slow = load("control:texture", sample_rate=8000)
    assert default_components(slow).columns["frequency_hz"].max() == pytest.approx(3600)


def test_texture_keeps_no_tokens_in_other_company_and_is_deaf_to_level():
    texture = load("control:texture")
    quiet, loud = (
        codes(Session(texture), partials(120, 6000, count=16, level_dbfs=level)).squeeze("stage")
        for level in (-50, -10)
    )
    xr.testing.assert_equal(quiet, loud)
    assert float(loud.agreement_same.mean()) < 0.05
    assert float(loud.information.mean()) < 0.5


def test_repeat_runs_are_identical_and_the_seed_matters():
    texture = load("control:texture")
    first, again, other = (codes(Session(texture, seed=seed), contexts=2, phases=3) for seed in (0, 0, 1))
    xr.testing.assert_identical(first, again)
    assert not first.equals(other)


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"contexts": 1}, "contexts 1"),
        ({"phases": 1}, "phases 1"),
        ({"density": 0}, "density 0"),
        ({"density": 16}, "density 16"),
        ({"components": partials(100, 800, per_octave=1, level_dbfs=[-20, -10])}, "one level"),
    ],
)
def test_what_cannot_be_played_is_told_in_a_line(wrong, told):
    with pytest.raises(InputError, match=told) as error:
        codes(Session(load("control:texture")), **wrong)
    assert "\n" not in str(error.value)


def test_the_probe_refuses_those_that_have_no_codes():
    assert CODES.refusal(Session(load("control:texture"))) is None
    for session in (Session(load("control:texture"), ["quantized"]), Session(load("filterbank:stft"))):
        assert CODES.refusal(session).startswith(f"{session.encoder.name} has no codes")


def test_what_never_settles_is_said():
    stage = Stage("codes", 1, 1, None, 0, "codes")

    class Ramp(nn.Module):
        """The longer it listens the louder it hears."""

        def __init__(self):
            super().__init__()
            self.end = nn.Identity()

        def forward(self, waveforms):
            later = torch.arange(waveforms.shape[-1])
            return self.end((waveforms * later).long())

    ramp = encoder_of(Ramp(), [stage], {"codes": "end"}, RATE)
    found = codes(Session(ramp), partials(500, 4000, count=3), contexts=2, density=1, phases=2)
    assert not found.settled.item()
    assert "no steady state was reached" in found.remark.item()


def test_an_encoder_without_codes_is_refused():
    with pytest.raises(InputError, match="filterbank:stft has no stage of kind 'codes'"):
        codes(Session(load("filterbank:stft")))
