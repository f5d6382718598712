"""Small MusicVAEs under TensorFlow's names, for the tests of checkpoints."""

import numpy as np
import pytest

from tonotopy.encoders import InputError
from tonotopy.encoders.musicvae.config import SIXTEEN_BAR, TWO_BAR_BIG, TWO_BAR_SMALL, MusicVAEConfig
from tonotopy.encoders.musicvae.variables import from_variables, variable_shapes

FLAT = MusicVAEConfig(encoder=(5,), decoder=(6, 7), latent_dimensions=4)
HIERARCHICAL = MusicVAEConfig(
    bars=16, encoder=(5, 6), decoder=(6, 7), latent_dimensions=4, conductor=(5, 8), segments=16
)
BOTH = pytest.mark.parametrize("config", [FLAT, HIERARCHICAL], ids=["flat", "hierarchical"])
PUBLISHED = {"2-bar small": TWO_BAR_SMALL, "2-bar big": TWO_BAR_BIG, "16-bar": SIXTEEN_BAR}
ENCODER_CELL = "encoder/cell_{}/bidirectional_rnn/{}/multi_rnn_cell/cell_0/lstm_cell"


def random_variables(config, seed=0) -> dict[str, np.ndarray]:
    generator = np.random.default_rng(seed)
    return {
        name: generator.standard_normal(shape).astype(np.float32)
        for name, shape in variable_shapes(config).items()
    }


def sha(variables, config=None):
    return from_variables(variables, config).weights.sha256


def complaint(call, *arguments, **options):
    """The one line that bad input gives."""
    with pytest.raises(InputError) as raised:
        call(*arguments, **options)
    line = str(raised.value)
    assert line
    assert "\n" not in line
    return line
