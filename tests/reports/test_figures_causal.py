"""Figures of waveform shape and of interventions, from what small encoders really gave."""

import base64
import io
import wave

import numpy as np
import pytest
import torch
from torch import nn

from tonotopy.encoders import load, wrap
from tonotopy.probes import waveform_shape
from tonotopy.probes.engine.session import Session
from tonotopy.probes.interventions.interventions import interventions
from tonotopy.probes.interventions.removal import OWN_ALONE, OWN_AMONG_OTHERS
from tonotopy.reports import figures
from tonotopy.reports.chapters.interventions import decoded

from ..probes.interventions.test_interventions import APART, LinearCodec
from .captions import assert_captioned


@pytest.fixture(scope="module")
def shaped():
    torch.manual_seed(0)
    module = nn.Sequential(nn.Conv1d(1, 4, 64, stride=32), nn.ELU(), nn.Conv1d(4, 4, 8))
    encoder = wrap(module, 24_000, {"first_layer": "0", "latent": "2", "end": "1"})
    return waveform_shape(Session(encoder, ["first_layer", "end", "latent"]), draws=2)


@pytest.fixture(scope="module")
def controls():
    names = ("filterbank:stft", "filterbank:stft_magnitude", "control:decimator")
    return {name: waveform_shape(Session(load(name)), detunings_hz=[5, 20], draws=2) for name in names}


@pytest.fixture(scope="module")
def removed():
    return interventions(Session(LinearCodec()), mixtures=APART)


@pytest.fixture(scope="module")
def drawn(shaped, controls, removed):
    return [
        figures.shape_by_stage(shaped, [shaped], controls, "toy"),
        figures.preference_by_detuning(shaped, [shaped], "toy"),
        figures.waveform_shape_of_controls(controls),
        figures.dose_response(removed, [removed], "toy"),
        figures.intervention_spectra(removed, "toy"),
    ]


def test_figures_are_whole(drawn):
    for one in drawn:
        one.figure.savefig(io.BytesIO(), format="png", dpi=50)
        box, (width, height) = one.figure.get_tightbbox(), one.figure.get_size_inches()
        assert box.x0 > -0.03, one.name
        assert box.y0 > -0.03, one.name
        assert box.x1 < width + 0.03, one.name
        assert box.y1 < height + 0.03, one.name
        assert one.question.endswith("?"), one.name
        assert one.reading.endswith("."), one.name
        assert one.alt.endswith("."), one.name
        assert "nan" not in one.reading, one.name
        used = [axes for axes in one.figure.axes if axes.axison]
        assert all(axes.has_data() for axes in used), one.name


def test_readings_carry_the_numbers(drawn, shaped, controls, removed):
    stage = shaped.sel(stage="latent")
    magnitude = float(controls["filterbank:stft_magnitude"].preference.mean())
    for one, value in ((drawn[0], float(stage.shape_over_spectrum.mean())), (drawn[2], magnitude)):
        numbers = one.data.select_dtypes("number").values
        assert np.isclose(numbers, value, atol=1e-3).any()
    full = removed.isel(stage=0).sel(removal=OWN_AMONG_OTHERS, dose=1)
    rows = drawn[3].data.set_index("what")
    at_full = rows[rows["dose (1)"] == 1.0]
    assert at_full.loc["partial, among others", "change (dB)"] == float(full.mean_removed_db)
    assert at_full.loc["partial, among others", "from (dB)"] == float(full.mean_removed_low)
    assert rows.loc["partials that the codec transmits", "count"] == 4
    assert rows.loc["partials that random weights 1 transmit", "count"] == 4
    assert (drawn[4].data["change (dB)"][1:] < 0).any()
    for one in drawn[3:]:
        assert_captioned(one)


def test_controls_stand_beside_the_encoder(drawn):
    labels = [text.get_text() for text in drawn[0].figure.axes[0].get_yticklabels()]
    assert labels == ["first_layer", "end", "latent", "stft", "stft_magnitude"]


def test_curves_are_the_data(drawn, removed):
    lines = {line.get_label(): line for line in drawn[3].figure.axes[0].get_lines()}
    own = removed.isel(stage=0).sel(removal=OWN_ALONE)
    shown = np.asarray(lines["partial, alone"].get_ydata())
    assert shown == pytest.approx(np.maximum(own.mean_removed_db.values, -60.0))


def test_the_sounds_can_be_heard(removed):
    clips = decoded(removed).clips
    assert len(clips) == 4
    assert all("Hz: " in clip.label for clip in clips)
    loud = []
    for clip in clips:
        with wave.open(io.BytesIO(base64.b64decode(clip.source.split(",")[1]))) as file:
            assert file.getframerate() == 24_000
            samples = np.frombuffer(file.readframes(file.getnframes()), "<i2")
        loud.append(np.sqrt(np.mean((samples / 32767) ** 2)))
    # three of four equal partials are left where one is gone
    assert loud[1] / loud[0] == pytest.approx(np.sqrt(3 / 4), abs=0.02)
    assert loud[2] / loud[0] == pytest.approx(np.sqrt(3 / 4), abs=0.02)
