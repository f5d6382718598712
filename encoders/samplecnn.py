"""SampleCNN: a tagger that listens to raw samples through tiny convolutions (Lee et al. 2018)."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ..synth.errors import InputError
from .base import Stage, Weights, check_waveforms
from .geometry import Geometry, Layer
from .redrawing import redrawn, through_stages
from .resuming import ResumableEncoder
from .weights import fill, randomly_initialised, read_state, state_sha256, stored_config

METADATA_KEY = "samplecnn"
_SAMPLES_AT_ONCE = 1_500_000  # of all recordings that are classified together
_FIRST = Layer(kernel=3, stride=3)
_SAME = Layer(kernel=3, left_padding=1)
_POOL = Layer(kernel=3, stride=3)


@dataclass(frozen=True)
class SampleCNNConfig:
    """The size of a SampleCNN; the defaults are the published one, which hears 3^10 samples at once.

    Parameters
    ----------
    sample_rate : int > 0
        Samples per second.
    channels : tuple of int
        Output channels of the strided first convolution, then of every pooled block. The hop after
        the last block is ``3 ** len(channels)`` samples.
    latent_channels : int > 0
        Channels of the layer that feeds the classifier.
    n_classes : int > 0
        Outputs of the classifier.
    dropout : float
        Share of latent channels (averaged over time) dropped in training.

    Raises
    ------
    InputError
        If a number is out of range.
    """

    sample_rate: int = 22_050
    channels: tuple[int, ...] = (128, 128, 128, 256, 256, 256, 256, 256, 256, 512)
    latent_channels: int = 512
    n_classes: int = 50
    dropout: float = 0.5

    def __post_init__(self) -> None:
        if not 2 <= len(self.channels) <= 12:
            raise InputError(f"SampleCNN with {len(self.channels)} blocks: must have 2 to 12")
        for size in (*self.channels, self.latent_channels, self.n_classes):
            if not (isinstance(size, int) and 1 <= size <= 4096):
                raise InputError(f"SampleCNN layer of {size!r} channels: must have 1 to 4096")
        if not (isinstance(self.sample_rate, int) and 1 <= self.sample_rate <= 1_000_000):
            raise InputError(
                f"SampleCNN sample rate {self.sample_rate!r}: must be a whole number of hertz up to 1e6"
            )
        if not 0 <= self.dropout < 1:
            raise InputError(f"SampleCNN dropout {self.dropout}: must be at least 0 and below 1")

    @property
    def hop(self) -> int:
        """Samples per frame after the last pooled block."""
        return 3 ** len(self.channels)


TINY = SampleCNNConfig(channels=(32, 32, 64, 64, 128, 128), latent_channels=128, n_classes=12, dropout=0.3)


class Block(nn.Module):
    """Convolution, batch norm, ReLU and, but for the ends of the stack, max-pooling by 3."""

    def __init__(self, inputs: int, outputs: int, kernel: int = 3, stride: int = 1, pool: int = 1) -> None:
        super().__init__()
        padding = 0 if stride > 1 else kernel // 2
        self.conv = nn.Conv1d(inputs, outputs, kernel, stride, padding)
        self.norm = nn.BatchNorm1d(outputs, eps=1e-3)  # Keras' epsilon, as published
        self.pool = pool
        nn.init.kaiming_uniform_(self.conv.weight, nonlinearity="relu")
        nn.init.zeros_(self.conv.bias)  # type: ignore[arg-type]

    def forward(self, x: Tensor) -> Tensor:
        """Map [B, C_in, F] to [B, C_out, F / (stride * pool)]."""
        if x.shape[-1] < max(self.conv.stride[0], self.pool):
            raise InputError(
                f"waveform too short: {x.shape[-1]} frames are left where a SampleCNN block pools 3"
            )
        x = torch.relu(self.norm(self.conv(x)))
        return nn.functional.max_pool1d(x, self.pool) if self.pool > 1 else x


class SampleCNN(nn.Module):
    """The network of Lee et al. 2018, with the mean over time between latent and classifier.

    At the published size and input (3^10 samples) there is one frame, and the mean changes nothing.
    Initialised as published (He uniform, zero biases).

    Source: J. Lee, J. Park, K. L. Kim, J. Nam, "SampleCNN: End-to-End Deep Convolutional Neural
    Networks Using Very Small Filters for Music Classification", Applied Sciences 8(1), 2018.
    """

    def __init__(self, config: SampleCNNConfig) -> None:
        super().__init__()
        self.config = config
        pairs = zip(config.channels, config.channels[1:], strict=False)
        pooled = [Block(inputs, outputs, pool=3) for inputs, outputs in pairs]
        self.blocks = nn.Sequential(Block(1, config.channels[0], stride=3), *pooled)
        self.latent = Block(config.channels[-1], config.latent_channels, kernel=1)
        self.dropout = nn.Dropout(config.dropout)
        self.classifier = nn.Linear(config.latent_channels, config.n_classes)

    def forward(self, waveforms: Tensor) -> Tensor:
        """Map [B, 1, T] to class scores [B, n_classes] before the sigmoid (or softmax)."""
        latent = self.latent(self.blocks(waveforms))  # [B, C, F]
        return self.classifier(self.dropout(latent.mean(dim=-1)))


def stages_of(config: SampleCNNConfig) -> dict[str, Stage]:
    """Return the stages of a SampleCNN: first_layer, block0 .. stack_end, latent.

    Examples
    --------
    >>> stages_of(TINY)["stack_end"].receptive_field
    1455
    """

    def stage(name: str, channels: int, seen: Geometry, kind: str = "nonlinear") -> Stage:
        return Stage(name, channels, seen.hop, seen.receptive_field, seen.latency, kind)

    seen = Geometry().then(_FIRST)
    found = [
        stage("first_layer", config.channels[0], seen, "convolution"),
        stage("block0", config.channels[0], seen),
    ]
    last = len(config.channels) - 1
    for index, channels in enumerate(config.channels[1:], start=1):
        seen = seen.then(_SAME).then(_POOL)
        found.append(stage("stack_end" if index == last else f"block{index}", channels, seen))
    found.append(stage("latent", config.latent_channels, seen))
    return {s.name: s for s in found}


def metadata_of(config: SampleCNNConfig, labels: tuple[str, ...] = ()) -> dict[str, str]:
    """Return what a safetensors file of weights says of itself: the configuration and the class names."""
    # One key: safetensors writes several in an order that changes from run to run, and the hash with it.
    return {METADATA_KEY: json.dumps({"config": asdict(config), "labels": labels})}


def read_config(path: Path) -> SampleCNNConfig | None:
    """Return the configuration stored in a file of weights; None where none is stored.

    Raises
    ------
    InputError
        If the file is no safetensors file, or the configuration is not one.
    """
    return stored_config(path, METADATA_KEY, lambda config, labels: SampleCNNConfig(**config))


def read_classes(path: Path) -> tuple[str, ...]:
    """Return the class names stored in a file of weights, in the order of the outputs; () for none.

    Raises
    ------
    InputError
        If the file is no safetensors file, or what is stored are no names, one for each output.
    """

    def named(config: dict[str, Any], labels: tuple[str, ...] = ()) -> tuple[str, ...]:
        n_classes = SampleCNNConfig(**config).n_classes
        if not isinstance(labels, tuple) or not all(isinstance(label, str) for label in labels):
            raise ValueError(f"labels are {labels!r:.60}, a list of names wanted")
        if labels and len(labels) != n_classes:
            raise ValueError(f"{len(labels)} labels of {n_classes} classes")
        return labels

    return stored_config(path, METADATA_KEY, named) or ()


class SampleCNNEncoder(ResumableEncoder):
    """A SampleCNN with its stages, and with its classifier.

    Parameters
    ----------
    name, network, weights
        As of `encode`.
    classes : tuple of str
        Names of the outputs; without names they are called "class 0", "class 1", and so on.

    Attributes
    ----------
    classes : tuple of str
        As many as the network has outputs, in their order.
    """

    def __init__(
        self, name: str, network: SampleCNN, weights: Weights, classes: tuple[str, ...] = ()
    ) -> None:
        stages = stages_of(network.config)
        taps = {
            stage: f"blocks.{stage.removeprefix('block')}" for stage in stages if stage.startswith("block")
        }
        taps |= {
            "first_layer": "blocks.0.conv",
            "stack_end": f"blocks.{len(network.blocks) - 1}",
            "latent": "latent",
        }
        kernel = network.get_parameter("blocks.0.conv.weight").detach().double().numpy()[:, 0]  # [C, 3]
        rate, kernels = network.config.sample_rate, {"first_layer": kernel}
        super().__init__(name, network, rate, stages, taps, weights, kernels=kernels)
        self.classes = classes or tuple(f"class {i}" for i in range(network.config.n_classes))
        self.randomised = lambda seed, kind="random": _redrawn(self, network.config, seed, kind)

    def classify(self, waveforms: Tensor) -> Tensor:
        """Tell the classes of whole recordings.

        Parameters
        ----------
        waveforms : float32 [B, T]
            At the encoder's sample rate; all of T is averaged over.

        Returns
        -------
        probabilities : float32 [B, C]
            Of `classes`; they sum to 1 (softmax, as in training).

        Raises
        ------
        InputError
            If `waveforms` is not [B, T], holds NaN or Inf, or is shorter than one frame.

        Examples
        --------
        >>> samplecnn_tiny().classify(torch.zeros(2, 22_050)).shape
        torch.Size([2, 12])
        """
        check_waveforms(waveforms)
        size = max(1, _SAMPLES_AT_ONCE // max(1, waveforms.shape[1]))
        with torch.inference_mode():
            inputs = waveforms.to(self.device, torch.float32)[:, None]  # [B, 1, T]
            return torch.cat([self.module(part).softmax(dim=1) for part in inputs.split(size)])


def encode(
    name: str, network: SampleCNN, weights: Weights, classes: tuple[str, ...] = ()
) -> SampleCNNEncoder:
    """Give a network its stages, and its outputs their names."""
    return SampleCNNEncoder(name, network, weights, classes)


def _redrawn(encoder: SampleCNNEncoder, config: SampleCNNConfig, seed: int, kind: str) -> SampleCNNEncoder:
    if kind == "random":
        return _random(encoder.name, config, seed, encoder.classes)
    network, note = redrawn(
        kind,
        encoder.module,
        lambda: randomly_initialised(lambda: SampleCNN(config), seed),
        through_stages(encoder),
        seed,
    )
    assert isinstance(network, SampleCNN)
    weights = Weights(kind, state_sha256(network.state_dict()), note)
    return encode(encoder.name, network, weights, encoder.classes)


def _from_file(name: str, path: Path, default: SampleCNNConfig, source: str) -> SampleCNNEncoder:
    state = read_state(path)
    config = read_config(path) or default
    network = randomly_initialised(lambda: SampleCNN(config), 0)  # leaves the caller's random state alone
    assert isinstance(network, SampleCNN)
    fill(network, state, str(path))
    return encode(name, network, Weights(source, state_sha256(state)), read_classes(path))


def _random(name: str, config: SampleCNNConfig, seed: int, classes: tuple[str, ...] = ()) -> SampleCNNEncoder:
    network = randomly_initialised(lambda: SampleCNN(config), seed)
    note = f"He uniform, seed {seed}; batch norms at their initial statistics"
    assert isinstance(network, SampleCNN)
    return encode(name, network, Weights("random", state_sha256(network.state_dict()), note), classes)


def samplecnn(weights: str | Path = "pretrained", seed: int = 0) -> SampleCNNEncoder:
    """Return SampleCNN at the size that its weights have, or at the published size.

    Parameters
    ----------
    weights : "random" or path
        A random initialisation at the published size, or a file that `train_samplecnn` wrote.
    seed : int
        Seeds the random initialisation.

    Raises
    ------
    InputError
        If pretrained weights are requested (none are published in a form that can be opened safely),
        or the file cannot be read or is of another architecture.

    Examples
    --------
    >>> import torch
    >>> encoder = samplecnn(weights="random")
    >>> encoder.run(torch.zeros(1, 59_049), ["latent"])["latent"].shape
    torch.Size([1, 512, 1])
    """
    if weights == "pretrained":
        raise InputError(
            "samplecnn has no published weights to fetch: pass weights='random' or the path of a safetensors "
            "file, or train one with `tonotopy train samplecnn`"
        )
    if weights == "random":
        return _random("samplecnn", SampleCNNConfig(), seed)
    return _from_file("samplecnn", Path(weights), SampleCNNConfig(), str(weights))


def samplecnn_tiny(weights: str | Path = "pretrained", seed: int = 0) -> SampleCNNEncoder:
    """Return the small SampleCNN that comes with the library: 729 samples per frame at `stack_end`.

    Trained to tell families of instruments; see the model card ``encoders/zoo/samplecnn_tiny.md``.

    Parameters
    ----------
    weights : {"pretrained", "random"} or path
        The bundled weights, a random initialisation, or a file that `train_samplecnn` wrote.
    seed : int
        Seeds the random initialisation.

    Raises
    ------
    InputError
        If a file cannot be read or is of another architecture.

    Examples
    --------
    >>> samplecnn_tiny(weights="random").stages["latent"].hop
    729
    """
    if weights == "random":
        return _random("samplecnn_tiny", TINY, seed)
    if weights == "pretrained":
        with as_file(files("tonotopy.encoders.zoo") / "samplecnn_tiny.safetensors") as path:
            return _from_file("samplecnn_tiny", path, TINY, "pretrained")
    return _from_file("samplecnn_tiny", Path(weights), TINY, str(weights))
