"""EnCodec (Défossez et al. 2022) at 24 and 48 kHz, on the encodec package's own modules."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ..synth.errors import InputError
from .base import Stage, Weights
from .filling import Step, fill_steps, filling_note, filling_sounds, nearest_entries, settled_latents
from .folded import folded, state_of
from .quantization import check_codes
from .redrawing import redrawn, reference
from .resuming import ResumableEncoder
from .seanet import quantized_stages, seanet_stages, time_convolutions
from .threads import single_thread, suited_threads
from .weights import download, fill_from, randomly_initialised, state_sha256

CHECKPOINTS = {24_000: "encodec_24khz-d7cc33bc.th", 48_000: "encodec_48khz-7e698e3e.th"}

# Stage name -> index in the package's SEANet encoder; what lies between are activation functions.
BLOCKS = {
    "first_layer": 0,
    "residual1": 1,
    "downsample1": 3,
    "residual2": 4,
    "downsample2": 6,
    "residual3": 7,
    "downsample3": 9,
    "residual4": 10,
    "stack_end": 12,
    "lstm": 13,
    "latent": 15,
}


def encodec_24khz(weights: str | Path = "pretrained", seed: int = 0, codebooks: int = 8) -> EncodecEncoder:
    """Return the causal 24 kHz model: 75 latents per second, weight norm.

    Parameters
    ----------
    weights : {"pretrained", "random"} or path
        The published checkpoint, a random initialisation, or a state dict of the whole model
        (.safetensors, or a pickle of plain tensors).
    seed : int
        Of the random initialisation.
    codebooks : int, 1 to 32
        How many codebooks `quantized` and `codes` use; 8 are 6 kbit/s.

    Raises
    ------
    InputError
        If the weights cannot be had or do not fit, or `codebooks` is out of range.

    Notes
    -----
    The codebooks of an untrained EnCodec hold zeros, to which every latent is quantised. They are
    filled from data here, and `weights.note` says so.

    Source: Défossez et al., High Fidelity Neural Audio Compression, arXiv 2210.13438.

    Examples
    --------
    >>> encoder = encodec_24khz("random")
    >>> encoder.run(torch.zeros(1, 4000), ["stack_end", "codes"])["codes"].shape
    torch.Size([1, 8, 13])
    """
    return _encodec(24_000, weights, seed, codebooks)


def encodec_48khz(weights: str | Path = "pretrained", seed: int = 0, codebooks: int = 8) -> EncodecEncoder:
    """Return the 48 kHz model: stereo, not causal, 150 latents per second, group norm over time.

    Parameters
    ----------
    weights, seed
        As in `encodec_24khz`.
    codebooks : int, 1 to 16
        How many codebooks `quantized` and `codes` use; 8 are 12 kbit/s.

    Raises
    ------
    InputError
        As in `encodec_24khz`.

    Notes
    -----
    A waveform is played on both channels. The model divides each segment by its scale, 1e-8 plus
    its RMS; `EncodecEncoder.scale` returns it. `first_layer` is the bare convolution before its
    norm, with the scale undone, so that it is a convolution of the waveform as it was given. Every
    later stage sees a group norm over the whole segment: it has no bounded receptive field, silence
    is not zero and level is not linear.

    The codec works on segments of 1 s. A stimulus is never cut: whatever its length, the whole of
    it is one segment here.
    """
    return _encodec(48_000, weights, seed, codebooks)


class EncodecEncoder(ResumableEncoder):
    """An EnCodec model, recorded at every SEANet block and behind its quantizer."""

    @property
    def codebooks(self) -> tuple[Tensor, ...]:
        """The codebooks in use, float32 [entries, D] each, in the order of the residual steps."""
        quantize: Any = self.module.get_submodule("quantize")
        return tuple(layer.codebook for layer in quantize.vq.layers[: quantize.codebooks])

    def scale(self, waveforms: Tensor) -> Tensor | None:
        """Return what the model divides float [B, T] `waveforms` by, [B]; None where it does not."""
        model: Any = self.module
        return 1e-8 + waveforms.square().mean(dim=1).sqrt() if model.codec.normalize else None

    def activations(self, waveforms: Tensor, stages: Sequence[str]) -> dict[str, Tensor]:
        """Do what `run` does, unchecked."""
        return ResumableEncoder.activations(self._faster(), waveforms, stages)

    def _faster(self) -> EncodecEncoder:
        other = copy.copy(self)
        other.module = self._prepared()
        return other

    def _prepared(self) -> nn.Module:
        """Return the module with its encoder folded, made anew whenever weights have changed."""
        encoder: nn.Module = self.module.get_submodule("codec.encoder")
        state = state_of(encoder)
        if state is None:
            return self.module
        if self._folded is None or self._folded[:2] != (self.module, state):
            codec = copy.copy(self.module.get_submodule("codec"))
            codec._modules = {**codec._modules, "encoder": folded(encoder)}
            taps = copy.copy(self.module)
            taps._modules = {**taps._modules, "codec": codec}
            self._folded = (self.module, state, taps)
        return self._folded[2]

    _folded: tuple[nn.Module, tuple[tuple[int, int], ...], nn.Module] | None = None

    def _activations(self, waveforms: Tensor, stages: Any) -> dict[str, Tensor]:
        found = super()._activations(waveforms, stages)
        scale = self.scale(waveforms)
        if "first_layer" in found and scale is not None:
            model: Any = self.module
            bias = model.codec.encoder.model[0].conv.conv.bias
            found["first_layer"] = unscaled(found["first_layer"], bias, scale)
        return found

    def stages_from(self, stage: str) -> tuple[str, ...]:
        """Return the stages that follow from one; from "codes" it is the sums of the entries they name."""
        return tuple(self._sums) if stage == "codes" else super().stages_from(stage)

    def _resumed(self, stage: str, activations: Tensor, stages: Sequence[str]) -> dict[str, Tensor]:
        if stage != "codes":
            return ResumableEncoder._resumed(self._faster(), stage, activations, stages)
        check_codes(activations, self.codebooks)
        quantize: Any = self.module.get_submodule("quantize")
        codes = activations.to(self.device).transpose(0, 1)  # [Q, B, F]
        return {name: quantize.vq.decode(codes[: self._sums[name]]) for name in stages}

    def _found_by_trying(self, stage: str) -> tuple[str, ...]:
        return ResumableEncoder._found_by_trying(self._faster(), stage)

    @property
    def _sums(self) -> dict[str, int]:
        return quantized_stages(self.stages["codes"].channels)

    def decode(self, latent: Tensor, scale: Tensor | None = None) -> Tensor:
        """Return the sound of a latent, or of its quantized version.

        Parameters
        ----------
        latent : float32 [B, 128, F]
        scale : float32 [B], optional
            What `scale` returned for the waveforms (48 kHz only).

        Returns
        -------
        waveforms : float32 [B, F * hop]
            The mean over the model's channels.
        """
        model: Any = self.module
        with torch.inference_mode(), suited_threads(self.module):
            waveforms = model.codec.decoder(latent.to(self.device)).mean(dim=1)
        return waveforms if scale is None else waveforms * scale.to(waveforms)[:, None]


class _Taps(nn.Module):
    """The encoding half of a codec: waveforms -> latent -> codes."""

    def __init__(self, codec: Any, codebooks: int) -> None:
        super().__init__()
        self.codec = codec
        self.quantize = _Quantize(codec.quantizer.vq, codebooks)

    def forward(self, waveforms: Tensor) -> dict[str, Tensor]:
        return self.quantize(self.codec.encoder(waveforms))


class _Quantize(nn.Module):
    """The first `codebooks` steps of the codec's residual vector quantization."""

    def __init__(self, vq: Any, codebooks: int) -> None:
        super().__init__()
        self.vq, self.codebooks = vq, codebooks

    def forward(self, latent: Tensor) -> dict[str, Tensor]:
        wanted = {n: name for name, n in quantized_stages(self.codebooks).items()}
        rows = latent.transpose(1, 2)  # [B, F, D]
        residual, total, codes, sums = rows, torch.zeros((), device=latent.device), [], {}
        for n, layer in enumerate(self.vq.layers[: self.codebooks], start=1):
            codes.append(nearest_entries(residual, layer.codebook))  # [B, F]
            chosen = layer.codebook[codes[-1]]
            residual, total = residual - chosen, total + chosen
            if n in wanted:
                sums[wanted[n]] = total.transpose(1, 2)
        return {**sums, "codes": torch.stack(codes, dim=1)}


