"""EnCodec in its own package and in transformers, with the same trained weights."""

import pytest

from tonotopy.encoders import load
from tonotopy.probes import equivalence

from ...benchmarks.encodec_twice import SIZES, as_transformers_has_it

pytest.importorskip("transformers")


def test_two_implementations_of_a_trained_codec_agree(tmp_path):
    original = load("codec_tiny")
    port = as_transformers_has_it(original, tmp_path, **SIZES["codec_tiny"])
    found = equivalence(original, port, progress=False)
    assert found.attrs["agrees"] == "yes"
    stages = found["stages"].to_dataset()
    assert set(original.stages) < set(stages["stage"].values)
    assert float(stages["difference_db"].max()) < -80  # rounding of float32, behind an LSTM
    assert int(found["codes"].to_dataset()["beyond"].sum()) == 0
    assert found["codes"].attrs["margins"] == "known"
