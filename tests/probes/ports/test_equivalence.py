"""Ports with one fault each: found at the right stage, named, and said."""

import json

import numpy as np
import pytest
import torch
from torch.nn.utils import parametrize

from tonotopy.encoders import InputError, load, wrap
from tonotopy.encoders.variants import in_batches, moved
from tonotopy.probes import equivalence
from tonotopy.reports import ports

from .codecs import RATE, STAGES, Port, codec, delayed, encoder_of, ported, with_module

NORMED = (
    "first.conv",
    "blocks.0.inner.conv",
    "blocks.0.down.conv",
    "blocks.1.inner.conv",
    "blocks.1.down.conv",
    "last.conv",
)


@pytest.fixture(scope="module")
def original():
    return encoder_of(codec())


def found_in(original, port, **options):
    """What the check says: the tree, kind and stage of its first finding, and the details."""
    tree = equivalence(original, port, progress=False, **options)
    group = tree["findings"].to_dataset()
    if not group.sizes["finding"]:
        return tree, "", "", {}
    first = group.isel(finding=0)
    return tree, str(first["kind"].item()), str(first["at_stage"].item()), json.loads(first["details"].item())


def padded_right(layer):
    def change(module):
        module.get_submodule(layer).is_left = False

    return change


def unfolded(*layers):
    def change(module):
        for layer in layers:
            conv = module.get_submodule(layer)
            direction = conv.parametrizations.weight.original1.detach().clone()
            parametrize.remove_parametrizations(conv, "weight")
            conv.weight.copy_(direction)

    return change


def exchanged(module):
    one, other = (module.books[i].clone() for i in (1, 2))
    module.books[1].copy_(other)
    module.books[2].copy_(one)


def rounded(module):
    for parameter in module.parameters():
        parameter.copy_(parameter.half())


def folded_and_rounded(module):
    """As a file of folded weights in half precision would have it."""
    for layer in NORMED:
        conv = module.get_submodule(layer)
        parametrize.remove_parametrizations(conv, "weight")
        conv.weight.copy_(conv.weight.half())
        conv.bias.copy_(conv.bias.half())


def negated(module):
    weights = module.last.conv.parametrizations.weight
    weights.original1.neg_()
    module.last.conv.bias.neg_()


def rotated(module):
    books = [book.clone() for book in module.books]
    for i, book in enumerate(module.books):
        book.copy_(books[(i + 1) % len(books)])


def slower(module):
    module.blocks[1].down.conv.stride = (5,)


def test_the_same_codec_agrees_to_the_bit(original):
    tree, kind, _, _ = found_in(original, encoder_of(codec()))
    assert (tree.attrs["agrees"], kind) == ("yes", "")
    assert float(tree["stages"].to_dataset()["difference_db"].max()) <= -300
    assert int(tree["codes"].to_dataset()["near"].sum()) == 0


@pytest.mark.parametrize(
    ("change", "kind", "stage", "details"),
    [
        (padded_right("first"), "padding", "first_layer", {"delay": -6.0}),
        (padded_right("blocks.0.inner"), "padding", "block_1", {"later": 2}),
        (padded_right("blocks.1.down"), "padding", "stack_end", {"delay": -16.0, "before": "block_1"}),
        (padded_right("last"), "padding", "latent", {"delay": -32.0, "before": "stack_end"}),
        (rounded, "rounded weights", "first_layer", {"dtype": "float16", "which": "second"}),
        (exchanged, "codebook order", "quantized", {"step": 2, "order": "2 is 3, 3 is 2"}),
        (lambda m: m.books[2].mul_(1.1), "codebook", "quantized", {"step": 3}),
        (lambda m: m.books[2].copy_(m.books[2].flip(0)), "renumbered codes", "codes", {"step": 3}),
        (unfolded("blocks.1.inner.conv"), "weight norm", "stack_end", {"layer": "blocks.1.inner.conv"}),
        (unfolded(*NORMED), "weight norm", "first_layer", {"layer": ""}),
        (lambda m: m.last.conv.bias.add_(0.1), "bias", "latent", {}),
        (folded_and_rounded, "rounded weights", "first_layer", {"dtype": "float16"}),
        (negated, "polarity", "latent", {"inverted": 16, "channels": 16}),
        (rotated, "codebook order", "quantized_1", {"order": "1 is 2, 2 is 3, 3 is 4, 4 is 1"}),
        (
            lambda m: [book.copy_(book.half()) for book in m.books],
            "rounded weights", "quantized_1", {"dtype": "float16"},
        ),
    ],
    ids=[
        "padding of the first layer", "padding within a block", "padding of a strided layer",
        "padding of the last layer", "rounded weights", "codebooks exchanged", "another codebook",
        "codes renumbered", "one weight norm", "all weight norms", "bias", "folded and rounded",
        "a layer inverted", "codebooks rotated", "codebooks rounded",
    ],
)  # fmt: skip
def test_a_fault_of_the_module_is_found_and_named(original, change, kind, stage, details):
    tree, *found = found_in(original, with_module(original, ported(change)))
    assert found[:2] == [kind, stage]
    assert {name: found[2][name] for name in details} == details
    assert tree.attrs["agrees"] == "no"


