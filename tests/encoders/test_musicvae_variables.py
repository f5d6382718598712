"""MusicVAE from variables: names, shapes, halves, and other models that are refused."""

import re
import subprocess
import sys

import numpy as np
import pytest
import torch

from tonotopy.encoders.musicvae.config import SIXTEEN_BAR, TWO_BAR_BIG, TWO_BAR_SMALL, MusicVAEConfig
from tonotopy.encoders.musicvae.variables import (
    architecture,
    from_variables,
    state_of,
    variable_shapes,
    without_values,
)
from tonotopy.encoders.weights import state_sha256

from .musicvae import BOTH, ENCODER_CELL, FLAT, HIERARCHICAL, PUBLISHED, complaint, random_variables, sha

# What Magenta's models are made of


@pytest.mark.parametrize(
    ("config", "count"),
    [(TWO_BAR_SMALL, 4_423_770), (TWO_BAR_BIG, 134_571_098), (SIXTEEN_BAR, 176_061_530)],
    ids=PUBLISHED,
)
def test_parameters_of_the_published_models(config, count):
    model = without_values(config)
    assert {p.device.type for p in model.parameters()} == {"meta"}
    assert sum(p.numel() for p in model.parameters()) == count
    assert sum(np.prod(shape) for shape in variable_shapes(config).values()) == count


# Of Magenta's code; those of the 16-bar model also as github.com/magenta/magenta/issues/1854 lists them.
SHAPES = {
    "2-bar big": {
        **{f"{ENCODER_CELL.format(0, d)}/kernel": (2138, 8192) for d in ("fw", "bw")},
        **{f"{ENCODER_CELL.format(0, d)}/bias": (8192,) for d in ("fw", "bw")},
        **{f"encoder/{name}/kernel": (4096, 512) for name in ("mu", "sigma")},
        **{f"encoder/{name}/bias": (512,) for name in ("mu", "sigma")},
        "decoder/multi_rnn_cell/cell_0/lstm_cell/kernel": (2650, 8192),
        "decoder/multi_rnn_cell/cell_1/lstm_cell/kernel": (4096, 8192),
        "decoder/multi_rnn_cell/cell_2/lstm_cell/kernel": (4096, 8192),
        **{f"decoder/multi_rnn_cell/cell_{layer}/lstm_cell/bias": (8192,) for layer in range(3)},
        "decoder/z_to_initial_state/kernel": (512, 12288),
        "decoder/z_to_initial_state/bias": (12288,),
        "decoder/output_projection/kernel": (2048, 90),
        "decoder/output_projection/bias": (90,),
    },
    "16-bar": {
        **{f"{ENCODER_CELL.format(0, d)}/kernel": (2138, 8192) for d in ("fw", "bw")},
        **{f"{ENCODER_CELL.format(1, d)}/kernel": (6144, 8192) for d in ("fw", "bw")},
        **{f"{ENCODER_CELL.format(layer, d)}/bias": (8192,) for layer in (0, 1) for d in ("fw", "bw")},
        **{f"encoder/{name}/kernel": (4096, 512) for name in ("mu", "sigma")},
        **{f"encoder/{name}/bias": (512,) for name in ("mu", "sigma")},
        "decoder/hierarchical_level_0/cell_0/lstm_cell/kernel": (1025, 4096),
        "decoder/hierarchical_level_0/cell_1/lstm_cell/kernel": (2048, 4096),
        **{f"decoder/hierarchical_level_0/cell_{layer}/lstm_cell/bias": (4096,) for layer in (0, 1)},
        "decoder/hierarchical_level_0/initial_state/kernel": (512, 4096),
        "decoder/hierarchical_level_0/initial_state/bias": (4096,),
        "core_decoder/decoder/multi_rnn_cell/cell_0/lstm_cell/kernel": (2138, 4096),
        "core_decoder/decoder/multi_rnn_cell/cell_1/lstm_cell/kernel": (2048, 4096),
        **{f"core_decoder/decoder/multi_rnn_cell/cell_{layer}/lstm_cell/bias": (4096,) for layer in (0, 1)},
        "core_decoder/decoder/z_to_initial_state/kernel": (1024, 4096),
        "core_decoder/decoder/z_to_initial_state/bias": (4096,),
        "core_decoder/decoder/output_projection/kernel": (1024, 90),
        "core_decoder/decoder/output_projection/bias": (90,),
    },
}


