"""The suite passes what is in the zoo, and finds every fault where it is the only one."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from tonotopy.encoders import InputError, Stage, available, check, faults, load, wrap
from tonotopy.encoders.base import Weights
from tonotopy.encoders.musicvae.control import PlantedLatents
from tonotopy.encoders.quantization import residual_quantization

# slow, and why; a smaller one of the same make is tried each time, but for the conductor of the last
LARGE = {
    "samplecnn": "its frames are 2.7 s long",
    "codec": "of the size of encodec_24khz",
    "encodec_48khz": "of the size of encodec_24khz; passed",
    "musicvae_2bar": "half a gigabyte",
    "musicvae_16bar": "half a gigabyte, and 256 steps; passed",
    "musicgen_small": "two gigabytes",
}
TOO_LARGE = {"musicgen_medium": "8 gigabytes", "musicgen_large": "13 gigabytes"}


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(n, marks=[pytest.mark.slow] if n in LARGE else [])
        for n in available()
        if n not in TOO_LARGE
    ],
)
def test_every_encoder_of_the_zoo_conforms(name, request):
    fixtures = ("encodec_24khz", "encodec_48khz")
    check(request.getfixturevalue(name) if name in fixtures else load(name, weights="random"))


@pytest.mark.parametrize("name", ["samplecnn_tiny", "codec_tiny", "musicvae_tiny", "musicgen_tiny"])
def test_the_bundled_weights_conform(name):
    check(load(name))


def test_what_is_wrapped_conforms():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        module = torch.nn.Sequential(
            torch.nn.Conv1d(1, 4, 10, stride=5), torch.nn.ReLU(), torch.nn.Conv1d(4, 2, 3, dilation=2)
        )
    check(wrap(module, 8_000, {"first_layer": "0", "middle": "1", "latent": "2"}))


class Plain:
    """An encoder by hand that can do everything: frames of 8 samples, pairs of those, two codebooks."""

    name, modality, sample_rate, device = "plain", "waveform", 800, torch.device("cpu")

    def __init__(self, seed=0):
        generator = torch.Generator().manual_seed(seed)
        self.kernel, self.pairs = (torch.randn(shape, generator=generator) for shape in ((3, 8), (2, 6)))
        self.codebooks = self.books = tuple(torch.randn(2, 5, 2, generator=generator))
        self.weights = Weights("random", f"seed {seed}")
        self.stages = {
            "first_layer": Stage("first_layer", 3, 4, 8, 7, "convolution"),
            "latent": Stage("latent", 2, 4, 12, 11),
            "quantized": Stage("quantized", 2, 4, 12, 11, "quantized"),
            "codes": Stage("codes", 2, 4, 12, 11, "codes"),
        }

    def run(self, waveforms, stages):
        first = (waveforms.unfold(1, 8, 4) @ self.kernel.T).transpose(1, 2)
        return {stage: {"first_layer": first, **self.behind(first)}[stage] for stage in stages}

    def behind(self, first):
        latent = (first.relu().unfold(2, 2, 1).transpose(1, 2).flatten(2) @ self.pairs.T).transpose(1, 2)
        made = residual_quantization(latent.detach().transpose(1, 2), self.books)
        quantized, codes = made.vectors[:, :, -1].transpose(1, 2), made.codes.transpose(1, 2)
        return {"latent": latent, "quantized": quantized, "codes": codes}

    def kernels(self, stage):
        return self.kernel.double().numpy() if stage == "first_layer" else None

    def differentiable(self, stage):
        return lambda waveforms: Plain.run(self, waveforms, [stage])[stage]

    def stages_from(self, stage):
        return ("latent", "quantized", "codes") if stage == "first_layer" else ()

    def run_from(self, stage, activations, stages):
        return {other: self.behind(activations)[other] for other in stages}

    def decode(self, latent, scale=None):
        return latent.sum(1).repeat_interleave(4, dim=1)

    def randomised(self, seed):
        return Plain(seed)


def stage(filed, /, **changes):
    def spoil(encoder):
        encoder.stages[filed] = replace(encoder.stages[filed], **changes)

    return spoil


def attribute(name, value):
    """Set an attribute, to what a function makes of the encoder where one is given."""
    return lambda encoder: setattr(encoder, name, value(encoder) if callable(value) else value)


def run(change, name="latent"):
    """Change what `run` returns of a stage."""

    def spoil(encoder):
        encoder.run = lambda waveforms, stages: {
            s: change(found) if s == name else found
            for s, found in Plain.run(encoder, waveforms, stages).items()
        }

    return spoil


def counting(step):
    """A function of one argument that adds more each time."""
    calls = []
    return lambda x: x + step * len(calls) if calls.append(None) is None else x


def with_nan(x):
    return x.index_fill(2, torch.tensor([1]), torch.nan)


def in_place(encoder):
    encoder.run = lambda waveforms, stages: Plain.run(encoder, waveforms.mul_(1.001), stages)


def raising(encoder):
    def run(waveforms, stages):
        if "latent" in stages:
            raise RuntimeError("size mismatch\nin line 3")
        return Plain.run(encoder, waveforms, stages)

    encoder.run = run


def repeating(encoder):
    """Goes on with what it was given last, whatever the activations."""
    last = []

    def run(waveforms, stages):
        last[:] = [Plain.run(encoder, waveforms, list(encoder.stages))]
        return {name: last[0][name] for name in stages}

    encoder.run = run
    encoder.run_from = lambda name, activations, stages: {other: last[0][other] for other in stages}


def late(encoder):
    """Its frames begin where they should, and end later."""
    encoder.run = lambda waveforms, stages: Plain.run(encoder, waveforms[:, 4:], stages)


def alike(encoder):
    """Draws one network under a hash of each seed."""
    encoder.randomised = lambda seed: (
        attribute("weights", Weights("random", f"seed {seed}"))(one := Plain()) or one
    )


def others(encoder):
    more = counting(1)
    encoder.randomised = lambda seed: Plain(more(seed))


def one_hash(encoder):
    encoder.randomised = lambda seed: (
        attribute("weights", Weights("random", "seed"))(one := Plain(seed)) or one
    )


def of_other_rate(encoder):
    encoder.randomised = lambda seed: attribute("sample_rate", 801)(one := Plain(seed)) or one


WAVEFORMS = {
    "no kernels method": (faults.LacksMember, attribute("kernels", None)),
    "no name": (faults.LacksMember, attribute("name", None)),
    "of sounds": (faults.UnknownModality, attribute("modality", "sound")),
    "of no modality": (faults.UnknownModality, attribute("modality", None)),
    "no stages": (faults.StageMisnamed, attribute("stages", {})),
    "misnamed": (faults.StageMisnamed, stage("latent", name="last")),
    "backwards": (faults.StageOrder, lambda e: setattr(e, "stages", dict(reversed(e.stages.items())))),
    "raises": (faults.StageNotReached, raising),
    "returns everything": (
        faults.StageNotReached,
        lambda e: setattr(e, "run", lambda w, stages: Plain.run(e, w, list(e.stages))),
    ),
    "channels last": (faults.WrongShape, run(lambda x: x.transpose(1, 2))),
    "fewer channels": (faults.WrongShape, stage("latent", channels=3)),
    "no frames": (faults.WrongShape, run(lambda x: x[:, :, :0])),
    "codes of floats": (faults.CodesNotInteger, run(lambda x: x.float(), "codes")),
    "integers without codes": (faults.CodesNotInteger, run(lambda x: (100 * x).long())),
    "nan": (faults.NotFinite, run(with_nan)),
    "in place": (faults.InputChanged, in_place),
    "grows": (faults.NotDeterministic, run(counting(1e-3))),
    "norm over the batch": (faults.BatchMatters, run(lambda x: x - x.mean(0))),
    "hop": (faults.WrongHop, stage("latent", hop=5)),
    "half the frames": (faults.WrongHop, run(lambda x: x[:, :, ::2])),
    "latency one too small": (faults.WrongLatency, stage("latent", latency=10)),
    "latency too large": (faults.WrongLatency, stage("latent", latency=15)),
    "latency far too large": (faults.WrongLatency, stage("latent", latency=211)),
    "later than declared": (faults.WrongLatency, late),
    "field one too small": (faults.ReceptiveFieldTooSmall, stage("first_layer", receptive_field=7)),
    "kernels of another size": (
        faults.KernelsDisagree,
        attribute(
            "kernels", lambda e: lambda s: e.kernel[:, :4].double().numpy() if s == "first_layer" else None
        ),
    ),
    "kernels off by a percent": (
        faults.KernelsDisagree,
        attribute(
            "kernels", lambda e: lambda s: 1.01 * e.kernel.double().numpy() if s == "first_layer" else None
        ),
    ),
    "kernels of what is not linear": (faults.KernelsDisagree, stage("first_layer", kind="nonlinear")),
    "no kernels of what is linear": (faults.KernelsDisagree, attribute("kernels", lambda e: lambda s: None)),
    "another gradient": (
        faults.DifferentiableDisagrees,
        attribute("differentiable", lambda e: lambda s: lambda w: 1.01 * Plain.run(e, w, [s])[s]),
    ),
    "codebooks in another order": (
        faults.CodebooksDisagree,
        attribute("codebooks", lambda e: e.codebooks[::-1]),
    ),
    "a codebook too few": (faults.CodebooksDisagree, attribute("codebooks", lambda e: e.codebooks[:1])),
    "codes beyond the entries": (faults.CodebooksDisagree, run(lambda x: x + 3, "codes")),
    "goes on nearly": (
        faults.RunFromDoesNotContinue,
        attribute(
            "run_from", lambda e: lambda *a: {k: v * (1 + 1e-6) for k, v in Plain.run_from(e, *a).items()}
        ),
    ),
    "does not go on": (faults.RunFromDoesNotContinue, attribute("run_from", lambda e: lambda *a: {}[0])),
    "goes on to less": (faults.RunFromDoesNotContinue, attribute("run_from", lambda e: lambda *a: {})),
    "repeats": (faults.RunFromDoesNotContinue, repeating),
    "decodes too little": (
        faults.DecodeWrongShape,
        attribute("decode", lambda e: lambda x, scale=None: Plain.decode(e, x)[:, 1:]),
    ),
    "decodes nan": (
        faults.NotFinite,
        attribute("decode", lambda e: lambda x, scale=None: torch.nan * Plain.decode(e, x)),
    ),
    "draws one": (faults.RedrawIgnoresSeed, attribute("randomised", lambda e: lambda seed: Plain(7))),
    "draws one under many hashes": (faults.RedrawIgnoresSeed, alike),
    "draws many under one hash": (faults.RedrawIgnoresSeed, one_hash),
    "draws others": (faults.RedrawNotReproducible, others),
    "draws another rate": (faults.RedrawDiffers, of_other_rate),
}


def planted(method, change):
    """Change what a method of the control returns."""

    def spoil(model):
        own = getattr(PlantedLatents, method)
        setattr(model, method, lambda *a, **more: change(own(model, *a, **more)))

    return spoil


def encode_in_place(model):
    def encode(rolls):
        rolls[0, 0] = 41
        return PlantedLatents.encode(model, rolls)

    model.encode = encode


def growing(model):
    add = counting(0.1)
    planted("encode", lambda found: (add(found[0]), found[1]))(model)


def drawing(model):
    generator = np.random.default_rng(0)

    def decode(latents, temperature=None, seed=0):
        rolls = PlantedLatents.decode(model, latents)
        return rolls if temperature is None else rolls[:, generator.permutation(32)]

    model.decode = decode


MELODIES = {
    "no predict": (faults.LacksMember, attribute("predict", None)),
    "no steps": (faults.LacksMember, attribute("steps", 0)),
    "half a dimension": (faults.LacksMember, attribute("latent_dimensions", 0.5)),
    "mean alone": (faults.EncodeWrongShape, planted("encode", lambda found: found[0])),
    "latents of integers": (faults.EncodeWrongShape, planted("encode", lambda f: (f[0].astype(int), f[1]))),
    "more dimensions": (faults.EncodeWrongShape, attribute("latent_dimensions", 17)),
    "nan": (faults.NotFinite, planted("encode", lambda found: (found[0] * np.nan, found[1]))),
    "negative": (faults.NegativeDeviation, planted("encode", lambda found: (found[0], -found[1]))),
    "in place": (faults.InputChanged, encode_in_place),
    "grows": (faults.NotDeterministic, growing),
    "draws without a seed": (faults.NotDeterministic, drawing),
    "norm over the batch": (faults.BatchMatters, planted("encode", lambda f: (f[0] - f[0].mean(0), f[1]))),
    "a step too few": (faults.DecodeWrongShape, planted("decode", lambda rolls: rolls[:, 1:])),
    "classes there are not": (faults.NotMelodies, planted("decode", lambda rolls: rolls + 100)),
    "no classes": (faults.NotMelodies, planted("predict", lambda rolls: rolls / 2)),
    "predicts less": (faults.PredictWrongShape, planted("predict", lambda rolls: rolls[1:])),
    "draws one": (faults.RedrawIgnoresSeed, attribute("randomised", lambda e: lambda seed: PlantedLatents())),
}


def test_what_is_spoilt_below_conforms_as_it_is():
    check(Plain())
    check(PlantedLatents())


@pytest.mark.parametrize("case", WAVEFORMS)
def test_a_fault_of_an_encoder_is_named(case):
    assert_found(Plain(), *WAVEFORMS[case])


@pytest.mark.parametrize("case", MELODIES)
def test_a_fault_of_a_model_of_melodies_is_named(case):
    assert_found(PlantedLatents(), *MELODIES[case])


def assert_found(encoder: Any, fault, spoil):
    spoil(encoder)
    with pytest.raises(InputError) as raised:
        check(encoder)
    assert raised.type is fault, raised.value
    line = str(raised.value)
    assert "\n" not in line
    assert len(line) <= 500


def test_every_fault_there_is_has_a_case():
    known = {f for f in vars(faults).values() if isinstance(f, type) and issubclass(f, faults.NotConforming)}
    assert {fault for fault, _ in (*WAVEFORMS.values(), *MELODIES.values())} == known - {faults.NotConforming}
