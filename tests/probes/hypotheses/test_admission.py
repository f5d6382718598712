"""Claims are supported for encoders of which they are true, and refuted for others, by their own rule."""

import pytest
import xarray as xr

from tonotopy.encoders import load
from tonotopy.probes.composition.waveform_shape import waveform_shape
from tonotopy.probes.engine.session import Session
from tonotopy.probes.hypotheses.hypothesis import two_sided, verdict_p
from tonotopy.probes.hypotheses.registry import HYPOTHESES
from tonotopy.probes.interventions.interventions import interventions

from ..composition.test_waveform_shape import nearest

BY_NAME = {h.name: h for h in HYPOTHESES}


def by_own_rule(hypothesis, evidence):
    """The verdict of a hypothesis on its own: no other is corrected for."""
    low, high = evidence.interval(0)
    p = two_sided(*verdict_p(evidence, hypothesis.holds, hypothesis.threshold))
    if p > 0.05:
        return "undecided"
    return (
        "supported"
        if low > hypothesis.threshold
        else "refuted"
        if high < hypothesis.threshold
        else "undecided"
    )


@pytest.mark.parametrize(
    ("encoder", "verdict"),
    [
        (lambda: load("control:texture"), "supported"),
        (lambda: nearest(256, 160), "supported"),
        (lambda: load("filterbank:stft"), "refuted"),
        (lambda: load("filterbank:stft_magnitude"), "refuted"),
        (lambda: load("filterbank:gammatone"), "refuted"),
        (lambda: load("filterbank:stft_mixed"), "refuted"),
        (lambda: load("filterbank:divisive_tracker"), "refuted"),
        (lambda: load("control:patches"), "refuted"),
        (lambda: load("control:patches_mixed"), "refuted"),
        (lambda: load("control:decimator"), "refuted"),
    ],
)
def test_waveform_shape_is_supported_for_patterns_alone(encoder, verdict):
    hypothesis, subject = BY_NAME["waveform_shape_over_spectrum"], encoder()
    found = waveform_shape(Session(subject), detunings_hz=[10.0])
    run = xr.DataTree()
    run["a/waveform_shape"] = xr.DataTree(found)
    assert by_own_rule(hypothesis, hypothesis.evidence(run, "a", str(found.stage.values[0]))) == verdict


@pytest.mark.parametrize(
    ("codec", "verdict"), [("control:identity_codec", "supported"), ("control:mu_law_codec", "refuted")]
)
def test_removal_is_supported_where_all_adds_up_and_refuted_where_nothing_does(codec, verdict):
    found = interventions(Session(load(codec)), tested=1, doses=[0, 1], random_planes=1)
    run = xr.DataTree()
    run["a/interventions"] = xr.DataTree(found)
    hypothesis = BY_NAME["removable_partials"]
    assert by_own_rule(hypothesis, hypothesis.evidence(run, "a", "latent")) == verdict
