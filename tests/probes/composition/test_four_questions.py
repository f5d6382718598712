"""The four questions: what does not matter, what does, and what simple encoders of known truth get."""

import numpy as np
import pytest
import torch
from torch import nn

from tonotopy.encoders.base import Stage
from tonotopy.encoders.registry import load
from tonotopy.probes.composition.access import access
from tonotopy.probes.composition.drawn_mixtures import drawn_mixtures
from tonotopy.probes.composition.draws import MAIN, SWEPT, USUAL, components_of, draw
from tonotopy.probes.composition.mixtures import Condition
from tonotopy.probes.composition.place import holding_most, place
from tonotopy.probes.composition.presence import presence
from tonotopy.probes.composition.stability import stability
from tonotopy.probes.composition.traces import traces
from tonotopy.probes.engine.session import Session
from tonotopy.synth.errors import InputError

from ..conftest import encoder_of

pytestmark = pytest.mark.numerical


class Magnitudes(nn.Module):
    """Magnitudes of a short Hann-windowed spectrum, and what may be done to them without losing anything."""

    def __init__(self, change="none"):
        super().__init__()
        generator = torch.Generator().manual_seed(3)
        self.rotation = torch.linalg.qr(torch.randn(129, 129, generator=generator, dtype=torch.float64))[
            0
        ].float()
        self.change, self.end = change, nn.Identity()

    def forward(self, x):  # [B, 1, T]
        frames = x[:, 0].unfold(-1, 256, 80) * torch.hann_window(256)
        z = torch.fft.rfft(frames).abs().transpose(1, 2)  # [B, 129, F]
        z = {
            "none": lambda: z,
            "gain": lambda: 1000 * z,
            "offset": lambda: z + torch.linspace(-50, 50, 129)[:, None],
            "rotated": lambda: torch.einsum("cd,bdf->bcf", self.rotation, z),
            "repeated": lambda: z.repeat(1, 3, 1),
            "silent": lambda: nn.functional.pad(z, (0, 0, 0, 40)),
        }[self.change]()
        return self.end(z)


def magnitudes(change="none"):
    stage = Stage("latent", {"repeated": 387, "silent": 169}.get(change, 129), 80, 256, 255)
    return encoder_of(Magnitudes(change), [stage], {"latent": "end"}, 8000)


def answers(encoder, seed=0):
    """What every question that is about information gets, and place."""
    session = Session(encoder, seed=seed)
    there, same, read, where = (ask(session) for ask in (presence, stability, access, place))
    return {
        "proportion": there.proportion.item(),
        "transferable": there.transferable.item(),
        "containment": same.containment.item(),
        "confusion": same.confusion.values.ravel(),
        "linear": read.auc.sel(order="linear").values.ravel(),
        "quadratic": read.auc.sel(order="quadratic").values.ravel(),
        "place": where.place.item(),
    }


@pytest.fixture(scope="module")
def plain():
    return answers(magnitudes())


ABOUT_INFORMATION = ("proportion", "transferable", "containment", "confusion", "linear")


@pytest.mark.parametrize("change", ["gain", "offset", "rotated", "repeated", "silent"])
def test_what_loses_nothing_changes_no_answer_about_information(plain, change):
    found = answers(magnitudes(change))
    for name in ABOUT_INFORMATION:
        np.testing.assert_allclose(found[name], plain[name], atol=0.005, err_msg=name)
    if change != "rotated":
        np.testing.assert_allclose(found["quadratic"], plain["quadratic"], atol=0.005)
        assert found["place"] == pytest.approx(plain["place"], abs=0.03)
    else:
        assert found["place"] < 0.1 < plain["place"]


def test_layout_does_not_matter():
    """The same samples in one channel, in 320, and orthogonally mixed."""
    found = [answers(load(name)) for name in ("control:waveform", "control:patches", "control:patches_mixed")]
    for other in found[1:]:
        for name in ABOUT_INFORMATION:
            np.testing.assert_allclose(other[name], found[0][name], atol=0.01, err_msg=name)
    assert [one["place"] < 0.1 for one in found] == [True] * 3
    assert found[0]["proportion"] > 0.93
    assert found[0]["linear"][1] < 0.56