@pytest.mark.parametrize("which", SHAPES)
def test_the_published_variables_fill_the_model(which):
    variables = {name: torch.empty(shape, device="meta") for name, shape in SHAPES[which].items()}
    config = architecture(variables)
    assert config == PUBLISHED[which]
    own = without_values(config).state_dict()
    state = state_of(variables, config)
    assert {n: t.shape for n, t in state.items()} == {n: t.shape for n, t in own.items()}


def test_loading_imports_no_compiler():
    """torch's, which takes seconds to import, and which random numbers on the meta device ask for."""
    code = (
        "import sys, numpy as np; from tonotopy.encoders.musicvae.variables import *; "
        "config = MusicVAEConfig(encoder=(8,), decoder=(8,), latent_dimensions=4); "
        "from_variables({name: np.zeros(shape) for name, shape in variable_shapes(config).items()}); "
        "print('torch._dynamo' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.strip() == "False", done.stderr


# Names


@BOTH
def test_names_with_slashes_or_underscores_and_what_only_training_needs(config):
    variables = random_variables(config)
    expected = sha(variables)
    assert sha({name.replace("/", "_"): v for name, v in variables.items()}) == expected
    assert sha({f"{name}:0": v for name, v in variables.items()}) == expected
    mixed = {n.replace("/", "_", 1 + i % 3): v for i, (n, v) in enumerate(variables.items())}
    assert sha(mixed) == expected
    slots = {
        f"{n}/{slot}": np.full_like(v, np.nan) for n, v in variables.items() for slot in ("Adam", "Adam_1")
    }
    scalars = {
        "global_step": np.int64(7),
        "beta1_power": np.float32(0.9),
        "_CHECKPOINTABLE_OBJECT_GRAPH": b"x",
    }
    cudnn = {"decoder/opaque_kernel": np.ones(9), "decoder/opaque_kernel/Adam": np.ones(9)}
    more = {**slots, **scalars, **cudnn}
    assert sha({**variables, **more}) == expected
    assert sha({n.replace("/", "_"): v for n, v in {**variables, **more}.items()}) == expected
    assert sha({**variables, "encoder/mu/bias": variables["encoder/mu/bias"] + 1}) != expected


@BOTH
def test_lists_tensors_and_other_types_of_numbers(config):
    variables = {n: np.round(8 * v) / 8 for n, v in random_variables(config).items()}
    expected = sha(variables)
    assert sha({n: v.astype(np.float64) for n, v in variables.items()}) == expected
    assert sha({n: torch.from_numpy(v).half() for n, v in variables.items()}) == expected
    assert sha({n: v.tolist() for n, v in variables.items()}) == expected
    frozen = {n: np.frombuffer(v.tobytes(), np.float32).reshape(v.shape) for n, v in variables.items()}
    assert sha(frozen) == expected


def test_the_model_keeps_its_own_numbers_and_draws_none():
    variables = random_variables(FLAT)
    before = torch.get_rng_state()
    model = from_variables(variables)
    assert torch.equal(torch.get_rng_state(), before)
    assert not model.training
    assert model.weights.sha256 == state_sha256(model.state_dict())
    for values in variables.values():
        values[:] = 0
    assert model.weights.sha256 == state_sha256(model.state_dict())


@BOTH
def test_every_missing_variable_is_named(config):
    variables = random_variables(config)
    for name, values in variables.items():
        lacking = {n: v for n, v in variables.items() if n != name}
        shape = re.escape(str(values.shape))
        assert re.search(
            f"weights here: variable '{name}' is missing.*{shape}",
            complaint(from_variables, lacking, config, source="here"),
        )
        assert name.rpartition("/")[0] in complaint(from_variables, lacking)  # its sizes are not known


@BOTH
def test_every_wrong_shape_is_named_with_both_shapes(config):
    variables = random_variables(config)
    for name, values in variables.items():
        longer = np.concatenate([values, values[:1]])
        line = complaint(from_variables, {**variables, name: longer}, config)
        assert f"'{name}' is {longer.shape}, the model needs {values.shape}" in line
    line = complaint(from_variables, random_variables(FLAT), TWO_BAR_SMALL)
    assert f"'{ENCODER_CELL.format(0, 'fw')}/kernel' is (95, 20), the model needs (602, 2048)" in line


def test_a_wrong_shape_is_named_without_a_config_too():
    """The others of its size outvote it."""
    variables = random_variables(FLAT)
    for name in (
        f"{ENCODER_CELL.format(0, 'fw')}/kernel",
        "encoder/mu/kernel",
        "encoder/sigma/kernel",
        "decoder/output_projection/kernel",
        "decoder/z_to_initial_state/bias",
    ):
        wrong = variables[name][..., :-1]
        line = complaint(from_variables, {**variables, name: wrong})
        assert f"'{name}' is {wrong.shape}, the model needs {variables[name].shape}" in line


def test_what_is_left_over_twice_there_or_no_number():
    variables = random_variables(FLAT)
    extra = {**variables, "decoder/attention/kernel": np.ones((2, 2))}
    assert "'decoder/attention/kernel' has no place in" in complaint(from_variables, extra)
    third = {**variables, "decoder/multi_rnn_cell/cell_3/lstm_cell/kernel": np.ones((14, 28))}
    assert "cell_3/lstm_cell/kernel' has no place" in complaint(from_variables, third)
    twice = {**variables, "encoder_mu_bias": variables["encoder/mu/bias"]}
    assert "'encoder/mu/bias' and 'encoder_mu_bias' are the same" in complaint(from_variables, twice)
    text = {**variables, "encoder/mu/bias": np.array(["a", "b"])}
    assert "'encoder/mu/bias' is of <U1, not of numbers" in complaint(from_variables, text)
    for bad in (np.nan, np.inf, 1e300):
        spoilt = variables["decoder/output_projection/bias"].astype(np.float64)
        spoilt[3] = bad
        line = complaint(from_variables, {**variables, "decoder/output_projection/bias": spoilt})
        assert "'decoder/output_projection/bias' holds NaN or Inf" in line


@pytest.mark.parametrize("variables", [{}, {"global_step": np.int64(3)}, {"layer/weights": np.ones(3)}])
def test_a_checkpoint_of_nothing_known(variables):
    assert "weights here: not a MusicVAE's" in complaint(from_variables, variables, source="here")
    assert "weights here: " in complaint(from_variables, variables, FLAT, source="here")


# Halves


@BOTH
def test_a_decoder_alone_decodes_and_an_encoder_alone_encodes(config):
    variables = random_variables(config)
    whole = from_variables(variables)
    latents = np.random.default_rng(3).standard_normal((4, config.latent_dimensions)).astype(np.float32)
    rolls = np.random.default_rng(4).integers(0, 90, (4, config.steps), dtype=np.uint8)
    of_decoder = {n: v for n, v in variables.items() if not n.startswith("encoder")}
    decoder = from_variables(of_decoder, config, "half")
    np.testing.assert_array_equal(decoder.decode(latents), whole.decode(latents))
    np.testing.assert_array_equal(decoder.predict(latents, rolls), whole.predict(latents, rolls))
    assert re.search("half.*decoder only", complaint(decoder.encode, rolls))
    assert decoder.weights.note == "decoder only"
    encoder = from_variables({n: v for n, v in variables.items() if n not in of_decoder}, config, "half")
    for ours, theirs in zip(encoder.encode(rolls), whole.encode(rolls), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert re.search("half.*encoder only", complaint(encoder.decode, latents))
    assert len({decoder.weights.sha256, encoder.weights.sha256, whole.weights.sha256}) == 3


@pytest.mark.parametrize("which", PUBLISHED)
@pytest.mark.parametrize("half", ["encoder", "decoder"])
def test_half_of_a_published_model_tells_which_it_is(which, half):
    config = PUBLISHED[which]
    variables = {
        name: torch.empty(shape, device="meta")
        for name, shape in variable_shapes(config).items()
        if name.startswith("encoder") == (half == "encoder")
    }
    assert architecture(variables) == config


def test_half_of_another_size_needs_the_config():
    of_decoder = {n: v for n, v in random_variables(FLAT).items() if not n.startswith("encoder")}
    line = complaint(from_variables, of_decoder, source="here")
    assert "weights here: hold the decoder only, of layers (6, 7)" in line
    assert "give from_variables its config" in line
    core = MusicVAEConfig(decoder=SIXTEEN_BAR.decoder)  # flat, though its layers are those of the 16-bar core
    shapes = {n: s for n, s in variable_shapes(core).items() if not n.startswith("encoder")}
    of_core = {name: torch.empty(shape, device="meta") for name, shape in shapes.items()}
    assert "give from_variables its config" in complaint(architecture, of_core)


# Other models of Magenta's


def of_another(outputs=90, inputs=90, controls=0):
    """Variables of a flat model with other inputs or outputs."""
    variables = random_variables(FLAT)
    for direction in ("fw", "bw"):
        name = ENCODER_CELL.format(0, direction) + "/kernel"
        variables[name] = np.ones((inputs + controls + 5, 20))
    variables["decoder/multi_rnn_cell/cell_0/lstm_cell/kernel"] = np.ones((outputs + controls + 4 + 6, 24))
    variables["decoder/output_projection/kernel"] = np.ones((7, outputs))
    variables["decoder/output_projection/bias"] = np.ones(outputs)
    return variables


def renamed(config, old, new):
    return {name.replace(old, new, 1): values for name, values in random_variables(config).items()}


@pytest.mark.parametrize(
    ("variables", "what"),
    [
        (of_another(outputs=512, inputs=10), "of drums"),
        (of_another(outputs=27, inputs=27), "of grooves on nine drums"),
        (of_another(outputs=692, inputs=692), "of a trio of melody, bass and drums"),
        (of_another(outputs=130, inputs=130), "that tells 130 classes"),
        (of_another(controls=49), r"takes 90 and 49 more \(of chords, say\)"),
        (renamed(HIERARCHICAL, "core_decoder/decoder", "core_decoder/core_decoder_0/decoder"), "of a trio"),
        (
            renamed(HIERARCHICAL, "encoder/cell_0", "encoder/hierarchical_level_0/cell_0"),
            "hierarchical encoder",
        ),
        ({**random_variables(FLAT), "decoder/nade/w_enc": np.ones((9, 1, 4))}, "of drum rolls"),
    ],
    ids=["drums", "groove", "flat trio", "other", "chords", "trio", "hierarchical encoder", "nade"],
)
@pytest.mark.parametrize("separator", ["/", "_"])
def test_another_model_is_refused_by_name(variables, what, separator):
    given_names = {name.replace("/", separator): values for name, values in variables.items()}
    for config in (None, FLAT):
        line = complaint(from_variables, given_names, config, source="here")
        assert re.search(f"weights here: a MusicVAE .*{what}.*only those of melodies of 90 classes", line)


def test_drums_are_told_from_half_a_checkpoint():
    variables = of_another(outputs=512, inputs=10)
    encoder = {n: v for n, v in variables.items() if n.startswith("encoder")}
    decoder = {n: v for n, v in variables.items() if n not in encoder}
    assert "that takes 10; only" in complaint(from_variables, encoder)
    assert "of drums" in complaint(from_variables, decoder)
