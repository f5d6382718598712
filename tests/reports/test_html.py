import base64
import io
import os
import re
import shutil
import subprocess
import wave
from dataclasses import replace
from html.parser import HTMLParser

import numpy as np
import pytest
import xarray as xr
from PIL import Image

from tonotopy.reports import contents as contents_module
from tonotopy.reports import html as page_module
from tonotopy.reports import report
from tonotopy.reports.audio import data_uri
from tonotopy.reports.figures.filters.tonotopic_map import tonotopic_maps
from tonotopy.synth.errors import InputError

FIGURES = 19  # of an encoder
VOID = {"meta", "img", "br", "link", "input", "hr", "wbr"}


class Page(HTMLParser):
    """Collects elements, and checks that what is opened is closed."""

    def __init__(self, text):
        super().__init__()
        self.elements, self.open, self.text = [], [], []
        self.feed(text)
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)

    def all(self, tag):
        return [attributes for name, attributes in self.elements if name == tag]


def drawing(monkeypatch, **figures):
    """Let encoders have the given figures only, by probe."""
    original = contents_module.chapter_of
    monkeypatch.setattr(
        contents_module,
        "chapter_of",
        lambda probe: replace(original(probe), figures=figures.get(probe.name, lambda subject, controls: ())),
    )


@pytest.fixture
def few_figures(monkeypatch):
    """Leave the encoder's figures out where a test is about files."""
    drawing(monkeypatch)


@pytest.fixture(scope="module")
def path(run, tmp_path_factory):
    return report([run], tmp_path_factory.mktemp("page") / "report.html")


@pytest.fixture(scope="module")
def page(path):
    return Page(path.read_text(encoding="utf-8"))


def test_every_figure_has_words(page):
    drawn = [one for one in page.all("div") if one.get("class") == "drawing"]
    words = [one["aria-label"] for one in drawn] + [image["alt"] for image in page.all("img")]
    assert len(words) == len(page.all("figure")) == len(page.all("figcaption")) == FIGURES + 2
    assert drawn
    assert all(len(text) > 40 for text in words)


def test_the_page_fetches_nothing(page, path):
    for _, attributes in page.elements:
        for name in ("src", "href", "xlink:href", "srcset", "poster", "data"):
            target = attributes.get(name)
            assert target is None or target.startswith(("data:", "#")), target[:80]
    assert page.all("script") == []
    assert page.all("link") == []
    css = re.search(r"<style>(.*?)</style>", path.read_text(encoding="utf-8"), re.S)
    assert css is not None
    assert "url(" not in css[1]
    assert "@import" not in css[1]


def test_links_lead_somewhere(page):
    ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    targets = [one.get("href", one.get("xlink:href")) for _, one in page.elements]
    assert {target[1:] for target in targets if target and target.startswith("#")} <= set(ids)


def test_the_page_is_small_and_made_for_phones(page, path):
    assert path.stat().st_size < 10_000_000
    assert any(meta.get("name") == "viewport" for meta in page.all("meta"))


def test_what_comes_from_the_run_is_escaped(path, page):
    text = path.read_text(encoding="utf-8")
    assert "<script>alert" not in text
    assert any("<script>alert(1)</script>" in data for data in page.text)


def test_provenance_names_weights_and_stimuli(page, run):
    text = " ".join(page.text)
    assert "0123456789abcdef" * 4 in text
    for kind in ("partials", "pitches", "chords"):
        assert run[f"stimuli/{kind}"].attrs["sha256"] in text


def test_sounds_decode_whole_and_unclipped(page):
    clips = page.all("audio")
    assert len(clips) == 9
    for clip in clips:
        header, data = clip["src"].split(",", 1)
        assert header == "data:audio/wav;base64"
        with wave.open(io.BytesIO(base64.b64decode(data))) as file:
            assert (file.getnchannels(), file.getsampwidth()) == (1, 2)
            assert file.getframerate() <= 24_000
            samples = np.frombuffer(file.readframes(file.getnframes()), dtype="<i2")
        assert len(samples) == file.getframerate()
        full = np.abs(samples.astype(int)) >= 32767
        assert full.sum() <= 1  # a peak may touch full scale, a clipped wave stays there
        assert np.abs(samples).max() > 1000
        assert samples[0] == 0


