"""MusicVAE's weights under the names that TensorFlow gave them in Magenta's checkpoints."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from ...synth.errors import InputError
from ...synth.melodies import CLASSES
from ..base import Weights
from ..weights import state_sha256
from .config import SIXTEEN_BAR, TWO_BAR_BIG, TWO_BAR_SMALL, MusicVAEConfig
from .model import MusicVAE

# Encoders have one stack of one cell for each layer and direction, decoders one stack of all their cells.
_ENCODER_CELL = "encoder/cell_{}/bidirectional_rnn/{}/multi_rnn_cell/cell_0/lstm_cell"
_FLAT, _CORE, _CONDUCTOR = "decoder", "core_decoder/decoder", "decoder/hierarchical_level_0"

# What only training needs: an optimizer's slots, which hang below the variables, and cuDNN's copies.
_TRAINING = re.compile(r"_(kernel|bias)_\w+$|_opaque_kernel$")

# What Magenta's other models tell at each step, by the size of their output.
_OTHERS = {
    27: "of grooves on nine drums (GrooVAE)",
    490: "of several instruments at once (multitrack)",
    512: "of drums",
    692: "of a trio of melody, bass and drums",
}

_Found = dict[str, tuple[str, Tensor]]  # plain name -> name as given, values


@dataclass(frozen=True)
class _Part:
    """An LSTM layer or a dense one: its names here and there, and its size."""

    variable: str  # what TensorFlow's names begin with
    parameter: str  # what torch's names begin with
    inputs: int
    outputs: int
    lstm: bool = False

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        columns = 4 * self.outputs if self.lstm else self.outputs
        rows = self.inputs + self.outputs if self.lstm else self.inputs
        return {f"{self.variable}/kernel": (rows, columns), f"{self.variable}/bias": (columns,)}


def variable_shapes(config: MusicVAEConfig) -> dict[str, tuple[int, ...]]:
    """Return the variables of a model: TensorFlow's name to shape.

    Examples
    --------
    >>> variable_shapes(MusicVAEConfig())["decoder/z_to_initial_state/kernel"]
    (512, 12288)
    """
    return {
        name: shape for part in (*_encoder(config), *_decoder(config)) for name, shape in part.shapes.items()
    }


def from_variables(
    variables: Mapping[str, Any],
    config: MusicVAEConfig | None = None,
    name: str = "musicvae",
    source: str = "variables",
    note: str = "",
) -> MusicVAE:
    """Return the MusicVAE that a checkpoint's variables make.

    Parameters
    ----------
    variables : mapping of str to float array
        TensorFlow's names, with ``/`` or with ``_`` in its place. Scalars and what only training needs
        are passed over. Those of the encoder, or of the decoder, may all be left out.
    config : MusicVAEConfig, optional
        What the model must be; taken from the shapes if left out, see `architecture`.
    name : str
        The model's.
    source, note : str
        For its `weights`; errors name the source.

    Returns
    -------
    model : MusicVAE
        In evaluation mode. Without the encoder's variables it decodes and cannot encode, and the other
        way round.

    Raises
    ------
    InputError
        If a variable is missing, left over, of another shape or not finite, or the checkpoint is of
        another model than one of melodies.

    Notes
    -----
    TensorFlow's `LSTMBlockCell` keeps input rows before state rows, and its gates in the order input,
    candidate, forget, output; it adds 1 to the forget gate's bias as it runs. Here the 1 is stored.

    Source: magenta/models/music_vae/lstm_models.py and lstm_utils.py.

    Examples
    --------
    >>> tiny = MusicVAEConfig(encoder=(8,), decoder=(8,), latent_dimensions=4)
    >>> model = from_variables({name: np.zeros(shape) for name, shape in variable_shapes(tiny).items()})
    >>> model.config == tiny
    True
    """
    found = _find(variables, source)
    for given, values in found.values():
        if not torch.isfinite(values).all():
            raise InputError(f"weights {source}: variable {given!r} holds NaN or Inf")
    config = config or architecture(variables, source=source)
    state = state_of(variables, config, source)
    model = without_values(config, name)
    if not any(parameter.startswith("encoder.") for parameter in state):
        model.encoder, note = None, _joined(note, "decoder only")
    if not any(parameter.startswith("decoder.") for parameter in state):
        model.decoder, note = None, _joined(note, "encoder only")
    model.load_state_dict(state, assign=True)
    model.weights = Weights(source, state_sha256(state), note)
    return model.eval()


def state_of(
    variables: Mapping[str, Any], config: MusicVAEConfig, source: str = "variables"
) -> dict[str, Tensor]:
    """Return the state dict of `MusicVAE` that variables make, float32; see `from_variables`.

    Raises
    ------
    InputError
        As `from_variables`, but that values are not looked at.
    """
    found = _find(variables, source)
    _refuse_others(found, source)
    state, used = {}, set()
    for half, parts in (("encoder", _encoder(config)), ("decoder", _decoder(config))):
        if not _has(found, half):
            continue
        for part in parts:
            kernel, bias = (_checked(found, n, shape, source) for n, shape in part.shapes.items())
            used |= {_plain(n) for n in part.shapes}
            state |= _parameters(part, kernel, bias)
    left_over = [given for name, (given, _) in found.items() if name not in used]
    if left_over or not state:
        what = f"variable {left_over[0]!r} has no place in" if left_over else "holds no variables of"
        raise InputError(f"weights {source}: {what} a MusicVAE of {config}")
    return state


def architecture(
    variables: Mapping[str, Any],
    bars: int | None = None,
    segments: int | None = None,
    source: str = "variables",
) -> MusicVAEConfig:
    """Return the sizes of the MusicVAE that variables make.

    Parameters
    ----------
    variables : mapping of str to float array
        As in `from_variables`.
    bars, segments : int > 0, optional
        Length of a melody, and stretches that a conductor directs, which no shape tells: two bars
        without a conductor, sixteen bars in sixteen segments with one.
    source : str
        What errors name.

    Raises
    ------
    InputError
        If it cannot be found out, or is another model than one of melodies. Where one half is missing, its
        sizes are those of Magenta's model that has the other half; if there is none they must be given.
    """
    found = _find(variables, source)
    _refuse_others(found, source)
    conductor = _layers(found, [_CONDUCTOR + "/cell_{}/lstm_cell"])
    decoder = _layers(found, [(_CORE if conductor else _FLAT) + "/multi_rnn_cell/cell_{}/lstm_cell"])
    encoder = _layers(found, [_ENCODER_CELL.format("{}", direction) for direction in ("fw", "bw")])
    state = f"{_CONDUCTOR}/initial_state/kernel" if conductor else f"{_FLAT}/z_to_initial_state/kernel"
    dense = [(f"encoder/{name}/{kind}", -1) for name in ("mu", "sigma") for kind in ("kernel", "bias")]
    latent_dimensions = _agreed(found, [*dense, (state, 0)])
    if not latent_dimensions:
        raise InputError(
            f"weights {source}: not a MusicVAE's: neither {dense[0][0]!r} nor {state!r} is there"
        )
    for half, units in (("encoder", encoder), ("decoder", decoder)):
        if not units and _has(found, half):
            raise InputError(
                f"weights {source}: variables of the {half} are there, but none of its LSTM cells"
            )
    if not encoder or not decoder:
        return _published(encoder or decoder, conductor, latent_dimensions, bool(encoder), source)
    return MusicVAEConfig(
        bars=bars or (SIXTEEN_BAR.bars if conductor else TWO_BAR_BIG.bars),
        encoder=encoder,
        decoder=decoder,
        latent_dimensions=latent_dimensions,
        conductor=conductor,
        segments=(segments or SIXTEEN_BAR.segments) if conductor else 1,
    )


def without_values(config: MusicVAEConfig, name: str = "musicvae") -> MusicVAE:
    """Return a model on the meta device: shapes without values, to be loaded with ``assign=True``.

    Nothing is drawn, so the caller's random state stays and the model's size costs no time.
    """
    with torch.device("meta"), _Undrawn():
        return MusicVAE(config, name)


class _Undrawn(TorchFunctionMode):
    """Passes draws over: on the meta device they do nothing, but importing what does so takes a second."""

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: Any = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        if getattr(func, "__name__", "") in ("normal_", "uniform_"):
            return args[0] if args else (kwargs or {})["tensor"]
        return func(*args, **(kwargs or {}))


def _encoder(config: MusicVAEConfig) -> Iterator[_Part]:
    inputs = CLASSES
    for layer, units in enumerate(config.encoder):
        for direction, stack in (("fw", "forwards"), ("bw", "backwards")):
            cell = _ENCODER_CELL.format(layer, direction)
            yield _Part(cell, f"encoder.lstm.{stack}.{layer}", inputs, units, lstm=True)
        inputs = 2 * units
    for name in ("mu", "sigma"):
        yield _Part(f"encoder/{name}", f"encoder.{name}", inputs, config.latent_dimensions)


def _decoder(config: MusicVAEConfig) -> Iterator[_Part]:
    directions, core = config.latent_dimensions, _FLAT
    if config.conductor:
        yield _Part(
            f"{_CONDUCTOR}/initial_state",
            "decoder.conductor.initial_state",
            directions,
            2 * sum(config.conductor),
        )
        yield from _stack(_CONDUCTOR, "decoder.conductor", 1, config.conductor)
        directions, core = config.conductor[-1], _CORE
    yield _Part(
        f"{core}/z_to_initial_state", "decoder.core.initial_state", directions, 2 * sum(config.decoder)
    )
    yield from _stack(f"{core}/multi_rnn_cell", "decoder.core", CLASSES + directions, config.decoder)
    yield _Part(f"{core}/output_projection", "decoder.output", config.decoder[-1], CLASSES)


def _stack(variable: str, parameter: str, inputs: int, units: Sequence[int]) -> Iterator[_Part]:
    for layer, (below, own) in enumerate(zip((inputs, *units), units, strict=False)):
        yield _Part(
            f"{variable}/cell_{layer}/lstm_cell", f"{parameter}.lstm.layers.{layer}", below, own, lstm=True
        )


def _parameters(part: _Part, kernel: Tensor, bias: Tensor) -> dict[str, Tensor]:
    if not part.lstm:
        return {f"{part.parameter}.weight": _own(kernel.T), f"{part.parameter}.bias": _own(bias)}
    kernel, bias = _gates(kernel), _gates(bias)
    bias[part.outputs : 2 * part.outputs] += 1  # TensorFlow adds it as it runs
    return {
        f"{part.parameter}.input_weight": _own(kernel[: part.inputs].T),
        f"{part.parameter}.state_weight": _own(kernel[part.inputs :].T),
        f"{part.parameter}.bias": bias,
    }


def _gates(values: Tensor) -> Tensor:
    """Return [..., 4 H] of input, candidate, forget, output in torch's order."""
    i, candidate, forget, output = values.chunk(4, dim=-1)
    return torch.cat((i, forget, candidate, output), dim=-1)


