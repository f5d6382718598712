"""Chapters: every probe has one, a plug-in's too, and one page holds encoders of any modality."""

from types import SimpleNamespace

import numpy as np
import pytest
import xarray as xr

from tonotopy.probes.engine.probe import Probe
from tonotopy.probes.engine.schema import dataset
from tonotopy.probes.engine.variable import STAGE, Variable
from tonotopy.probes.run import registry
from tonotopy.probes.run.registry import registered
from tonotopy.reports import report
from tonotopy.reports.chapters import CHAPTERS, chapter_of, panels
from tonotopy.reports.numbers import table_of
from tonotopy.reports.runs import Subject, encoders_of

from ..reports import latents as made_up
from .conftest import STAGES, stage_variables
from .test_html import Page

BRIGHTNESS = Probe(
    "brightness",
    question="How bright is what a stage makes of a tone?",
    variables={
        **STAGE,
        "centroid": Variable(("stage",), "Hz", "centre of the spectrum"),
        "tilt": Variable(("stage", "channel"), "dB per octave", "tilt of the spectrum"),
        "remark": Variable(("stage",), "1", "what to know of it"),
    },
    measure=lambda session: xr.Dataset(),
)


def brightness():
    tilt = np.full((3, 20), np.nan)
    tilt[0, :12], tilt[1], tilt[2, :3] = -6.0, 3.0, 0.0
    values = {"centroid": np.array([1234.0, 99.0, 7.0]), "tilt": tilt, "remark": np.array(["", "odd", ""])}
    return dataset(BRIGHTNESS.variables, {**values, **stage_variables(STAGES)})


@pytest.fixture
def plugged_in(monkeypatch):
    point = SimpleNamespace(name="brightness", load=lambda: BRIGHTNESS)
    monkeypatch.setattr(registry, "entry_points", lambda group: [point])


def with_brightness(run):
    toy = xr.DataTree(run["toy"].to_dataset(), children={"brightness": xr.DataTree(brightness())})
    return xr.DataTree(run.to_dataset(), children={"toy": toy})


def melodic(of="", role="encoder", name="tune", random=False):
    attributes = {
        "encoder": name, "modality": "melody", "role": role, "of": of, "steps": 32, "latent_dimensions": 16,
        "weights_source": "random", "weights_sha256": "fedcba9876543210" * 4, "weights_note": "",
        "refused": "traversals: it has no decoder",
    }  # fmt: skip
    latents = made_up.latents(random=random)
    latents.attrs["materials"] = "300 tunes"
    children = {"latents": xr.DataTree(latents), "features": xr.DataTree(made_up.features())}
    return xr.DataTree(xr.Dataset(attrs=attributes), children=children)


def test_every_probe_has_a_chapter_and_every_chapter_a_probe():
    assert {probe.name for probe in registered()} == set(CHAPTERS)
    assert all(chapter_of(probe).probe == probe.name for probe in registered())
    for chapter in CHAPTERS.values():
        assert len({c.explanation for c in chapter.columns}) == len(chapter.columns), chapter.probe


def test_what_two_runs_are_compared_by_has_panels_of_its_probe():
    compared = {probe.name: probe.compared.variables for probe in registered() if probe.compared is not None}
    assert all(variable in compared[probe] for probe, variable, _ in panels())


def test_a_probe_without_a_chapter_gets_a_table_of_its_variables(run):
    (toy,) = encoders_of(with_brightness(run))
    chapter = chapter_of(BRIGHTNESS)
    table = table_of(chapter, [toy], [])
    assert chapter.title == "Brightness"
    assert [(c.heading, c.explanation) for c in table.columns] == [
        ("centre of the spectrum (Hz)", "centroid"),
        ("tilt of the spectrum (dB per octave)", "tilt, mean over channel"),
    ]
    assert [(row.stage, *(cell.text for cell in row.cells)) for row in table.rows] == [
        ("first_layer", "1.23e+03", "-6"), ("stack_end", "99", "3"), ("codes", "7", "0"),
    ]  # fmt: skip


@pytest.mark.usefixtures("plugged_in")
def test_the_page_shows_what_a_plugged_in_probe_measured(run, tmp_path):
    page = Page(report([with_brightness(run)], tmp_path / "page.html").read_text(encoding="utf-8"))
    text = " ".join(" ".join(page.text).split())
    assert "Brightness. The encoder at its stages" in text
    assert "tilt of the spectrum (dB per octave)" in text
    assert BRIGHTNESS.question in text
    assert "#c-brightness" in {a["href"] for a in page.all("a")}


def test_what_a_probe_measured_that_is_not_installed_is_named(run, tmp_path):
    page = Page(report([with_brightness(run)], tmp_path / "page.html").read_text(encoding="utf-8"))
    text = " ".join(" ".join(page.text).split())
    assert "brightness: its plug-in is not installed here" in text


def test_encoders_of_sounds_and_of_melodies_make_one_page(run, tmp_path):
    own = {"tiling": xr.DataTree(run["toy/tiling"].to_dataset())}
    toy = xr.DataTree(run["toy"].to_dataset(), children=own)
    children = {
        "toy": toy, "tune": melodic(), "tune.random0": melodic("tune", "baseline", random=True),
        "stimuli": run["stimuli"].copy(),
    }  # fmt: skip
    tree = xr.DataTree(run.to_dataset(), children=children)
    page = Page(report([tree], tmp_path / "page.html").read_text(encoding="utf-8"))
    text = " ".join(" ".join(page.text).split())
    assert "What toy and tune represent" in text
    assert "toy (22,050 samples per second, weights 012345) and tune (32 steps, 16 latent dimensions" in text
    assert "1 network of random weights. Played: 400 partials" in text
    assert {"#c-tiling", "#c-latents", "#c-features"} <= {a["href"] for a in page.all("a")}
    assert "Tiling. The encoder at its stages" in text
    assert "Active latents. The encoder, random weights as lowest to highest over seeds" in text
    assert "toy – first_layer:" in text
    assert "tune – 3 of 16 dimensions (19 %) are active latents" in text
    assert "Could not be measured of tune: traversals: it has no decoder." in text
    assert "Side by side" not in text  # nothing was measured of both
    both = Page(report([tree, tree], tmp_path / "page.html").read_text(encoding="utf-8"))
    assert {"compared-comparison", "compared-models-side-by-side"} <= {f["id"] for f in both.all("figure")}


@pytest.mark.parametrize(
    ("active", "said"), [(0, "0 of 16 dimensions (0 %) are"), (1, "1 of 16 dimensions (6 %) is an active")]
)
def test_few_or_no_active_latents_make_a_sentence(active, said):
    found = made_up.latents(music=active)
    tree = xr.DataTree(xr.Dataset(attrs={"encoder": "tune"}), children={"latents": xr.DataTree(found)})
    subject = Subject("tune", tree)
    sentences = list(CHAPTERS["latents"].findings(subject))
    assert said in sentences[0]
    assert not any("nan" in sentence for sentence in sentences)
    values = [c.of(found, "") for c in CHAPTERS["latents"].columns]
    assert values[:2] == [16, active]
    assert np.isfinite(values[-1]) == (active > 0)
