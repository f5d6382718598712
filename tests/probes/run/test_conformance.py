"""The suite passes every probe of the library, and finds every fault where it is the only one."""

import random
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
import xarray as xr
from torch import nn

from tonotopy.encoders import Stage, load, wrap
from tonotopy.encoders.base import ModuleEncoder
from tonotopy.encoders.weights import no_weights, randomly_initialised
from tonotopy.probes import Compared, Known, Probe, check
from tonotopy.probes.composition.draws import USUAL
from tonotopy.probes.composition.mixtures import Condition
from tonotopy.probes.engine.schema import dataset
from tonotopy.probes.engine.variable import STAGE, Variable
from tonotopy.probes.interventions.interventions import intervention_mixtures
from tonotopy.probes.run import faults
from tonotopy.probes.run.registry import registered
from tonotopy.synth import chords, partials, pitches
from tonotopy.synth.errors import InputError
from tonotopy.synth.pitches import Timbre

RATE = 8_000


def network(rate=RATE):
    """A small one of a low rate; the controls beside it are of its rate."""
    module = randomly_initialised(
        lambda: nn.Sequential(nn.Conv1d(1, 4, 16, stride=4), nn.ReLU(), nn.Conv1d(4, 6, 4, stride=2)), 3
    )
    return wrap(module, rate, {"first_layer": "0", "latent": "2"}, name="small")


class Blocks(nn.Module):
    def forward(self, waveforms):  # [B, T] -> [B, 64, F]
        return waveforms.unfold(1, 64, 64).transpose(1, 2).contiguous()


def blocks():
    """A latent of 64 samples a frame, and the way back."""
    module = Blocks()
    encoder: Any = ModuleEncoder(
        "blocks", module, RATE, {"latent": Stage("latent", 64, 64, 64, 63)}, {"latent": ""},
        no_weights("blocks", "random", module), prepare=lambda waveforms: waveforms,
    )  # fmt: skip
    encoder.decode = lambda latent, scale=None: latent.transpose(1, 2).flatten(1)
    return encoder


def texture():
    return load("control:texture", sample_rate=RATE)


FOUR = Timbre(4, -6.02, name="four")
SMALL: dict[str, dict[str, Any]] = {
    "selectivity": {"low_hz": 800, "high_hz": 1200, "per_octave": 4},
    "pitch_tuning": {"stimuli": pitches(midi=[48, 60], timbres=[FOUR, Timbre(2, name="two")])},
    "chord_tuning": {"stimuli": chords([48, 50], ["major", "minor"], timbre=FOUR)},
    "aliasing": {"low_hz": 100, "high_hz": 3000},
    "compositionality": {"conditions": [Condition("partial", 4, -20.0)]},
    **{name: {"conditions": (USUAL,)} for name in ("presence", "stability", "access", "place")},
    "codes": {"contexts": 3, "phases": 4},
    "readout": {"densities": (2, 8)},
    "interventions": {"mixtures": intervention_mixtures(RATE, 2), "tested": 1, "doses": (0.0, 1.0)},
    "features": {"permutations": 19, "traversed": 1},
    "traversals": {"permutations": 19, "traversed": 1},
    "dictionaries": {"tokens": 4_096},
    "labels": {"tokens": 4_096, "permutations": 199},
    "steering": {"tokens": 4_096, "permutations": 199, "directions": 59, "frames": 40, "seeds": 4},
}
CHEAP = (
    "control:decimator",
    "control:rectifier",
    "control:texture",
    "control:planted",
    "control:planted_stream",
)
MELODIES = {"samples": 100}
NEEDS: dict[str, Callable[[], Any]] = {
    "codes": texture,
    "interventions": blocks,
    "representability": lambda: network(4_000),
    "tiling": lambda: network(4_000),
    "dictionaries": lambda: load("control:planted_stream"),
    "labels": lambda: load("control:planted_stream"),
    "steering": lambda: load("control:planted_stream"),
}


@pytest.mark.parametrize("probe", registered(), ids=lambda probe: probe.name)
def test_every_probe_of_the_library_conforms(probe):
    small = SMALL.get(probe.name, {})
    few = tuple(
        k for k in probe.known if k.control in CHEAP and "pitch" not in k.what
    )  # the matrix tries all
    probe = replace(probe, known=few)
    if probe.modality == "melody":
        check(probe, **MELODIES, **small)
    else:
        check(probe, NEEDS.get(probe.name, network)(), **small)


def loudness(session, loud=1.0):
    """What a stage makes of noise."""
    encoder = session.encoder
    stages = list(session.stages or encoder.stages)
    noise = np.random.default_rng(session.seed).standard_normal((1, 4096)).astype(np.float32)
    found = encoder.run(torch.from_numpy(loud * noise), stages)
    channels = [encoder.stages[stage].channels for stage in stages]
    level = np.full((len(stages), max(channels)), np.nan)
    for i, stage in enumerate(stages):
        level[i, : channels[i]] = found[stage][0].double().square().mean(-1).numpy()
    return dataset(
        VARIABLES,
        {"stage": np.array(stages), "n_channels": np.array(channels), "channel": np.arange(max(channels)),
         "loudness": level / loud**2},
        {"noise": loud},
    )  # fmt: skip


