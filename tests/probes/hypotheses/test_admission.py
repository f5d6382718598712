"""Whether claims get encoders of known truth right by their own rule.

The cheap ones always; all of them with ``pytest -m slow`` on this file: the outcome is in ``admission.md``.
"""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
import xarray as xr
from torch import nn

from tonotopy.encoders import load, wrap
from tonotopy.encoders.weights import randomly_initialised
from tonotopy.probes.composition.access import access
from tonotopy.probes.composition.draws import SWEPT, USUAL
from tonotopy.probes.engine.checkpoint import node_name
from tonotopy.probes.engine.schema import subject_attributes
from tonotopy.probes.engine.session import Session
from tonotopy.probes.hypotheses.admission import complaints
from tonotopy.probes.hypotheses.registry import HYPOTHESES
from tonotopy.probes.hypotheses.verdicts import decide, deepest, family_sizes, found_at
from tonotopy.probes.run.registry import registered

RECORD = Path(__file__).with_name("admission.md")
BY_NAME = {h.name: h for h in HYPOTHESES}
PROBES = {probe.name: probe for probe in registered()}
CHEAP = (
    "control:patches",
    "control:decimator",
    "control:loudness",
    "control:texture",
    "control:two_bands",
    "control:sign_hash",
    "filterbank:stft_magnitude",
)
QUICK = ("partials_are_present", "stable_partials_latent", "readable_partials", "partials_have_a_place")
WITH_PRESENCE = ("stability", "chord_composition")  # groups whose claims read presence, too
# access has densities of its own, and claims about it are about partials
CONDITIONS = {**dict.fromkeys(("presence", "stability", "place"), SWEPT), "access": (USUAL,)}


def subject(run, node, encoder, role="control", of="", baseline=""):
    run[node] = xr.DataTree(xr.Dataset(attrs=subject_attributes(encoder, role, of, baseline)))


def measured(hypotheses, conditions):
    """What claims name as known truth, each by the probes that the claims need."""
    needed = {}
    for hypothesis in hypotheses:
        for name in (*hypothesis.positive, *hypothesis.negative):
            needed.setdefault(name, set()).add(hypothesis.group)
            if hypothesis.group in WITH_PRESENCE:
                needed[name].add("presence")
    run = xr.DataTree()
    for name, groups in needed.items():
        session = Session(load(name))
        subject(run, node_name(name), session.encoder)
        for group in sorted(groups):
            settings = {"conditions": conditions[group]} if group in conditions else {}
            found = PROBES[group].with_settings(**settings)(session)
            run[f"{node_name(name)}/{group}"] = xr.DataTree(found)
    return run


# --- the cheap ones -------------------------------------------------------------------------------------


def among(names, hypothesis):
    positive, negative = (
        tuple(name for name in several if name in names)
        for several in (hypothesis.positive, hypothesis.negative)
    )
    return replace(hypothesis, positive=positive, negative=negative)


@pytest.fixture(scope="module")
def cheap():
    return measured([among(CHEAP, BY_NAME[name]) for name in QUICK], dict.fromkeys(CONDITIONS, (USUAL,)))


@pytest.mark.parametrize("name", QUICK)
def test_cheap_known_truth_is_got_right(name, cheap):
    hypothesis = among(CHEAP, BY_NAME[name])
    assert hypothesis.positive
    assert hypothesis.negative
    assert complaints(hypothesis, cheap) == []


# --- all of them ----------------------------------------------------------------------------------------


