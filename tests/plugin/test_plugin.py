"""A package that knows only the library's face brings encoders, a probe and claims, and they are at home."""

import json
import shutil
import tomllib
from html.parser import HTMLParser
from pathlib import Path

import pytest
import xarray as xr

from tonotopy.probes.run.schema import validate

from .installing import install, run_with

PACKAGE = Path(__file__).parent / "package"
COMMANDS = {
    "encoders": "encoders",
    "probes": "probes",
    "help": "probe --help",
    "hypotheses": "hypotheses",
    "refused": "probe example_tune --out refused.zarr",
    "probe": "probe example_net --probes invertibility,polarity --baselines 1 --out net.zarr",
    "latents": "latents example_tune --probes latents,reconstruction --samples 100 --out tune.zarr",
    "compare": "compare net.zarr net.zarr --first-subject example_net.random0 --second-subject example_net "
    "--out differences.csv",
    "verdicts": "hypotheses net.zarr",
    "report": "report net.zarr tune.zarr --out page.html",
}
# The commands one after another in one process, each as its own would end.
SCRIPT = """
import contextlib, io, json, sys
from tonotopy.reports.cli import main

ended = {}
for name, command in json.loads(sys.argv[1]).items():
    out, error, sys.argv = io.StringIO(), io.StringIO(), ["tonotopy", *command.split()]
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(error):
        try:
            main()
        except SystemExit as exit:
            code = exit.code
    ended[name] = code, out.getvalue(), error.getvalue()

import xarray as xr
from tonotopy import encoders, probes
from tonotopy.probes.run.registry import named, schema
from tonotopy.probes.run.schema import validate

for name in ("example_net", "example_tune"):
    encoders.check(encoders.load(name))
(polarity,) = named(("polarity",))
probes.check(polarity)
probes.check(polarity, "example_net", sounds=2)
for run in ("net.zarr", "tune.zarr"):
    validate(xr.open_datatree(run))
ended["schema"] = 0, " ".join(schema()["polarity"]), ""
print(json.dumps(ended))
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("user")


@pytest.fixture(scope="module")
def ended(folder):
    """What the commands printed, by name, with the plug-in installed; they ran in `folder`."""
    site = folder / "site-packages"
    shutil.copytree(PACKAGE / "tonotopy_example", site / "tonotopy_example")
    project = tomllib.loads((PACKAGE / "pyproject.toml").read_text())["project"]
    install(site, "tonotopy_example", project["entry-points"])
    return json.loads(run_with(site, SCRIPT, json.dumps(COMMANDS)).splitlines()[-1])


def row_of(ended, command, name):
    """The row of a printed table that begins with a name, and what follows to the next rule."""
    lines = ended[command][1].splitlines()
    start = next(i for i, line in enumerate(lines) if name in line)
    end = next(i for i, line in enumerate(lines[start:], start) if line[0] in "├└")
    return "\n".join(lines[start:end])


def test_all_but_the_melody_model_that_is_to_hear_sounds_ends_well(ended):
    codes = {name: code for name, (code, *_) in ended.items()}
    assert codes.pop("refused") == 2
    assert set(codes.values()) == {0}, ended


def test_the_encoders_are_listed(ended):
    assert "8000" in row_of(ended, "encoders", "example_net")
    assert "first_layer: 8 / 8 / 32" in row_of(ended, "encoders", "example_net")
    row = row_of(ended, "encoders", "example_tune")
    assert "melodies" in row
    assert "latent: 12 for 2 bars" in row


def test_the_probe_is_listed_with_its_question_settings_and_controls(ended):
    row = row_of(ended, "probes", "polarity")
    for part in ("waveform", "upside down", "seconds, sounds", "control:decimator", "control:rectifier"):
        assert part in row
    shown = " ".join(ended["help"][1].split())
    assert "polarity: Does a stage tell a sound from the same sound turned upside down?" in shown
    assert "blindness" in ended["schema"][1].split()


def test_the_claims_are_listed(ended):
    assert "control:decimator <= 0.01" in row_of(ended, "hypotheses", "example_upright")
    assert "control:planted >= 0.7" in row_of(ended, "hypotheses", "example_idle")


def test_a_melody_model_is_refused_before_anything_is_written(ended, folder):
    assert ended["refused"][2] == (
        "error: encoder 'example_tune': takes melodies, not waveforms: ask `tonotopy latents example_tune`\n"
    )
    assert not list(folder.glob("refused*"))


def test_the_network_is_measured_beside_a_random_one_and_the_controls(ended, folder):
    tree = xr.open_datatree(folder / "net.zarr")
    validate(tree)
    for node in ("example_net", "example_net.random0", "control.rectifier"):
        assert {"invertibility", "polarity"} <= set(tree[node].children)
    found = tree["example_net/polarity"].to_dataset()
    assert float(found.blindness.sel(stage="first_layer").max()) < 1e-6  # it is linear
    assert float(found.blindness.sel(stage="latent").mean()) > 0.1
    assert tree["example_net"].attrs["weights_sha256"] != tree["example_net.random0"].attrs["weights_sha256"]


def test_the_claims_are_judged(ended, folder):
    for run, node, claim in (
        ("net.zarr", "example_net", "example_upright"), ("tune.zarr", "example_tune", "example_idle"),
    ):  # fmt: skip
        verdicts = xr.open_datatree(folder / run)[f"{node}/hypotheses"].to_dataset()
        row = verdicts.set_index(hypothesis="hypothesis").sel(hypothesis=claim)
        assert str(row["verdict"].values) == "supported", str(row["remark"].values)
    assert list(verdicts["hypothesis"].values) == ["example_idle"]  # no claim about sounds is judged there
    assert "supported" in row_of(ended, "verdicts", "example upright")


def test_the_probe_is_compared(ended, folder):
    compared = (folder / "differences.csv").read_text()
    assert "polarity,blindness,latent" in compared


class Rows(HTMLParser):
    """The cells of every row of every table."""

    def __init__(self, page):
        super().__init__()
        self.rows, self.cell = [], None
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.cell = ""

    def handle_endtag(self, tag):
        if tag in ("td", "th"):
            self.rows[-1].append(" ".join((self.cell or "").split()))
            self.cell = None

    def handle_data(self, data):
        if self.cell is not None:
            self.cell += data


def test_one_page_reports_all(ended, folder):
    page = (folder / "page.html").read_text()
    rows = Rows(page).rows
    headed = rows.index(["Who", "Stage", "blindness to polarity: 1 where both answers are the same"])
    assert [cells[:2] for cells in rows[headed + 1 : headed + 5]] == [
        [who, stage] for stage in ("first_layer", "latent") for who in ("example_net", "random, 1 seed")
    ]
    known = [cells for cells in rows if "blindness of magnitudes" in cells]
    assert known == [["polarity", "blindness of magnitudes", "1", "1", "yes"]]
    assert "control:rectifier: known answers beside what was measured" in page
    assert any(cells[:3] == ["example upright", "first_layer", "supported"] for cells in rows)
    assert any(cells[:3] == ["example idle", "", "supported"] for cells in rows)
    assert "Does a stage tell a sound from the same sound turned upside down?" in page
    assert "its plug-in is not installed" not in page