def _own(values: Tensor) -> Tensor:
    return values.clone(memory_format=torch.contiguous_format)


def _plain(name: str) -> str:
    return name.removesuffix(":0").replace("/", "_")


def _find(variables: Mapping[str, Any], source: str) -> _Found:
    """Return the variables that make the model, under names that do not depend on the separator."""
    found: _Found = {}
    for given, values in variables.items():
        name, shape = _plain(given), np.shape(values)
        if not shape or _TRAINING.search(name):
            continue
        if name in found:
            raise InputError(f"weights {source}: variables {found[name][0]!r} and {given!r} are the same one")
        if not isinstance(values, Tensor):
            array = np.asarray(values)
            if array.dtype.kind not in "fiu":
                raise InputError(f"weights {source}: variable {given!r} is of {array.dtype}, not of numbers")
            with np.errstate(over="ignore"):  # the Inf is refused
                values = torch.from_numpy(np.require(array, np.float32, ["C", "W"]))
        found[name] = given, values.detach().float()
    return found


def _checked(found: _Found, name: str, shape: tuple[int, ...], source: str) -> Tensor:
    if _plain(name) not in found:
        raise InputError(
            f"weights {source}: variable {name!r} is missing; the model needs it, of shape {shape}"
        )
    given, values = found[_plain(name)]
    if tuple(values.shape) != shape:
        raise InputError(
            f"weights {source}: variable {given!r} is {tuple(values.shape)}, the model needs {shape}"
        )
    return values