def _encodec(sample_rate: int, source: str | Path, seed: int, codebooks: int) -> EncodecEncoder:
    name = f"encodec_{sample_rate // 1000}khz"
    codec: Any = randomly_initialised(lambda: _build(sample_rate), seed)
    form = ""
    if source != "random":
        form = fill_from(codec, _download(sample_rate) if source == "pretrained" else source)
    encoder = listen(name, codec, codebooks, str(source), seed)
    encoder.weights = encoder.weights.noted(form)
    return redrawable(encoder, lambda: _build(sample_rate))


def redrawable(encoder: EncodecEncoder, build: Callable[[], nn.Module]) -> EncodecEncoder:
    """Let a codec be drawn anew, its decoder too; `build` makes others of its architecture, untrained."""

    def randomised(seed: int, kind: str = "random") -> EncodecEncoder:
        trained: Any = encoder.module.get_submodule("codec")
        sounds = _prepare(trained, reference(trained.sample_rate, trained.sample_rate // 2))

        def play(codec: Any) -> Tensor:  # not through the quantizer, which is not filled yet
            return codec.decoder(codec.encoder(sounds))

        codec, note = redrawn(kind, trained, lambda: randomly_initialised(build, seed), play, seed)
        drawn = listen(encoder.name, codec, len(encoder.codebooks), kind, seed)
        drawn.weights = drawn.weights.noted(note)
        return redrawable(drawn, build)

    encoder.randomised = randomised
    return encoder


def listen(name: str, codec: Any, codebooks: int | None, origin: str, seed: int = 0) -> EncodecEncoder:
    """Make an encoder of an encodec-package model; codebooks that never saw data are filled.

    Parameters
    ----------
    name : str
    codec : encodec.model.EncodecModel
        With its weights; it keeps them.
    codebooks : int or None
        How many codebooks to use; all if None.
    origin : str
        Where the weights are from.
    seed : int
        Of the filling.

    Raises
    ------
    InputError
        If it has not that many codebooks.
    """
    available = codec.quantizer.n_q
    used = available if codebooks is None else codebooks
    if not 1 <= used <= available:
        raise InputError(f"codebooks {used}: {name} has 1 to {available}")
    books = [layer._codebook for layer in codec.quantizer.vq.layers[:used]]
    with single_thread():  # more of them would round what the codebooks are filled with otherwise
        note = (
            ""
            if all(book.inited and book.embed.any() for book in books)
            else _fill(codec.eval(), books, seed)
        )
    taps = {stage: f"codec.encoder.model.{index}" for stage, index in BLOCKS.items()}
    taps["first_layer"] += ".conv.conv"  # before its norm
    stages = _stages(codec, used)
    encoder = EncodecEncoder(
        name,
        _Taps(codec, used),
        codec.sample_rate,
        stages,
        {stage: taps.get(stage, "quantize") for stage in stages},
        Weights(origin, state_sha256(codec.state_dict()), note),
        prepare=lambda waveforms: _prepare(codec, waveforms),
        read=lambda stage, output: output[stage] if isinstance(output, dict) else output,
        kernels={"first_layer": _first_kernels(codec)},
    )
    encoder.module.requires_grad_(False)
    return encoder


def unscaled(first_layer: Tensor, bias: Tensor, scale: Tensor) -> Tensor:
    """Return a first convolution [B, C, F] of what was divided by `scale` [B] as if it had not been."""
    constant = bias.detach()[:, None]
    return (first_layer - constant) * scale.to(constant)[:, None, None] + constant


def _build(sample_rate: int) -> nn.Module:
    from encodec.model import EncodecModel

    with warnings.catch_warnings():
        # torch renames the weight norm that encodec uses; its checkpoints still carry the old names
        warnings.filterwarnings("ignore", message=".*weight_norm", category=FutureWarning)
        if sample_rate == 24_000:
            return EncodecModel.encodec_model_24khz(pretrained=False)
        return EncodecModel.encodec_model_48khz(pretrained=False)


def _download(sample_rate: int) -> Path:
    from encodec.model import ROOT_URL

    file = CHECKPOINTS[sample_rate]
    return download(ROOT_URL.rstrip("/") + "/" + file, hash_prefix=Path(file).stem.split("-")[1])


def _prepare(codec: Any, waveforms: Tensor) -> Tensor:  # [B, T] -> [B, codec.channels, T]
    if codec.normalize:
        waveforms = waveforms / (1e-8 + waveforms.square().mean(dim=1, keepdim=True).sqrt())
    return waveforms[:, None].expand(-1, codec.channels, -1)


def _stages(codec: Any, codebooks: int) -> dict[str, Stage]:
    blocks = {name: time_convolutions(codec.encoder.model[index]) for name, index in BLOCKS.items()}
    layers = {name: [(conv.conv.conv, conv.causal) for conv in convs] for name, convs in blocks.items()}
    return seanet_stages(layers, codebooks, normalizes=codec.normalize)


def _first_kernels(codec: Any) -> np.ndarray:  # [C, 7]
    conv = codec.encoder.model[0].conv.conv
    if not hasattr(conv, "weight_g"):
        weight = conv.weight.detach().double()
    else:
        direction = conv.weight_v.detach().double()
        weight = conv.weight_g.detach().double() * direction / direction.norm(dim=(1, 2), keepdim=True)
    return weight.sum(dim=1).numpy()  # the waveform plays on every channel


def _fill(codec: Any, books: list[Any], seed: int) -> str:
    """Fill codebooks from latents of a few sounds, and return the sentence that says so."""
    with torch.inference_mode():
        latents = codec.encoder(_prepare(codec, filling_sounds(codec.sample_rate, seed)))
        fill_steps([Step(book) for book in books], settled_latents(latents), seed)
    return filling_note(len(books), seed)
