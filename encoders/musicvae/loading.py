"""A MusicVAE from a path, whatever form the weights have there."""

from __future__ import annotations

from pathlib import Path

from ...synth.errors import InputError
from ..base import Weights
from ..weights import fill, read_state, state_sha256
from .checkpoints import EARLIER, MANIFEST, read_magenta_js
from .config import MusicVAEConfig, read_config
from .model import MusicVAE
from .tensorflow import is_checkpoint, read_tensorflow
from .variables import architecture, from_variables, without_values


def load_weights(path: str | Path, name: str = "musicvae", like: MusicVAEConfig | None = None) -> MusicVAE:
    """Return the MusicVAE that a file or folder holds, at the sizes it has there.

    Parameters
    ----------
    path : path
        A file of ours (``.safetensors`` with its configuration); a file of TensorFlow's variables
        (``.safetensors``, or a pickle of plain tensors); a folder that magenta-js reads; a TensorFlow
        checkpoint: prefix, ``.index``, folder or tar archive, for which TensorFlow must be installed.
    name : str
        The model's.
    like : MusicVAEConfig, optional
        The melodies must be as long as this one's, and there must be a conductor if it has one. It
        also gives the sizes of one of our files that holds no configuration.

    Returns
    -------
    model : MusicVAE
        In evaluation mode; `weights` has the path, the SHA-256 of the state and the form it was read from.

    Raises
    ------
    InputError
        If there is nothing there, it cannot be read, or is of another architecture.
    """
    path = Path(path)
    if (path / MANIFEST).is_file() or (path / EARLIER).is_file():
        model = _from_magenta_js(path, name)
    elif is_checkpoint(path):
        model = from_variables(read_tensorflow(path), None, name, str(path), "TensorFlow checkpoint")
    elif path.is_dir():
        raise InputError(f"weights {path}: this folder holds neither {MANIFEST} nor a checkpoint's .index")
    else:
        model = _from_file(path, name, like)
    if like is not None and (model.config.bars, bool(model.config.conductor)) != (
        like.bars,
        bool(like.conductor),
    ):
        raise InputError(f"weights {path}: {_kind(model.config)}; {name} is {_kind(like)}")
    return model


def _from_magenta_js(path: Path, name: str) -> MusicVAE:
    held = read_magenta_js(path)
    config = architecture(held.variables, held.bars, held.segments, str(path))
    if held.segments and not config.conductor:
        raise InputError(f"weights {path}: has {held.segments} segments but no conductor to direct them")
    note = "magenta-js" + "".join(f", quantized to {stored}" for stored in held.quantized)
    return from_variables(held.variables, config, name, str(path), note)


def _from_file(path: Path, name: str, like: MusicVAEConfig | None) -> MusicVAE:
    state = read_state(path)
    config = read_config(path)
    if config is None and not any(".lstm." in key for key in state):
        return from_variables(state, None, name, str(path), "TensorFlow variables")
    if config is None and like is None:
        raise InputError(f"weights {path}: does not say of what sizes it is; give a config")
    config = config or like or MusicVAEConfig()
    try:
        model = without_values(config, name).to_empty(device="cpu")
    except (RuntimeError, MemoryError):
        raise InputError(f"weights {path}: of {config}, they say: too large for memory") from None
    fill(model, state, str(path))
    model.weights = Weights(str(path), state_sha256(model.state_dict()))
    return model.eval()


def _kind(config: MusicVAEConfig) -> str:
    return f"of {config.bars} bars with{'' if config.conductor else 'out'} a conductor"