def _has(found: _Found, half: str) -> bool:
    return any(name.removeprefix("core_").startswith(f"{half}_") for name in found)


def _agreed(found: _Found, places: Sequence[tuple[str, int]]) -> int:
    """Return the size that most of `places` (a name and an axis) have; 0 where none is there."""
    shapes = [(found[_plain(name)][1].shape, axis) for name, axis in places if _plain(name) in found]
    sizes = Counter(shape[axis] for shape, axis in shapes)
    return sizes.most_common(1)[0][0] if sizes else 0


def _unanimous(sizes: Iterable[int]) -> int:
    """Return the size that is the only one; that of melodies where there is none or several."""
    different = set(sizes)
    return different.pop() if len(different) == 1 else CLASSES


def _layers(found: _Found, cells: Sequence[str]) -> tuple[int, ...]:
    """Return the units of each layer that has a cell of one of these names."""
    units: list[int] = []
    while size := _agreed(
        found, [(f"{cell.format(len(units))}/{kind}", -1) for cell in cells for kind in ("kernel", "bias")]
    ):
        units.append(size // 4)
    return tuple(units)


def _published(
    units: tuple[int, ...], conductor: tuple[int, ...], latent_dimensions: int, encodes: bool, source: str
) -> MusicVAEConfig:
    for config in (TWO_BAR_SMALL, TWO_BAR_BIG, SIXTEEN_BAR):
        own = config.encoder if encodes else config.decoder
        same = encodes or config.conductor == conductor
        if same and (own, config.latent_dimensions) == (units, latent_dimensions):
            return config
    half, other = ("encoder", "decoder") if encodes else ("decoder", "encoder")
    raise InputError(
        f"weights {source}: hold the {half} only, of layers {units}, which is none of Magenta's: "
        f"give from_variables its config, which has the sizes of the {other}"
    )


def _refuse_others(found: _Found, source: str) -> None:
    """Raise if this is a MusicVAE of anything but melodies, and say of what."""
    dense = [f"{at}/output_projection/{kind}" for at in (_FLAT, _CORE) for kind in ("kernel", "bias")]
    outputs = _unanimous(found[name][1].shape[-1] for name in map(_plain, dense) if name in found)
    cells = [_plain(f"{_ENCODER_CELL.format(0, direction)}/kernel") for direction in ("fw", "bw")]
    shapes = [found[name][1].shape for name in cells if name in found]
    input_size = _unanimous(shape[0] - shape[-1] // 4 for shape in shapes)
    if any(name.startswith("core_decoder_core_decoder_") for name in found):
        kind = _OTHERS[692]
    elif any("_nade_" in name for name in found):
        kind = "of drum rolls (NADE)"
    elif outputs != CLASSES:
        kind = _OTHERS.get(outputs, f"that tells {outputs} classes")
    elif any(name.startswith("encoder_hierarchical_level_") for name in found):
        kind = "with a hierarchical encoder (as hier-mel_16bar)"
    elif input_size != CLASSES:
        more = (
            f"{CLASSES} and {input_size - CLASSES} more (of chords, say)"
            if input_size > CLASSES
            else str(input_size)
        )
        kind = f"that takes {more}"
    else:
        return
    raise InputError(
        f"weights {source}: a MusicVAE {kind}; only those of melodies of {CLASSES} classes can be read"
    )


def _joined(*notes: str) -> str:
    return ", ".join(note for note in notes if note)
