"""Files of ONNX: written by hand, run by ONNX Runtime, and held to the same network in torch."""

import numpy as np
import pytest
import torch
from torch import nn

from tonotopy.encoders import InputError, check, load, wrap, wrap_function
from tonotopy.probes import equivalence

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")

RATE = 8_000


def network(seed=0):
    torch.manual_seed(seed)
    return nn.Sequential(nn.Conv1d(1, 4, 16, stride=4), nn.ELU(), nn.Conv1d(4, 8, 3, stride=2))


def written(path, module, batch: str | int = "B", length: str | int = "T", rate=None, several=False):
    """Write the network as ONNX."""
    from onnx import TensorProto, helper, numpy_helper

    nodes = [
        helper.make_node("Conv", ["waveforms", "w0", "b0"], ["first_layer"], strides=[4], kernel_shape=[16]),
        helper.make_node("Elu", ["first_layer"], ["opened"]),
        helper.make_node("Conv", ["opened", "w2", "b2"], ["embedding"], strides=[2], kernel_shape=[3]),
    ]
    weights = {"w0": module[0].weight, "b0": module[0].bias, "w2": module[2].weight, "b2": module[2].bias}
    outputs = ["first_layer", "embedding"] if several else ["embedding"]
    graph = helper.make_graph(
        nodes,
        "network",
        [helper.make_tensor_value_info("waveforms", TensorProto.FLOAT, [batch, 1, length])],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in outputs],
        [numpy_helper.from_array(w.detach().numpy(), name) for name, w in weights.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    if rate is not None:
        helper.set_model_props(model, {"sample_rate": str(rate)})
    onnx.save(model, str(path))
    return path


@pytest.mark.parametrize("batch", ["B", 1])
def test_a_file_does_what_the_network_does(tmp_path, batch):
    module = network()
    path = written(tmp_path / "net.onnx", module, batch=batch, rate=RATE, several=True)
    encoder = load(str(path))
    assert list(encoder.stages) == ["first_layer", "embedding"]
    assert encoder.stages["first_layer"].kind == "convolution"
    check(encoder)
    original = wrap(module, RATE, {"first_layer": "0", "embedding": "2"})
    assert {s: (a.hop, a.receptive_field, a.latency) for s, a in encoder.stages.items()} == {
        s: (a.hop, a.receptive_field, a.latency) for s, a in original.stages.items()
    }
    assert equivalence(original, encoder, progress=False).attrs["agrees"] == "yes"


def test_a_single_output_is_the_latent_and_the_rate_is_given(tmp_path):
    path = written(tmp_path / "net.onnx", network())
    with pytest.raises(InputError, match="sample rate is not known"):
        load(str(path))
    encoder = load(str(path), sample_rate=RATE)
    assert (list(encoder.stages), encoder.stages["latent"].hop) == (["latent"], 8)
    with pytest.raises(InputError, match="no other weights"):
        load(str(path), weights="random", sample_rate=RATE)
    own = written(tmp_path / "rated.onnx", network(), rate=RATE)
    with pytest.raises(InputError, match="says that it takes 8000 Hz"):
        load(str(own), sample_rate=2 * RATE)


def test_fixed_lengths_are_played_in_pieces(tmp_path):
    path = written(tmp_path / "net.onnx", network(), length=800)
    encoder = load(str(path), sample_rate=RATE)
    assert encoder.run(torch.randn(2, 1600), ["latent"])["latent"].shape[0] == 2


def test_what_is_no_such_file_is_refused_in_one_line(tmp_path):
    (tmp_path / "no.onnx").write_bytes(b"not one")
    for name, message in ((tmp_path / "no.onnx", "cannot be read"), (tmp_path / "gone.onnx", "no such file")):
        with pytest.raises(InputError, match=message) as found:
            load(str(name), sample_rate=RATE)
        assert "\n" not in str(found.value)


def test_a_fault_of_an_export_is_found(tmp_path):
    module = network()
    with torch.no_grad():
        faulty = network()
        faulty[2].bias.add_(0.5)
    path = written(tmp_path / "net.onnx", faulty)
    original = wrap(module, RATE, {"first_layer": "0", "latent": "2"})
    found = equivalence(original, load(str(path), sample_rate=RATE), progress=False)
    assert [str(kind) for kind in found["findings"]["kind"].values] == ["bias"]


def test_wrap_function_takes_a_session(tmp_path):
    path = written(tmp_path / "codec.onnx", network())
    session = onnxruntime.InferenceSession(str(path))
    name = session.get_inputs()[0].name
    encoder = wrap_function(lambda waveforms: session.run(None, {name: waveforms[:, None]}), RATE)
    found = encoder.run(torch.ones(1, 800), ["latent"])["latent"]
    np.testing.assert_allclose(found[0].numpy(), network()(torch.ones(1, 1, 800))[0].detach(), atol=1e-6)
