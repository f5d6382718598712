"""A quantity that a claim is judged by is one number, wherever a page shows it."""

import numpy as np
import pytest
import xarray as xr

from tonotopy.encoders import load
from tonotopy.probes import HYPOTHESES, Session
from tonotopy.probes.composition import access, place, presence
from tonotopy.probes.folding.aliasing import aliasing
from tonotopy.probes.folding.coherence import coherent_partials
from tonotopy.probes.tokens.codes import codes
from tonotopy.reports.chapters import CHAPTERS

CLAIMS = {one.name: one for one in HYPOTHESES}


@pytest.fixture(scope="module")
def found():
    """What probes find of an encoder that is no easy case: patches of a codebook."""
    encoder = load("control:texture")
    tones = coherent_partials(encoder, low_hz=300, high_hz=3000)
    return {
        "presence": presence.measure(Session(encoder), conditions=(presence.USUAL,)),
        "access": access.measure(Session(encoder), conditions=(presence.USUAL,)),
        "place": place.measure(Session(encoder), conditions=(presence.USUAL,)),
        "aliasing": aliasing(Session(encoder), tones),
        "codes": codes(Session(encoder), contexts=3, phases=4),
    }


@pytest.mark.parametrize(
    ("claim", "heading", "stage"),
    [
        ("partials_are_present", "Presence", "quantized"),
        ("partials_have_a_place", "Place", "quantized"),
        ("alias_collapse", "Collapse", "quantized"),
        ("codes_are_reused", "Codes reused", "codes"),
    ],
)
def test_a_table_shows_the_number_that_the_claim_is_judged_by(found, claim, heading, stage):
    of = CLAIMS[claim]
    evidence = of.evidence(xr.DataTree.from_dict({f"/it/{of.group}": found[of.group]}), "it", stage)
    (column,) = (c for c in CHAPTERS[of.group].columns if c.heading == heading)
    assert column.of(found[of.group], stage) == pytest.approx(evidence.effect, rel=1e-6)
    ends = [end(found[of.group], stage) for end in (column.low, column.high)]
    if np.isfinite(ends).all():  # where a table has an interval, it is the verdict's
        assert ends == pytest.approx(evidence.interval(), rel=1e-5, abs=1e-6)


def test_a_readout_has_one_interval(found):
    of = CLAIMS["readable_partials"]
    evidence = of.evidence(xr.DataTree.from_dict({"/it/access": found["access"]}), "it", "quantized")
    columns = [c for c in CHAPTERS["access"].columns if c.heading in ("Linear, 16", "Quadratic, 16")]
    shown = [(c.of(found["access"], "quantized"), c) for c in columns]
    value, column = max(shown, key=lambda one: one[0])
    ends = [end(found["access"], "quantized") for end in (column.low, column.high)]
    assert (value, *ends) == pytest.approx((evidence.effect, *evidence.interval()))
