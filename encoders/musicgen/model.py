"""MusicGen as an encoder: what its residual stream answers to the codes of a waveform."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from ...synth.errors import InputError
from ..base import ModuleEncoder, Stage, Weights, _Deepest
from ..redrawing import redrawn, through_stages
from ..threads import suited_threads
from ..weights import state_sha256
from .coded import CodedClips
from .decoder import blocks_of, logits_of, special_of
from .delay import aligned, delayed, undelayed


class Conditions(Protocol):
    """What makes tokens to attend to of what is asked for."""

    def tokens(self, requested: Sequence[Any]) -> Tensor:
        """Return float32 [B, n, d]; of what is not asked for, zeros."""
        ...


@dataclass(frozen=True)
class Edit:
    """A change of the residual stream while the model runs.

    Parameters
    ----------
    stage : str
        ``layer_0`` ...: the change is made to what this block gives.
    change : callable
        ``change(stream)`` returns a stream of the same shape, float32 [B, S, d]; S is as many columns as are
        run at once.
    rows : {"all", "conditional"}
        With guidance every sequence runs twice, once unconditionally: whether that is changed as well. What
        runs once is changed.
    """

    stage: str
    change: Callable[[Tensor], Tensor]
    rows: str = "all"

    def __post_init__(self) -> None:
        if self.rows not in ("all", "conditional"):
            raise InputError(f"edit of rows {self.rows!r}: must be all or conditional")


def addition(stage: str, directions: Tensor, rows: str = "all") -> Edit:
    """Return the edit that adds directions, float32 [d] or one for each sequence [B, d], to every column.

    Examples
    --------
    >>> addition("layer_0", torch.ones(2)).change(torch.zeros(1, 3, 2)).sum()
    tensor(6.)
    """
    added = directions if directions.ndim == 1 else directions[:, None]
    return Edit(stage, lambda stream: stream + added, rows)


class MusicGen(ModuleEncoder):
    """A language model over a codec's codes, which hears waveforms through them.

    Stages are the codec's own and, behind its codes, ``layer_0`` ...: what each block adds up to, before the
    final norm. Frame t of a layer is the column that was the first to hear all codebooks of frame t
    (`delay.aligned`). It hears unconditionally. Positions are absolute: nothing here is ever steady, and
    beyond the columns that the model was trained on (`context`) they are none that it knows.

    Parameters
    ----------
    name : str
    codec : ModuleEncoder
        With a stage `codes`, and a way to decode `quantized`.
    decoder : nn.Module
        ``MusicgenForCausalLM`` of as many codebooks.
    conditions : nn.Module
        Makes tokens of what is asked for (`Conditions`).
    context : int > 0
        Columns that it was trained on at once.
    source, note : str
        Where the weights are from.
    draw : callable, optional
        Returns a decoder and conditions of this architecture, drawn from torch's random state.
    known_clips : callable, optional
        Returns labelled clips as codes, where some come with the model.

    Attributes
    ----------
    randomised : callable
        Draws the language model anew; the codec stays.

    Raises
    ------
    InputError
        If the codec has other codebooks than the decoder.
    """

    codes_any_sound = True  # the control's codec codes a few tones only

    def __init__(
        self,
        name: str,
        codec: ModuleEncoder,
        decoder: nn.Module,
        conditions: nn.Module,
        context: int,
        source: str,
        note: str = "",
        draw: Callable[[], tuple[nn.Module, nn.Module]] | None = None,
        known_clips: Callable[[], CodedClips] | None = None,
    ) -> None:
        self.known_clips = known_clips
        self.codec, self.decoder, self.conditions, self.context = codec, decoder, conditions, context
        about: Any = decoder
        self.special, self.n_codebooks = special_of(decoder), int(about.config.num_codebooks)
        if codec.stages["codes"].channels != self.n_codebooks:
            raise InputError(
                f"{name}: a model of {self.n_codebooks} codebooks, the codec {codec.name} gives "
                f"{codec.stages['codes'].channels}"
            )
        taps = {stage: f"codec.{tap}" for stage, tap in codec.taps.items()}
        layers = _layers(codec.stages["codes"], len(blocks_of(decoder)), about.config.hidden_size)
        taps |= {stage: f"decoder.model.decoder.layers.{i}" for i, stage in enumerate(layers)}
        super().__init__(
            name,
            _Listening(codec.module, decoder, self.special),
            codec.sample_rate,
            {**codec.stages, **layers},
            taps,
            Weights(source, _hash(codec, decoder, conditions), note),
            prepare=codec._prepare,
            read=lambda stage, output: (
                self._frames(output) if stage in layers else codec._read(stage, output)
            ),
            kernels=codec._kernels,
        )
        self.layers = tuple(layers)
        self.module.requires_grad_(False)
        self.conditions.requires_grad_(False).eval()
        if draw is not None:
            self.randomised = lambda seed, kind="random": self._redrawn(seed, kind, draw)

    def _frames(self, stream: Tensor) -> Tensor:
        """Return what stands for frames of a stream [B, S, d], as [B, d, T]."""
        return aligned(stream, self.n_codebooks).transpose(1, 2)

    @property
    def codebooks(self) -> tuple[Tensor, ...]:
        """The codec's, float32 [entries, D] each."""
        codec: Any = self.codec
        return tuple(codec.codebooks)

    @property
    def frame_rate_hz(self) -> float:
        """Frames per second."""
        return self.sample_rate / self.stages["codes"].hop

    def decode(self, latent: Tensor, scale: Tensor | None = None) -> Tensor:
        """Return waveforms float32 [B, T] of the codec's latents [B, D, F]."""
        codec: Any = self.codec
        return codec.decode(latent, scale)

    def encode(self, waveforms: Tensor) -> Tensor:
        """Return the codes, int64 [B, K, F], of waveforms float32 [B, T]."""
        return self.run(waveforms, ["codes"])["codes"]

    def decode_codes(self, codes: Tensor) -> Tensor:
        """Return waveforms float32 [B, F * hop] of codes int64 [B, K, F]."""
        self.check_codes(codes)
        vectors = sum(table[codes[:, q]] for q, table in enumerate(self.codebooks))  # [B, F, D]
        assert isinstance(vectors, Tensor)
        return self.decode(vectors.transpose(1, 2))

    def check_codes(self, codes: Tensor) -> None:
        """Raise unless codes are int64 [B, K, F] of entries that are there."""
        if codes.ndim != 3 or codes.shape[1] != self.n_codebooks or 0 in codes.shape:
            raise InputError(f"codes of shape {tuple(codes.shape)}: must be [B, {self.n_codebooks}, F]")
        if codes.is_floating_point() or int(codes.min()) < 0 or int(codes.max()) >= self.special:
            raise InputError(f"codes: every one must be a whole number, 0 to {self.special - 1}")

    def tokens(self, condition: Any, batch: int) -> Tensor | None:
        """Return what the blocks attend to, float32 [B, n, d]; None where nothing is asked for.

        Parameters
        ----------
        condition : mapping, str, or a sequence of them, or None
            Values of factors, or a text, for all sequences or one for each.
        batch : int > 0

        Raises
        ------
        InputError
            If there is another number of them, or the model cannot be asked for one.
        """
        if condition is None:
            return None
        several = (
            list(condition)
            if isinstance(condition, Sequence) and not isinstance(condition, str)
            else [condition] * batch
        )
        if len(several) != batch:
            raise InputError(
                f"conditions: {len(several)} for {batch} sequences; must be one, or one for each"
            )
        conditions: Any = self.conditions
        with torch.inference_mode():
            return conditions.tokens(several)

    def run_codes(self, codes: Tensor, stages: Sequence[str]) -> dict[str, Tensor]:
        """Return what `run` would of waveforms with these codes, {stage: float32 [B, d, F]}.

        Parameters
        ----------
        codes : int64 [B, K, F]
        stages : sequence of str
            Among `layers`.

        Raises
        ------
        InputError
            If the codes do not fit the model, or a stage is none of its layers.
        """
        self.check_codes(codes)
        for stage in stages:
            self.layer(stage)
        found = self._streams(codes, stages)
        return {stage: found[stage] for stage in stages}

    def activations(self, waveforms: Tensor, stages: Sequence[str]) -> dict[str, Tensor]:
        """Do what `run` does, unchecked: the codec hears as it does by itself, its codes go on."""
        layers = [stage for stage in stages if stage in self.layers]
        coded = [stage for stage in stages if stage not in self.layers]
        found = self.codec.activations(waveforms, [*coded, "codes"] if layers else coded)
        return found | self._streams(found["codes"], layers) if layers else found

    def _streams(self, codes: Tensor, stages: Sequence[str]) -> dict[str, Tensor]:
        found: dict[str, Tensor] = {}
        columns = delayed(codes.to(self.device), self.special)
        with (
            torch.inference_mode(),
            suited_threads(self.module),
            self._recording(stages, found),
            suppress(_Deepest),
        ):
            logits_of(self.module.get_submodule("decoder"), columns)
        return found

    def logits(self, codes: Tensor, condition: Any = None, edit: Edit | None = None) -> Tensor:
        """Return what the model says of every code from those before it.

        Parameters
        ----------
        codes : int64 [B, K, F]
        condition : optional
            As in `tokens`.
        edit : Edit, optional

        Returns
        -------
        logits : float32 [B, K, F, entries]

        Raises
        ------
        InputError
            If codes, condition or edit do not fit the model.
        """
        self.check_codes(codes)
        columns = delayed(codes.to(self.device), self.special)
        tokens = self.tokens(condition, len(codes))
        with torch.inference_mode(), self.editing(edit):
            said = logits_of(self.decoder, columns[..., :-1], tokens)  # at column s of column s + 1
        first = said[:, :, :1]  # says nothing of column 0, whose place it takes
        return undelayed(torch.cat([first, said], dim=2))

    def token_losses(self, codes: Tensor, condition: Any = None, edit: Edit | None = None) -> Tensor:
        """Return the cross-entropy of every code given those before it, in nats, float32 [B, K, F]."""
        said = self.logits(codes, condition, edit).log_softmax(-1)
        return -said.gather(-1, codes.to(said.device)[..., None])[..., 0]

    def layer(self, stage: str) -> nn.Module:
        """Return the block behind a stage.

        Raises
        ------
        InputError
            If it is no stage of the residual stream.
        """
        if stage not in self.layers:
            raise InputError(
                f"stage {stage!r}: no layer of {self.name}; they are {self.layers[0]} to {self.layers[-1]}"
            )
        return blocks_of(self.decoder)[self.layers.index(stage)]

    def editing(self, edit: Edit | None, conditional: int | None = None) -> _Editing:
        """Return a context in which the residual stream is changed.

        Parameters
        ----------
        edit : Edit, optional
            Nothing is changed without.
        conditional : int, optional
            How many rows, the first, are conditional; all without.
        """
        return _Editing(None if edit is None else self.layer(edit.stage), edit, conditional)

    def generate(self, frames: int, **options: Any) -> Tensor:
        """Return codes that the model makes up; see `sampling.generate`."""
        from .sampling import generate

        return generate(self, frames, **options)

    def _redrawn(self, seed: int, kind: str, draw: Callable[[], tuple[nn.Module, nn.Module]]) -> MusicGen:
        conditions: list[nn.Module] = []

        def fresh() -> nn.Module:
            with torch.random.fork_rng():
                torch.manual_seed(seed)
                decoder, own = draw()
            conditions.append(own)
            return _Listening(self.codec.module, decoder, self.special)

        module, note = redrawn(kind, self.module, fresh, through_stages(self), seed, fixed=("codec",))
        own = conditions[-1] if kind == "random" else self.conditions
        drawn = MusicGen(
            self.name,
            self.codec,
            module.get_submodule("decoder"),
            own,
            self.context,
            kind,
            f"the language model {note}; the codec as it is",
            draw,
            self.known_clips,
        )
        return drawn


