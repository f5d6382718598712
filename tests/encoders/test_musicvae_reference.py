"""MusicVAE against a second one in numpy, written from TensorFlow's conventions and from nothing of ours."""

import numpy as np
import pytest
import torch

from tonotopy.encoders.musicvae.config import MusicVAEConfig
from tonotopy.encoders.musicvae.variables import architecture, from_variables, variable_shapes

FLAT = MusicVAEConfig(bars=2, encoder=(9,), decoder=(12, 10), latent_dimensions=4)
DEEP = MusicVAEConfig(bars=1, encoder=(8, 7), decoder=(14,), latent_dimensions=3)
HIERARCHICAL = MusicVAEConfig(
    bars=2, encoder=(7, 8), decoder=(10, 12), latent_dimensions=4, conductor=(9, 11), segments=4
)
CONFIGS = pytest.mark.parametrize(
    "config", [FLAT, DEEP, HIERARCHICAL], ids=["flat", "two-layer encoder", "hierarchical"]
)
MELODIES = 12


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


class Reference:
    """A MusicVAE of float64 variables, one step at a time; methods are the conventions, to be got wrong."""

    def __init__(self, variables, config):
        self.variables = {name: np.asarray(values, np.float64) for name, values in variables.items()}
        self.config = config

    def dense(self, name, inputs):
        return inputs @ self.variables[f"{name}/kernel"] + self.variables[f"{name}/bias"]

    def gates(self, name, x, h):
        return np.split(self.dense(name, np.concatenate([x, h], 1)), 4, axis=1)

    def forget(self, gate):
        return sigmoid(gate + 1)

    def cell(self, name, x, c, h):
        i, candidate, f, o = self.gates(name, x, h)
        c = c * self.forget(f) + sigmoid(i) * np.tanh(candidate)
        return c, np.tanh(c) * sigmoid(o)

    def layer(self, name, inputs):
        """Outputs [N, T, H] from a state of zeros."""
        c = h = np.zeros((len(inputs), len(self.variables[f"{name}/bias"]) // 4))
        outputs = []
        for x in np.moveaxis(inputs, 1, 0):
            c, h = self.cell(name, x, c, h)
            outputs.append(h)
        return np.stack(outputs, 1)

    def both(self, forward, backward):
        return np.concatenate([forward, backward], -1)

    def reread(self, backward):
        """Outputs of the backward layer, in the melody's own order."""
        return backward[:, ::-1]

    def heard_all(self, backward):
        """What the backward layer says once it has heard the whole melody."""
        return backward[:, -1]

    def encode(self, rolls):
        inputs = np.eye(90)[rolls]
        cell = "encoder/cell_{}/bidirectional_rnn/{}/multi_rnn_cell/cell_0/lstm_cell"
        for layer in range(len(self.config.encoder)):
            forward = self.layer(cell.format(layer, "fw"), inputs)
            backward = self.layer(cell.format(layer, "bw"), inputs[:, ::-1])
            inputs = self.both(forward, self.reread(backward))
        last = self.both(forward[:, -1], self.heard_all(backward))
        return self.dense("encoder/mu", last), np.log1p(np.exp(self.dense("encoder/sigma", last)))

    def state(self, name, vector, units):
        values, states = np.tanh(self.dense(name, vector)), []
        for size in units:
            c, h, values = values[:, :size], values[:, size : 2 * size], values[:, 2 * size :]
            states.append((c, h))
        return states

    def step(self, cells, x, states):
        """One step of a stack; changes `states`."""
        for layer, (c, h) in enumerate(states):
            c, x = states[layer] = self.cell(f"{cells}/cell_{layer}/lstm_cell", x, c, h)
        return x

    def core_input(self, before, direction):
        return np.concatenate([before, direction], 1)

    def directions(self, latents):
        if not self.config.conductor:
            return [latents]
        name = "decoder/hierarchical_level_0"
        states = self.state(f"{name}/initial_state", latents, self.config.conductor)
        nothing = np.zeros((len(latents), 1))
        return [self.step(name, nothing, states) for _ in range(self.config.segments)]

    def carried(self, before):
        """What a segment's first step is given of the step before it."""
        return before

    def logits(self, latents, rolls=None):
        """Logits [N, T, 90]; the true steps before are given if `rolls` are, else the likeliest."""
        core = "core_decoder/decoder" if self.config.conductor else "decoder"
        before, told = np.zeros((len(latents), 90)), []
        for direction in self.directions(latents):
            states = self.state(f"{core}/z_to_initial_state", direction, self.config.decoder)
            before = self.carried(before)
            for _ in range(self.config.steps // self.config.segments):
                output = self.step(f"{core}/multi_rnn_cell", self.core_input(before, direction), states)
                told.append(self.dense(f"{core}/output_projection", output))
                chosen = told[-1].argmax(1) if rolls is None else rolls[:, len(told) - 1]
                before = np.eye(90)[chosen]
        return np.stack(told, 1)


def random_variables(config, seed=0):
    """Variables large enough that every convention shows, none so large that all melodies end alike."""
    generator = np.random.default_rng(seed)
    return {
        name: (0.2 if name.endswith("output_projection/bias") else 0.6)
        * generator.standard_normal(shape).astype(np.float32)
        for name, shape in variable_shapes(config).items()
    }


def material(config, seed=1):
    """Melodies with notes, sustained steps and ends, and latents."""
    generator = np.random.default_rng(seed)
    rolls = generator.integers(2, 90, (MELODIES, config.steps), dtype=np.uint8)
    rolls[generator.random(rolls.shape) < 0.4] = 0
    rolls[generator.random(rolls.shape) < 0.1] = 1
    latents = generator.standard_normal((MELODIES, config.latent_dimensions)).astype(np.float32)
    return rolls, latents


def told_by_ours(model, latents, rolls):
    one_hot = torch.eye(90)[torch.from_numpy(rolls).long()]
    with torch.no_grad():
        return model.decoder(torch.from_numpy(latents), one_hot).numpy()


def disagreements(reference, model, rolls, latents):
    """What of `model` is not as in `reference`."""
    found = []
    ours = [*model.encode(rolls), told_by_ours(model, latents, rolls)]
    theirs = [*reference.encode(rolls), reference.logits(latents, rolls)]
    for name, mine, other in zip(("mu", "sigma", "logits"), ours, theirs, strict=True):
        if not np.allclose(mine, other, rtol=0, atol=1e-5):
            found.append(name)
    if not np.array_equal(model.decode(latents), reference.logits(latents).argmax(2)):
        found.append("greedy")
    if not np.array_equal(model.predict(latents, rolls), theirs[2].argmax(2)):
        found.append("predicted")
    return found


@CONFIGS
@pytest.mark.parametrize("seed", [0, 1])
def test_agrees_with_the_reference(config, seed):
    variables = random_variables(config, seed)
    rolls, latents = material(config, seed + 10)
    model = from_variables(variables, architecture(variables, config.bars, config.segments))
    assert disagreements(Reference(variables, config), model, rolls, latents) == []
    greedy = model.decode(latents)
    assert len(np.unique(greedy, axis=0)) > MELODIES // 2, "melodies all alike would show nothing"
    assert len(np.unique(greedy)) >= 10


class NoForgetBias(Reference):
    def forget(self, gate):
        return sigmoid(gate)


class TorchGates(Reference):
    def gates(self, name, x, h):
        i, f, candidate, o = super().gates(name, x, h)
        return i, candidate, f, o


class StateBeforeInput(Reference):
    def gates(self, name, x, h):
        return np.split(self.dense(name, np.concatenate([h, x], 1)), 4, axis=1)


class HiddenThenCell(Reference):
    def state(self, name, vector, units):
        return [(h, c) for c, h in super().state(name, vector, units)]


class CellsThenHiddens(Reference):
    """All cells of the stack, then all hidden states, which differs where there are two layers."""

    def state(self, name, vector, units):
        values = np.tanh(self.dense(name, vector))
        ends = np.cumsum([*units, *units])[:-1]
        parts = np.split(values, ends, axis=1)
        return list(zip(parts[: len(units)], parts[len(units) :], strict=True))


class NoTanh(Reference):
    def state(self, name, vector, units):
        values, states = self.dense(name, vector), []
        for size in units:
            c, h, values = values[:, :size], values[:, size : 2 * size], values[:, 2 * size :]
            states.append((c, h))
        return states


class BackwardFirst(Reference):
    def both(self, forward, backward):
        return np.concatenate([backward, forward], -1)


class NotReread(Reference):
    def reread(self, backward):
        return backward


class BackwardAtTheEnd(Reference):
    """The backward layer at the melody's last step, of which it has heard that step only."""

    def heard_all(self, backward):
        return backward[:, 0]


class LatentFirst(Reference):
    def core_input(self, before, direction):
        return np.concatenate([direction, before], 1)


class OneDirection(Reference):
    def directions(self, latents):
        told = super().directions(latents)
        return told[:1] * len(told)


class EverySegmentAnew(Reference):
    def carried(self, before):
        return np.zeros_like(before)


ENCODER, DECODER = {"mu", "sigma"}, {"logits", "greedy", "predicted"}
MUTATIONS = {
    NoForgetBias: ENCODER | DECODER,
    TorchGates: ENCODER | DECODER,
    StateBeforeInput: ENCODER | DECODER,
    HiddenThenCell: DECODER,
    NoTanh: DECODER,
    BackwardFirst: ENCODER,
    BackwardAtTheEnd: ENCODER,
    LatentFirst: DECODER,
}


@CONFIGS
@pytest.mark.parametrize(("wrong", "seen"), MUTATIONS.items(), ids=lambda p: getattr(p, "__name__", ""))
def test_a_convention_got_wrong_is_seen(config, wrong, seen):
    variables = random_variables(config)
    found = disagreements(wrong(variables, config), from_variables(variables, config), *material(config))
    assert set(found) == seen


@pytest.mark.parametrize(
    ("config", "wrong", "seen"),
    [
        (DEEP, NotReread, ENCODER),  # the layer above hears it; of a single layer only the end is used
        (HIERARCHICAL, NotReread, ENCODER),
        (FLAT, CellsThenHiddens, DECODER),
        (HIERARCHICAL, CellsThenHiddens, DECODER),
        (HIERARCHICAL, OneDirection, DECODER),
        (HIERARCHICAL, EverySegmentAnew, DECODER),
    ],
)
def test_a_convention_of_stacks_or_segments_got_wrong_is_seen(config, wrong, seen):
    variables = random_variables(config)
    found = disagreements(wrong(variables, config), from_variables(variables, config), *material(config))
    assert set(found) == seen


@pytest.mark.parametrize("inputs", [1, 90])
def test_the_references_cell_is_tensorflows(inputs):
    """The operation that Magenta's cells call, with the forget bias they give it."""
    operations = pytest.importorskip("tensorflow").raw_ops
    generator = np.random.default_rng(0)
    x, c, h = (generator.standard_normal((5, size)).astype(np.float32) for size in (inputs, 7, 7))
    kernel, bias = (generator.standard_normal(s).astype(np.float32) for s in ((inputs + 7, 28), (28,)))
    unused = np.zeros(7, np.float32)
    told = operations.LSTMBlockCell(
        x=x,
        cs_prev=c,
        h_prev=h,
        w=kernel,
        wci=unused,
        wcf=unused,
        wco=unused,
        b=bias,
        forget_bias=1.0,
        cell_clip=-1,
    )
    reference = Reference({"cell/kernel": kernel, "cell/bias": bias}, FLAT)
    for ours, theirs in zip(reference.cell("cell", x, c, h), (told.cs, told.h), strict=True):
        np.testing.assert_allclose(ours, theirs.numpy(), rtol=0, atol=1e-6)