def refuses(session, loud=1.0):
    return f"{session.encoder.name} is no control" if session.encoder.name == "small_network" else None


VARIABLES = {
    **STAGE,
    "loudness": Variable(("stage", "channel"), "1", "power of the answer re that of the noise"),
}
WHAT = ("control:rectifier", "power of the answer", 0.9, 1.1, "1.0 ± 0.1")
PLAIN = Probe(
    "loudness",
    question="How loud is a stage?",
    variables=VARIABLES,
    measure=loudness,
    refuses=lambda session, **_: None,
    stimuli=lambda loud=1.0: {"tones": partials(100, 200, count=2)},
    compared=Compared("channel", ("loudness",)),
    known=(Known(*WHAT, lambda result, rate: float(result["loudness"].mean())),),
)


def known(control="control:rectifier", value=lambda result, rate: 1.0):
    return {"known": (Known(control, *WHAT[1:], value),)}


def declared(name, **changes):
    return {"variables": {**VARIABLES, name: replace(VARIABLES[name], **changes)}}


def returning(change):
    """Change what is returned."""
    return {"measure": lambda session, loud=1.0: change(loudness(session, loud))}


def having(attribute, value):
    def change(result):
        result["loudness"].attrs[attribute] = value
        return result

    return returning(change)


def drawing(draw):
    def measure(session, loud=1.0):
        draw()
        return loudness(session, loud)

    return {"measure": measure}


def more(session, loud=1.0):
    calls.append(session)
    return loudness(session, loud) + 1e-9 * len(calls)


calls: list[object] = []


def training(session, loud=1.0):
    if isinstance(session.encoder, ModuleEncoder):
        for parameter in session.encoder.module.parameters():
            parameter.data.mul_(1.001)
    return loudness(session, loud)


def raising(session, loud=1.0):
    raise RuntimeError("size mismatch\nin line 3")


def declining(session, loud=1.0):
    raise InputError("nobody is measured")


def integers(result):
    result["loudness"].encoding["dtype"] = "int16"
    return result


def refusing(answer):
    return {"refuses": lambda session, **_: answer(session.encoder.name)}


def keyword(*, session, loud=1.0):
    return loudness(session, loud)


def numbered(result):
    """Number the stages instead of naming them."""
    numbers = np.arange(result.sizes["stage"]).astype(str)
    return result.assign_coords(stage=("stage", numbers, result["stage"].attrs))