@pytest.mark.parametrize(
    ("prepare", "kind", "value"),
    [
        (lambda w: delayed(w, 0.37), "delay", ("delay", 0.37)),
        (lambda w: delayed(w, 0.01), "delay", ("delay", 0.01)),
        (lambda w: delayed(w, -40.0), "delay", ("delay", -40.0)),
        (lambda w: torch.nn.functional.pad(w, (900, 0))[:, None, : w.shape[1]], "delay", ("delay", 900.0)),
        (lambda w: -w[:, None], "polarity", ("polarity", -1.0)),
        (lambda w: 0.5 * w[:, None], "gain", ("gain_db", -6.0206)),
    ],
    ids=[
        "a fraction",
        "a hundredth",
        "more than the field",
        "a ninth of a second",
        "polarity",
        "half as loud",
    ],
)
def test_what_differs_at_the_input_is_measured(original, prepare, kind, value):
    tree, found, stage, details = found_in(original, encoder_of(codec(), prepare=prepare))
    assert (found, stage) == (kind, "first_layer")
    assert details[value[0]] == pytest.approx(value[1], abs=1e-3)
    stages = tree["stages"].to_dataset()
    assert float(stages["rest_db"].sel(stage="latent")) < -80  # nothing else differs
    at_depth = {"delay": "delay", "polarity": "polarity"}.get(value[0])
    if at_depth:  # read off 500 frames a second, of tones up to 3.6 kHz
        assert float(stages[at_depth].sel(stage="latent")) == pytest.approx(value[1], abs=0.01)


def test_delay_and_polarity_together(original):
    _, kind, _, details = found_in(original, encoder_of(codec(), prepare=lambda w: -delayed(w, 1.25)))
    assert kind == "delay"
    assert (details["delay"], details["polarity"]) == (pytest.approx(1.25, abs=1e-3), -1.0)


def test_another_hop_is_no_other_fault(original):
    _, kind, stage, details = found_in(original, encoder_of(ported(slower), decode=None))
    assert (kind, stage, details) == ("hop", "stack_end", {"first": 16, "second": 20})


def test_a_hop_that_is_off_by_one_frame(original):
    late = encoder_of(codec(), prepare=lambda w: torch.nn.functional.pad(w, (16, 0))[:, None, : w.shape[1]])
    _, kind, stage, details = found_in(original, late)
    assert (kind, stage) == ("delay", "first_layer")
    assert details["delay"] == 16.0


@pytest.mark.parametrize("precision", ["float16", "bfloat16"])
def test_half_precision_is_named(original, precision):
    _, kind, stage, details = found_in(original, moved(original, precision))
    assert (kind, stage) == ("precision", "first_layer")
    assert (details["dtype"], details["which"]) == (precision, "second")


def test_double_precision_and_other_batches_agree(original):
    for port in (moved(original, "float64"), in_batches(original, 1)):
        tree, kind, _, _ = found_in(original, port)
        assert (tree.attrs["agrees"], kind) == ("yes", "")


@pytest.mark.parametrize(
    ("change", "stage", "order"),
    [
        (exchanged, "quantized", "2 is 3, 3 is 2"),
        (rotated, "quantized_1", "1 is 2, 2 is 3, 3 is 4, 4 is 1"),
    ],
)
def test_the_order_of_codebooks_is_found_without_those_of_the_port(original, change, stage, order):
    _, kind, where, details = found_in(original, encoder_of(ported(change), known=False))
    assert (kind, where, details["order"]) == ("codebook order", stage, order)


def test_a_decoder_is_judged_by_itself(original):
    port = encoder_of(codec(), decode=lambda module, latent: -0.5 * module.up(latent))
    tree, kind, stage, details = found_in(original, port)
    assert (kind, stage) == ("polarity", "decode")
    assert details["gain_db"] == pytest.approx(-6.0206, abs=1e-3)
    assert float(tree["stages"].to_dataset()["difference_db"].sel(stage="latent").max()) <= -300


def one_later(x):
    return torch.cat([x[:, :, :1], x[:, :, :-1]], dim=2)


def spoilt(x):
    return x.index_fill(2, torch.tensor([3]), torch.nan)