def test_conditions_and_shapes():
    conditions = [USUAL, Condition("partial", 16, -20.0), Condition("chord", 2, -20.0)]
    session = Session(load("filterbank:stft_magnitude"))
    found = presence(session, conditions=conditions)
    assert found.proportion.dims == ("stage", "condition")
    assert found.component_kind.values.tolist() == ["partial", "partial", "chord"]
    assert found.density.values.tolist() == [4, 16, 2]
    assert np.isfinite(found.proportion_by_group.values[0, 0]).sum() == 8
    assert np.isfinite(found.proportion_by_group.values[0, 1]).sum() == 4
    for name in ("proportion", "transferable", "two_alternative"):
        low, value, high = (found[f"{name}{end}"] for end in ("_low", "", "_high"))
        assert ((low <= value) | value.isnull()).all()
        assert ((value <= high) | value.isnull()).all()
    one = presence(load("filterbank:stft_magnitude"), seed=0)
    assert one.proportion.dims == ("stage",)
    assert one.proportion.item() == found.proportion.isel(condition=0).item()


def test_what_is_played():
    """Equal total level whatever the density; components where they should be; nested contexts."""
    for density in (1, 4, 32):
        others = draw(Condition("partial", density, -20.0), 0, 24_000, 0).others[0]
        assert others is not None
        assert np.square(others.amplitude).sum() == pytest.approx(4.0)
    few, many = (draw(Condition("partial", d, -20.0), 3, 24_000, 0).others[1] for d in (4, 32))
    assert few is not None
    assert many is not None
    np.testing.assert_array_equal(few.frequency_hz, many.frequency_hz[:4])
    frequency = np.stack([components_of("partial", g, 24_000, 0).frequency_hz for g in range(40)])
    steps = 12 * np.diff(np.log2(frequency), axis=1)
    assert 3.5 <= steps.min() <= steps.max() <= 5.5
    assert (frequency[:, 1:].min(0) > frequency[:, :-1].min(0)).all()
    assert frequency.min() > 100
    assert frequency.max() < 7200
    low = components_of("partial", 0, 8000, 0)
    assert low.frequency_hz.max() * 2 ** (2 / 12) < 4000


def test_mixtures_to_read_deal_components_evenly():
    drawn = drawn_mixtures("partial", 0, 24_000, 1)
    counts = drawn.present.sum(0)
    assert counts.max() - counts.min() <= 2
    energy = [np.square(sound.amplitude).sum() for sound in drawn.sounds]
    np.testing.assert_allclose(energy, 5.0)
    assert not drawn.hidden[drawn.density == 2].any()
    assert drawn.hidden[drawn.density == 16].mean() > 0.1


def test_traces_hold_all_inner_products():
    """Coordinates are made of inner products alone: those of the changes themselves."""
    encoder = magnitudes()
    _, by_stage = traces(Session(encoder), (USUAL,))
    one = by_stage["latent"][0].groups[0]
    energy = np.square(one.changes).sum(-1).mean(-1)  # [contexts, N]
    np.testing.assert_allclose(one.channel_energy.sum(-1), energy, rtol=1e-6)
    np.testing.assert_allclose(one.spectrum.sum(-1), energy * one.changes.shape[2], rtol=1e-6)


def test_ninety_percent():
    assert holding_most(np.array([9.0, 1.0])) == 1
    assert holding_most(np.array([0.5, 0.25, 0.25])) == 3


def test_a_faint_copy_is_not_there():
    """A component 60 dB down, beside something loud that has nothing to do with it, is below sensor noise."""

    class Faint(nn.Module):
        def __init__(self, gain):
            super().__init__()
            self.gain, self.end = gain, nn.Identity()

        def forward(self, x):
            patches = x[:, 0].unfold(-1, 80, 80).transpose(1, 2)
            loud = patches.square().mean(1, keepdim=True).sqrt()
            return self.end(torch.cat([self.gain * patches, 10 * loud], 1))

    stage = Stage("latent", 81, 80, 80, 79)
    clear, faint = (
        presence(encoder_of(Faint(gain), [stage], {"latent": "end"}, 8000)) for gain in (1.0, 1e-3)
    )
    assert clear.proportion.item() > 0.9
    assert faint.proportion.item() < 0.2


def test_what_cannot_be_asked_is_refused_in_a_line():
    with pytest.raises(InputError, match="must be partial, pitch, chord"):
        presence(magnitudes(), conditions=[Condition("noise", 4, -20.0)])
    with pytest.raises(InputError, match="0 others or more"):
        stability(magnitudes(), conditions=[Condition("partial", -1, -20.0)])
    with pytest.raises(InputError, match="sample rate"):
        components_of("partial", 0, 500, 0)
    with pytest.raises(InputError, match="integer codes have no traces"):
        place(load("control:texture"), ["codes"])
    with pytest.raises(InputError, match="none given"):
        access(magnitudes(), conditions=[])
    with pytest.raises(InputError, match="no such stage"):
        access(magnitudes(), ["first_layer"])


def test_every_kind_is_swept():
    assert {c.kind for c in MAIN} == {"partial", "pitch", "chord"}
    assert set(MAIN) <= set(SWEPT)
