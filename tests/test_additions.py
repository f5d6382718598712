"""What one more probe, encoder, figure and hypothesis touch: each is added to a copy, and used."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from .structure import ROOMS, ROOT

PROBE = '''"""The mean level of a stage."""

import numpy as np

from ..engine.known import Known, mean_of, near
from ..engine.probe import Compared, Probe
from ..engine.schema import dataset, stage_coordinates
from ..engine.channel_levels import channel_levels
from ..engine.stages import chosen_stages
from ...synth.partials import partials

VARIABLES = {**STAGE, "level_db": Variable(("stage",), "dB", "mean level of a stage")}


def mean_level(session):
    stages = chosen_stages(session.encoder, session.stages)
    found = channel_levels(session, partials(200, 800, count=4), stages)
    rms = [found.rms[s].mean() if s in found.rms else np.nan for s in stages]
    level = 20 * np.log10(rms)
    about = stage_coordinates(session.encoder, stages, found.plan)
    del about["channel"]
    return dataset(VARIABLES, {**about, "level_db": level})


MEAN_LEVEL = Probe(
    "mean_level", question="How loud is a stage?", variables=VARIABLES, measure=mean_level,
    compared=Compared("stage", ("level_db",)),
    known=(Known("control:decimator", "level of a tone", *near(-23.01, 0.5, "-23 dB"), mean_of("level_db")),),
)
'''.replace("VARIABLES = {", "from ..engine.variable import STAGE, Variable\n\nVARIABLES = {", 1)
ENCODER = '''"""A decimator under another name."""

from dataclasses import replace

from .controls import decimator


def every_other(weights="pretrained", seed=0, **options):
    made = decimator(weights=weights, seed=seed, **options)
    made.name = "every_other"
    return made
'''
FIGURE = '''"""The mean level over stages."""

from ..drawing import Illustration, canvas


def mean_level(result):
    with canvas(2.0, "level") as figure:
        figure.subplots().plot(result["level_db"].values, "o")
    return Illustration("mean-level", "level", figure, "How loud is each stage?", "Dots.", "Dots of levels.",
                        "The higher a dot, the louder its stage.")
'''
CHAPTER = """
from ..figures.filters.mean_level import mean_level

CHAPTERS = (
    *CHAPTERS,
    Chapter(
        "mean_level", columns=(measured("level_db", "Level, mean", "mean level", "dB"),),
        figures=lambda subject, controls: [mean_level(subject.result("mean_level"))],
    ),
)
"""
HYPOTHESIS = """

def _level(run, node, stage):
    return PerUnit([float(measured(run, node, "mean_level", "level_db", stage))] * 8, (-120.0, 20.0))


FILTER_CLAIMS = (
    *FILTER_CLAIMS,
    Hypothesis("quiet", "mean level of a stage", _level, "below", 0.0, "first_layer", "mean_level",
               claim="stages are quiet", controls=(Control("control:decimator", high=0.0),)),
)
"""
SCRIPT = """
import sys
import xarray as xr
from tonotopy.probes.run.runner import probe
from tonotopy.reports import report

run = probe(["every_other"], "run.zarr", probes=["mean_level"], seed=0)
tree = xr.open_datatree(run)
verdicts = tree["every_other/hypotheses"].to_dataset().set_index(hypothesis="hypothesis")
print(float(tree["every_other/mean_level"].level_db[0]), verdicts.verdict.sel(hypothesis="quiet").item())
report([run], "page.html")
"""


@pytest.fixture
def tree(tmp_path):
    """Copy the library to where a process of its own finds it."""
    copy = tmp_path / "site" / "tonotopy"
    for room in ROOMS:
        shutil.copytree(ROOT / room, copy / room, ignore=shutil.ignore_patterns("*.safetensors", "*.png"))
    return copy


def append(path: Path, text: str) -> str:
    path.write_text(path.read_text() + text)
    return str(path)


def insert(path: Path, after: str, line: str) -> str:
    assert after in path.read_text()
    path.write_text(path.read_text().replace(after, f"{after}\n{line}", 1))
    return str(path)


def create(path: Path, text: str) -> str:
    assert not path.exists()
    path.write_text(text)
    return str(path)


def test_one_more_of_each_touches_few_files(tree, tmp_path):
    chapters = tree / "reports/chapters/filters.py"
    probe = {
        create(tree / "probes/filters/mean_level.py", PROBE),
        insert(
            tree / "probes/run/registry.py",
            '"..filters.tiling:TILING",',
            '    "..filters.mean_level:MEAN_LEVEL",',
        ),
        append(chapters, CHAPTER),
        "its test",
    }  # fmt: skip
    figure = {create(tree / "reports/figures/filters/mean_level.py", FIGURE), str(chapters)}
    encoder = {
        create(tree / "encoders/every_other.py", ENCODER),
        insert(
            tree / "encoders/registry.py", '"control:decimator": ".controls:decimator",',
            '    "every_other": ".every_other:every_other",',
        ),
    }  # fmt: skip
    hypothesis = {append(tree / "probes/hypotheses/filters.py", HYPOTHESIS)}
    assert [len(touched) for touched in (probe, encoder, figure, hypothesis)] == [4, 2, 2, 1]
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], cwd=tmp_path, capture_output=True, text=True,
        env={**os.environ, "PYTHONPATH": str(tree.parent)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    level, verdict = done.stdout.split(maxsplit=1)
    assert float(level) == pytest.approx(-23.01, abs=0.5)
    assert verdict.strip() in ("supported", "undecided")
    page = (tmp_path / "page.html").read_text()
    for shown in ("Level, mean", "How loud is each stage?", "level of a tone", "quiet"):
        assert shown in page