def written(run):
    """The record, as a table."""
    lines = [
        "# Admission",
        "",
        "What the claims' own rules say of encoders of known truth, of which they must say *due*, corrected "
        "over the family. Written by `pytest -m slow tests/probes/hypotheses/test_admission.py`.",
        "",
        "| claim | encoder | due | verdict | effect | 95 % interval |",
        "|---|---|---|---|---|---|",
    ]
    for hypothesis in HYPOTHESES:
        dues = {
            **dict.fromkeys(hypothesis.positive, "supported"), **dict.fromkeys(hypothesis.negative, "refuted")
        }  # fmt: skip
        for name, due in dues.items():
            node = node_name(name)
            found = found_at(run, node, hypothesis, deepest(run, node, hypothesis), seed=0)
            decide([hypothesis], [found], family_sizes([hypothesis]), seed=0)
            lines.append(
                f"| {hypothesis.name} | {name} | {due} | {found.verdict} | {found.effect:.3g} | "
                f"{found.low:.3g} to {found.high:.3g} |"
            )
    missing = [h.name for h in HYPOTHESES if not h.positive and not h.negative]
    lines += ["", f"Claims that name no encoder of known truth: {', '.join(missing)}."]
    return "\n".join(lines) + "\n"


@pytest.mark.slow
def test_every_claim_gets_known_truth_right_by_its_own_rule():
    run = measured(HYPOTHESES, CONDITIONS)
    RECORD.write_text(written(run))
    assert [f"{h.name}: {text}" for h in HYPOTHESES for text in complaints(h, run)] == []


# --- beside networks drawn at random, and beside others -------------------------------------------------


class SingleSamples(nn.Module):
    """Random gains of one sample in eighty: whatever they are, they tell loudness alone."""

    def __init__(self):
        super().__init__()
        self.gains = nn.Conv1d(1, 4, 1, stride=80)
        self.end = nn.Tanh()

    def forward(self, x):  # [B, 1, T]
        return self.end(self.gains(x))


class Magnitudes(nn.Module):
    """Magnitudes of a short-time spectrum, by a basis that no baseline changes."""

    def __init__(self):
        super().__init__()
        turns = 2 * torch.pi * torch.outer(torch.arange(2.0, 160.0, 2.0), torch.arange(320) / 320)
        lines = torch.cat([turns.cos(), turns.sin()]) * torch.hann_window(320) / 40
        self.basis = nn.Conv1d(1, len(lines), 320, stride=160, bias=False)
        self.basis.weight.data = lines[:, None]
        self.end = nn.Identity()

    def forward(self, x):  # [B, 1, T]
        real, imaginary = self.basis(x).chunk(2, dim=1)
        return self.end(torch.hypot(real, imaginary))


@pytest.fixture(scope="module")
def networks():
    """Both, with networks drawn at random at their scale."""
    run = xr.DataTree()
    for node, network, fixed in (("blind", SingleSamples, ()), ("seeing", Magnitudes, ("basis",))):
        encoder = wrap(randomly_initialised(network, 0), 24_000, {"latent": "end"}, node, fixed=fixed)
        subject(run, node, encoder, "encoder")
        run[f"{node}/access"] = xr.DataTree(access(encoder))
        for seed in (1, 2, 3):
            drawn = encoder.randomised(seed, kind="matched")
            subject(run, f"{node}.matched{seed}", drawn, "baseline", node, "matched")
            run[f"{node}.matched{seed}"].attrs["encoder"] = ""  # of two others too little can be said
            run[f"{node}.matched{seed}/access"] = xr.DataTree(access(drawn))
    return run


def test_what_no_weights_can_read_is_architectural_and_what_a_fixed_basis_reads_is_not(networks):
    hypothesis = replace(BY_NAME["architectural"], positive=("blind",), negative=("seeing",))
    assert complaints(hypothesis, networks) == []


def test_encoders_are_the_same_if_none_of_them_can_be_read(networks):
    alike, unlike = xr.DataTree(), networks.copy()
    for node, of in (("blind", "blind"), ("other", "blind.matched1")):
        alike[node] = xr.DataTree(xr.Dataset(attrs={**networks["blind"].attrs, "encoder": node}))
        alike[f"{node}/access"] = xr.DataTree(networks[of]["access"].to_dataset())
    hypothesis = BY_NAME["same_across_encoders"]
    assert complaints(replace(hypothesis, positive=("blind", "other")), alike) == []
    assert complaints(replace(hypothesis, negative=("blind", "seeing")), unlike) == []