class _Listening(nn.Module):
    """Waveforms -> codes -> columns -> the language model."""

    def __init__(self, codec: nn.Module, decoder: nn.Module, special: int) -> None:
        super().__init__()
        self.codec, self.decoder, self.special = codec, decoder, special

    def forward(self, waveforms: Tensor) -> Tensor:
        codes = self.codec(waveforms)["codes"]
        return logits_of(self.decoder, delayed(codes, self.special))


class _Editing:
    """Changes what a block gives, as long as it lasts."""

    def __init__(self, block: nn.Module | None, edit: Edit | None, conditional: int | None) -> None:
        self._block, self._edit, self._conditional = block, edit, conditional

    def __enter__(self) -> None:
        self._handle = None if self._block is None else self._block.register_forward_hook(self._changed)

    def __exit__(self, *_: object) -> None:
        if self._handle is not None:
            self._handle.remove()

    def _changed(self, _module: nn.Module, _inputs: Any, stream: Tensor) -> Tensor:
        edit = self._edit
        assert edit is not None
        rows = len(stream) if self._conditional is None else self._conditional
        halves = stream.split(rows)
        changed = [edit.change(half) for half in (halves if edit.rows == "all" else halves[:1])]
        for half, own in zip(halves, changed, strict=False):
            if own.shape != half.shape:
                raise InputError(
                    f"edit at {edit.stage}: gives {tuple(own.shape)} of a stream {tuple(half.shape)}"
                )
        return torch.cat([*changed, *halves[len(changed) :]])


def _layers(codes: Stage, blocks: int, channels: int) -> dict[str, Stage]:
    # a frame waits until the last of its codebooks is in, which the delay holds back
    latency = codes.latency + (codes.channels - 1) * codes.hop
    about = replace(codes, channels=channels, receptive_field=None, latency=latency, kind="nonlinear")
    return {f"layer_{i}": replace(about, name=f"layer_{i}") for i in range(blocks)}


def _hash(codec: ModuleEncoder, decoder: nn.Module, conditions: nn.Module) -> str:
    parts: Mapping[str, nn.Module] = {"decoder": decoder, "conditions": conditions}
    state = {
        f"{name}.{key}": value for name, part in parts.items() for key, value in part.state_dict().items()
    }
    whole = {"codec": torch.frombuffer(bytearray(codec.weights.sha256.encode()), dtype=torch.uint8)}
    return state_sha256({**state, **whole})