def test_sounds_keep_their_level_unless_they_would_clip():
    tone = 0.1 * np.sin(2 * np.pi * 440 * np.arange(8000) / 8000)
    for gain, lowered, peak in ((1.0, False, 0.1), (20.0, True, 1.0)):
        source, said = data_uri(gain * tone, 8000)
        with wave.open(io.BytesIO(base64.b64decode(source.split(",", 1)[1]))) as file:
            samples = np.frombuffer(file.readframes(8000), dtype="<i2")
        assert said is lowered
        assert np.abs(samples).max() == pytest.approx(32767 * peak, rel=1e-3)


def one_map(subject, controls):
    return [tonotopic_maps(subject.result("selectivity"), name=subject.name)]


def test_two_encoders_are_compared_in_one_table(run, tmp_path, monkeypatch):
    other = run.copy(deep=True)
    other["toy"].attrs["encoder"] = "other"
    drawing(monkeypatch, selectivity=one_map)
    page = Page(report([run, other], tmp_path / "two.html").read_text(encoding="utf-8"))
    text = " ".join(page.text)
    assert "What toy and other represent" in text
    assert "Encoders side by side" in text
    assert len(page.all("figure")) == 2 + 1 + 2  # both, side by side, and the controls: the same, shown once


@pytest.mark.usefixtures("few_figures")
def test_a_run_on_disk_reads_like_the_one_in_memory(run, tmp_path):
    run.to_zarr(tmp_path / "run.zarr", zarr_format=2)
    pages = [report([source], tmp_path / "page.html").read_bytes() for source in (run, tmp_path / "run.zarr")]
    assert pages[0] == pages[1]


def test_an_encoder_without_baselines_or_controls(run, tmp_path):
    kept = {name: run[f"toy/{name}"].copy() for name in ("selectivity", "aliasing")}
    toy = xr.DataTree(run["toy"].to_dataset(), children=kept)
    alone = xr.DataTree(run.to_dataset(), children={"toy": toy})
    page = Page(report([alone], tmp_path / "alone.html").read_text(encoding="utf-8"))
    assert len(page.all("figure")) == 5 + 6
    assert {"#c-selectivity", "#c-aliasing"} <= {a["href"] for a in page.all("a")}


@pytest.mark.usefixtures("few_figures")
def test_what_was_not_probed_is_left_out(run, tmp_path):
    for kept, titles in (
        ({"selectivity"}, ["Selectivity"]),
        ({"aliasing"}, ["Aliasing"]),
        ({"tiling"}, ["Tiling"]),
        ({"aliasing", "tiling"}, ["Aliasing", "Tiling"]),
    ):
        subjects = {
            node: xr.DataTree(
                run[node].to_dataset(),
                children={n: run[node][n].copy() for n in run[node].children if n in kept},
            )
            for node in ("toy", "toy.random0", "control.decimator")
        }
        tree = xr.DataTree(run.to_dataset(), children=subjects)
        page = Page(report([tree], tmp_path / "some.html").read_text(encoding="utf-8"))
        text = " ".join(page.text)
        assert [t for t in ("Selectivity", "Aliasing", "Tiling") if f"{t}. The encoder" in text] == titles
        assert "#stimuli" not in [a["href"] for a in page.all("a")]  # nothing is stored of what was played


def test_known_answers_stand_beside_what_was_measured(page):
    text = re.sub(r"\s+", " ", " ".join(page.text))
    assert "collapse 1.00 ± 0.01" not in text  # not measured: no pair shares a fold
    assert "control:decimator: known answers beside what was measured" in text
    assert "aliasing share of power at the predicted fold 1 1 yes" in text


@pytest.mark.usefixtures("few_figures")
def test_our_own_page_is_replaced_and_nothing_else(run, tmp_path):
    out = report([run], tmp_path / "report.html")
    assert report([run], out) == out
    other = tmp_path / "thesis.html"
    other.write_text("<!doctype html><p>years of work")
    with pytest.raises(InputError, match=r"thesis\.html: exists and is not a report"):
        report([run], other)
    assert other.read_text() == "<!doctype html><p>years of work"
    with pytest.raises(InputError, match="is a folder"):
        report([run], tmp_path)


