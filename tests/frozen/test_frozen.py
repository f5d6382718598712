"""Whatever moves, measurements stay: bit by bit on the recording's processor, within rounding elsewhere."""

import pytest

from .runs import SUBJECTS
from .stored import differences

QUICK = (
    "control:decimator", "control:rectifier", "control:texture", "control:planted", "filterbank:gammatone",
    "musicvae_tiny.random",
)  # fmt: skip
QUICK_OF_CODEC = (
    "selectivity", "chord_tuning", "intermodulation", "invertibility", "representability", "codes",
    "waveform_shape", "interventions",
)  # fmt: skip


@pytest.mark.numerical
@pytest.mark.parametrize("name", QUICK)
def test_what_is_measured_of_controls_is_what_was_recorded(name):
    assert differences(name) == []


@pytest.mark.numerical
def test_what_is_measured_of_the_codec_is_what_was_recorded():
    assert differences("codec_tiny", QUICK_OF_CODEC) == []


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in SUBJECTS if name not in QUICK])
def test_what_is_measured_of_everybody_is_what_was_recorded(name):
    """Outcome when it was last run by hand, on the recording's processor: nothing differs, bit by bit."""
    assert differences(name) == []