SPOILT: dict[str, tuple[type, dict[str, Any]]] = {
    "no identifier": (faults.NameUnusable, {"name": "bank share"}),
    "no name": (faults.NameUnusable, {"name": None}),
    "of another": (faults.NameTaken, {"name": "tiling"}),
    "of the verdicts": (faults.NameTaken, {"name": "hypotheses"}),
    "of what was played": (faults.NameTaken, {"name": "stimuli"}),
    "no question": (faults.QuestionNotOneSentence, {"question": "?"}),
    "an answer": (faults.QuestionNotOneSentence, {"question": "How loud a stage is."}),
    "two questions": (faults.QuestionNotOneSentence, {"question": "How loud? How soft?"}),
    "of sounds": (faults.UnknownModality, {"modality": "sound"}),
    "no units": (faults.VariableUndescribed, declared("loudness", units="")),
    "no long name": (faults.VariableUndescribed, declared("loudness", long_name="")),
    "a tuple": (faults.VariableUndescribed, {"variables": {"loudness": (("stage",), "1", "power")}}),
    "unlabelled": (faults.DimensionUnlabelled, declared("loudness", dims=("stage", "draw"))),
    "takes nothing": (faults.TakesNoSession, {"measure": lambda: None}),
    "no function": (faults.TakesNoSession, {"measure": None}),
    "takes it by name alone": (faults.TakesNoSession, {"measure": keyword}),
    "refuses without": (faults.TakesNoSession, {"refuses": lambda: None}),
    "no default": (faults.SettingUnknown, {"measure": lambda session, loud: loudness(session, loud)}),
    "any setting": (faults.SettingUnknown, {"measure": lambda session, **settings: loudness(session)}),
    "a setting too many": (faults.SettingUnknown, {"settings": {"soft": 1.0}}),
    "a setting too few": (faults.SettingUnknown, {"refuses": lambda session: None}),
    "other settings": (faults.SettingUnknown, {"stimuli": lambda soft=1.0: {}}),
    "compared by nothing": (faults.ComparedUnknown, {"compared": Compared("channel", ("quiet",))}),
    "compared over nothing": (faults.ComparedUnknown, {"compared": Compared("tone", ("loudness",))}),
    "compared over what it lacks": (faults.ComparedUnknown, {"compared": Compared("channel", ("hop",))}),
    "a control there is not": (faults.ControlUnknown, known("control:rectify")),
    "a control of melodies": (faults.ControlUnknown, known("control:planted")),
    "plays a list": (faults.StimuliNotNamed, {"stimuli": lambda **_: [partials(100, 200, count=2)]}),
    "plays numbers": (faults.StimuliNotNamed, {"stimuli": lambda **_: {"tones": [100, 200]}}),
    "refuses by False": (faults.RefusalNotText, refusing(lambda name: False)),
    "refuses without a word": (faults.RefusalNotText, refusing(lambda name: "")),
    "measures all the same": (faults.RefusedIsMeasured, {"refuses": refuses}),
    "refuses by a traceback": (faults.RefusedIsMeasured, {"refuses": refuses, "measure": raising}),
    "refuses all": (
        faults.NobodyMeasured,
        {"refuses": lambda session, **_: "nobody", "measure": declining},
    ),
    "raises": (faults.MeasureRaises, {"measure": raising}),
    "raises where it should refuse": (faults.MeasureRaises, {"refuses": raising}),
    "returns a variable": (faults.NotDataset, returning(lambda result: result["loudness"])),
    "undeclared": (faults.VariableUndeclared, returning(lambda result: result.assign(soft=1.0))),
    "transposed": (faults.WrongDims, returning(lambda result: result.transpose("channel", "stage"))),
    "other units": (faults.AttributesMissing, having("units", "dB")),
    "other name": (faults.AttributesMissing, having("long_name", None)),
    "no coordinate": (faults.DimensionUnlabelled, returning(lambda result: result.drop_vars("channel"))),
    "no stage": (
        faults.StageMissing, returning(lambda result: result[["channel"]]) | {"compared": None}
    ),
    "numbers of stages": (faults.StageMissing, returning(numbered)),
    "no numbers of channels": (faults.StageMissing, returning(lambda result: result.drop_vars("n_channels"))),
    "adds more each time": (faults.NotReproducible, {"measure": lambda session, loud=1.0: more(session)}),
    "cannot be stored": (
        faults.RoundTripDiffers, returning(lambda result: result.assign_attrs(read=loudness))
    ),
    "stored as integers": (faults.RoundTripDiffers, returning(integers)),
    "trains it": (faults.EncoderChanged, {"measure": training}),
    "seeds torch": (faults.RandomStateChanged, drawing(lambda: torch.manual_seed(torch.initial_seed() + 1))),
    "draws of numpy": (faults.RandomStateChanged, drawing(lambda: np.random.rand())),  # noqa: NPY002
    "draws of python": (faults.RandomStateChanged, drawing(random.random)),
    "another answer": (faults.KnownAnswerWrong, known(value=lambda result, rate: 1.2)),
    "no answer": (faults.KnownAnswerWrong, known(value=lambda result, rate: np.nan)),
    "an answer of what there is not": (
        faults.KnownAnswerWrong, known(value=lambda result, rate: float(result["soft"]))
    ),
}  # fmt: skip


def test_what_is_spoilt_below_conforms_as_it_is():
    check(PLAIN)
    check(PLAIN, "filterbank:stft", loud=2.0)


@pytest.mark.parametrize("case", SPOILT)
def test_a_fault_is_named(case):
    fault, changes = SPOILT[case]
    states = torch.get_rng_state(), np.random.get_state(), random.getstate()  # noqa: NPY002
    with pytest.raises(InputError) as raised:
        check(replace(PLAIN, **changes))
    torch.set_rng_state(states[0])
    np.random.set_state(states[1])  # noqa: NPY002
    random.setstate(states[2])
    assert raised.type is fault, raised.value
    line = str(raised.value)
    assert "\n" not in line
    assert len(line) <= 500


def test_every_fault_there_is_has_a_case():
    there = {f for f in vars(faults).values() if isinstance(f, type) and issubclass(f, faults.NotConforming)}
    assert {fault for fault, _ in SPOILT.values()} == there - {faults.NotConforming}


def test_a_known_answer_of_what_is_refused_is_wrong():
    def measure(session, loud=1.0):
        if session.encoder.name == "control:rectifier":
            raise InputError("it is bent")
        return loudness(session, loud)

    bent = {"refuses": lambda session, **_: "it is bent" if "rectifier" in session.encoder.name else None}
    with pytest.raises(faults.KnownAnswerWrong, match="is known, but refused: it is bent"):
        check(replace(PLAIN, measure=measure, **bent))


def test_what_cannot_be_played_is_the_caller_s_to_mend():
    selectivity = next(probe for probe in registered() if probe.name == "selectivity")
    with pytest.raises(InputError, match="high_hz 9000: must lie below 4000 Hz") as raised:
        check(selectivity, network(), high_hz=9_000)
    assert raised.type is InputError
    with pytest.raises(InputError, match="has no setting 'soft'; it has loud") as raised:
        check(PLAIN, soft=1.0)
    assert raised.type is InputError


def test_a_streamed_result_is_the_one_in_memory():
    def streams(session, loud=1.0):
        result = loudness(session, loud)
        if session.out is None:
            return result
        (1.01 * result).to_zarr(str(session.out), zarr_format=2, consolidated=False)
        return xr.open_zarr(str(session.out), chunks=None, consolidated=False)

    with pytest.raises(faults.NotReproducible):
        check(replace(PLAIN, measure=streams))