@pytest.mark.usefixtures("few_figures")
def test_nothing_is_left_of_a_page_that_could_not_be_written(run, tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(OSError, match="No space"):
        report([run], tmp_path / "report.html")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.usefixtures("few_figures")
def test_a_page_that_would_be_too_large_is_refused(run, tmp_path, monkeypatch):
    monkeypatch.setattr(page_module, "LARGEST_BYTES", 50_000)
    monkeypatch.setattr(page_module, "RESOLUTIONS_DPI", (30,))
    with pytest.raises(InputError, match="give fewer runs"):
        report([run], tmp_path / "report.html")
    assert list(tmp_path.iterdir()) == []


def test_what_is_no_finished_run_is_refused(run, tmp_path):
    (tmp_path / "half.zarr.partial").mkdir()
    (tmp_path / "text.zarr").write_text("no")
    (tmp_path / "empty").mkdir()
    xr.Dataset({"a": ("x", [1.0])}).to_zarr(tmp_path / "other.zarr", zarr_format=2)
    old = run.copy(deep=True)
    old.attrs["schema_version"] = "0"
    old.to_zarr(tmp_path / "old.zarr", zarr_format=2)
    bare = xr.DataTree(run.to_dataset())
    bare.to_zarr(tmp_path / "bare.zarr", zarr_format=2)
    # a page is drawn only once the run is accepted, so none is drawn here
    expected = {
        "nowhere.zarr": "no such folder",
        "half.zarr": "not finished",
        "half.zarr.partial": "not finished",
        "text.zarr": "cannot be read",
        "empty": "empty",
        "other.zarr": "not a tonotopy result",
        "old.zarr": "schema version 0",
        "bare.zarr": "holds no encoder",
    }
    for name, message in expected.items():
        with pytest.raises(InputError, match=message) as caught:
            report([tmp_path / name], tmp_path / "report.html")
        assert name in str(caught.value)
        assert "\n" not in str(caught.value)
    with pytest.raises(InputError, match="no run given"):
        report([], tmp_path / "report.html")


@pytest.mark.parametrize("width", [390, 1280])
def test_a_browser_shows_it_without_sideways_scrolling(path, tmp_path, width, chromium):
    ask = (
        "<script>addEventListener('load', () => {const d = document; parent.postMessage("
        "[d.documentElement.scrollWidth, innerWidth, [...d.images].filter(i => i.naturalWidth > 0).length,"
        "d.images.length, d.querySelectorAll('figure').length].join(' '), '*')})</script>"
    )
    # the page's own policy forbids scripts, also ours
    text = re.sub(r"<meta http-equiv=[^>]*>", "", path.read_text(encoding="utf-8"))
    (tmp_path / "copy.html").write_text(text.replace("</body>", ask + "</body>"), encoding="utf-8")
    # in a frame, since a window is at least 500 wide
    frame = tmp_path / "frame.html"
    frame.write_text(
        "<!doctype html><title>none</title><script>addEventListener('message', e => "
        "{document.title = e.data})"
        f"</script><iframe src='copy.html' width='{width}' height='844' frameborder='0'></iframe>"
    )
    dom = chromium("--window-size=1400,900", "--virtual-time-budget=5000", "--dump-dom", frame.as_uri())
    answer = re.search(r"<title>([\d ]+)</title>", dom)
    assert answer, dom[:500]
    scroll_width, inner_width, loaded, images, drawn = map(int, answer[1].split())
    assert inner_width == width
    assert scroll_width <= inner_width
    assert loaded == images
    assert drawn == FIGURES + 2

    picture = tmp_path / "page.png"
    chromium(f"--window-size={width},844", f"--screenshot={picture}", path.as_uri())
    pixels = np.asarray(Image.open(picture).convert("L"))
    assert pixels.shape[1] == width
    assert pixels.std() > 10  # text on a page; a blank one has 0


@pytest.fixture
def chromium(tmp_path):
    binary = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if binary is None:
        pytest.skip("no chromium on PATH: the page is not looked at in a browser")
    flags = (
        "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
        "--disable-component-update", "--disable-sync", "--hide-scrollbars",
        f"--user-data-dir={tmp_path / 'profile'}",
    )  # fmt: skip

    def start(*arguments):
        command = [binary, *flags, *arguments]
        return subprocess.run(command, capture_output=True, text=True, timeout=120, check=True).stdout

    return start