@pytest.mark.parametrize(
    ("port", "kind", "stage"),
    [
        ({"stage": "latent", "change": spoilt}, "not finite", "latent"),
        ({"stage": "latent", "change": torch.zeros_like}, "silent", "latent"),
        ({"stage": "quantized", "change": lambda x: 1.1 * x}, "channel gains", "quantized"),
        ({"stage": "quantized", "change": torch.neg}, "polarity", "quantized"),
        ({"stage": "quantized", "change": one_later}, "delay", "quantized"),
        ({"stage": "codes", "change": lambda x: x[:, :, :-1]}, "frames", "codes"),
        ({"played": lambda w: w * (1.5 if w.shape[1] % 16 else 1.0)}, "length", "first_layer"),
        ({"played": lambda w: w.clamp(-1, 1)}, "unexplained", "first_layer"),
        ({"played": lambda w: (w * 32767).round() / 32767}, "unexplained", "first_layer"),
        ({"decoded": lambda d: d * torch.nan}, "not finite", "decode"),
        ({"decoded": lambda d: d + 0.02}, "unexplained", "decode"),
        ({"decoded": lambda d: d[:, :-5]}, "frames", "decode"),
        ({"decoded": lambda d: torch.nn.functional.pad(d, (1, 0))[:, :-1]}, "delay", "decode"),
    ],
)
def test_what_would_fool_a_difference_in_db(original, port, kind, stage):
    tree, *found = found_in(original, Port(original, **port))
    assert found[:2] == [kind, stage]
    said = ports.sentences(tree)
    assert stage in said[1]
    assert not [one for one in said if "nan" in one]


def test_what_a_port_raises_is_one_line(original):
    with pytest.raises(InputError, match=r"port: fails on waveforms .*by zero"):
        found_in(original, Port(original, played=lambda w: w / (1 // 0)))


def test_an_empty_pair_is_refused(original):
    other = wrap(codec(), RATE, {"block_1": "blocks.0"}, "other")
    with pytest.raises(InputError, match="must take the same"):
        equivalence(original, load("codec_tiny"), progress=False)
    with pytest.raises(InputError, match="no stage to compare"):
        equivalence(wrap(codec(), RATE, {"latent": "last"}, "one"), other, progress=False)
    tree = equivalence(wrap(codec(), RATE, {"a": "blocks.0"}), other, stages={"a": "block_1"}, progress=False)
    assert tree.attrs["agrees"] == "yes"


def test_a_stage_of_other_names_and_those_of_one_only_are_left_out(original):
    tree = equivalence(original, wrap(codec(), RATE, {"latent": "last"}, "port"), progress=False)
    assert [str(s) for s in tree["stages"]["stage"].values] == ["latent"]
    assert tree.attrs["left_out"].splitlines() == [
        f"{stage}: of codec only" for stage in STAGES if stage != "latent"
    ]


def test_sentences_follow_the_numbers(original):
    tree, *_ = found_in(original, encoder_of(codec(), prepare=lambda w: delayed(w, 0.37)))
    said = ports.sentences(tree)
    assert "first differ at first_layer" in said[0]
    assert "0.37 samples later" in said[1]
    rest = tree["stages"].to_dataset()["rest_db"]
    assert f"{float(rest.max()):.0f} dB" in said[2]
    counts = tree["codes"].to_dataset()
    assert f"{int(counts['near'].sum()):,} are accounted for" in said[3]
    assert int(counts["beyond"].sum()) == 0


@pytest.mark.parametrize("change", [padded_right("blocks.1.down"), exchanged], ids=["padding", "codes"])
def test_the_page_answers_first(original, change, tmp_path):
    tree, _, stage, _ = found_in(original, with_module(original, ported(change)))
    page = ports.check_page(tree, tmp_path / "check.html").read_text()
    assert "<h2>No</h2>" in page or ">No<" in page
    assert f"first differ at {stage}" in page
    assert f"They part at {stage}" in page
    assert "No stage differs" not in page
    assert page.count("<figure") >= 2
    ports.check_page(tree, tmp_path / "check.html")  # its own page is replaced
    (tmp_path / "other.html").write_text("mine")
    with pytest.raises(InputError, match="not a report of ours"):
        ports.check_page(tree, tmp_path / "other.html")


def test_every_row_of_the_table_is_as_wide_as_its_head(original):
    tree, *_ = found_in(original, encoder_of(ported(slower), decode=None))
    assert {len(row) for row in ports.rows(tree)} == {len(ports.HEADINGS)}
    assert [row[0] for row in ports.rows(tree)] == list(STAGES)


def test_what_is_louder_at_one_frequency_is_seen_there(original):
    kernel = torch.tensor([0.5, 0.0, 0.5])  # zero gain at a quarter of the rate

    def comb(waveforms):
        padded = torch.nn.functional.pad(waveforms[:, None], (1, 1))
        return torch.nn.functional.conv1d(padded, kernel[None, None])

    tree, kind, stage, _ = found_in(original, encoder_of(codec(), prepare=comb))
    assert (kind, stage) == ("receptive field", "first_layer")
    first = tree["stages"].to_dataset().sel(stage="first_layer")
    expected = 20 * np.log10(np.abs(np.cos(2 * np.pi * first["tone_hz"].values / RATE)))
    assert first["gain_db"].values == pytest.approx(expected, abs=0.01)
