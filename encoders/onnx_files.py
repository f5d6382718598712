"""Files of ONNX as encoders, run by ONNX Runtime."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from ..synth.errors import InputError
from .base import ModuleEncoder
from .functions import wrap_function
from .measuring import first_line

RATE = "sample_rate"  # what a file may say of itself, among its metadata


def onnx_file(
    path: str | Path, weights: str | Path = "pretrained", seed: int = 0, sample_rate: int | None = None
) -> ModuleEncoder:
    """Return the encoder of a file of ONNX, whose outputs are its stages.

    Parameters
    ----------
    path : path
        Of a model of one input, waveforms float32 [B, T] or [B, C, T]; a waveform plays on every channel.
        Where it has a fixed length, waveforms are played piece by piece.
    weights : {"pretrained"}
        Those of the file; there are no others.
    seed : int
        Nothing is drawn.
    sample_rate : int, optional
        Samples per second of the waveforms it expects; may be left out where the file's metadata hold
        "sample_rate".

    Raises
    ------
    InputError
        If ONNX Runtime is not installed, the file is none, takes something else, or its rate is not known.

    Notes
    -----
    A single output is the stage ``latent``, whatever it is called; of several each keeps its name.
    """
    path = Path(path)
    if str(weights) != "pretrained":
        raise InputError(
            f"{path}: weights {str(weights)!r}: a file of ONNX has no other weights than its own"
        )
    session = _session(path)
    inputs, outputs = session.get_inputs(), [one.name for one in session.get_outputs()]
    if len(inputs) != 1:
        raise InputError(f"{path}: takes {', '.join(one.name for one in inputs)}; must take waveforms alone")
    stated = session.get_modelmeta().custom_metadata_map.get(RATE)
    if stated and sample_rate and int(stated) != sample_rate:
        raise InputError(f"{path}: says that it takes {stated} Hz; sample_rate {sample_rate} is another")
    rate = sample_rate or stated
    if rate is None:
        raise InputError(
            f"{path}: its sample rate is not known; give sample_rate=, or write it into the file"
        )
    shape = inputs[0].shape
    if len(shape) not in (2, 3) or "float" not in inputs[0].type:
        raise InputError(f"{path}: takes {inputs[0].type} {shape}; must be float [B, T] or [B, C, T]")
    channels = None if len(shape) == 2 else shape[1] if isinstance(shape[1], int) else 1
    dtype = np.float16 if "16" in inputs[0].type else np.float64 if "double" in inputs[0].type else np.float32

    def run(waveforms: np.ndarray) -> dict[str, np.ndarray]:
        given = waveforms.astype(dtype)
        if channels is not None:
            given = np.repeat(given[:, None], channels, axis=1)
        parts = np.split(given, len(given)) if shape[0] == 1 else [given]
        found = [session.run(outputs, {inputs[0].name: part}) for part in parts]
        return {name: np.concatenate(values) for name, *values in zip(outputs, *found, strict=True)}

    stages: Any = {"latent": outputs[0]} if len(outputs) == 1 else {name: name for name in outputs}
    piece = shape[-1] if isinstance(shape[-1], int) else None
    encoder = wrap_function(run, int(rate), stages, path.stem, piece=piece)
    encoder.weights = replace(encoder.weights, source=str(path))
    return encoder


def _session(path: Path) -> Any:
    if not path.is_file():
        raise InputError(f"encoder {str(path)!r}: no such file")
    try:
        import onnxruntime
    except ImportError:
        raise InputError(f"{path}: needs ONNX Runtime: pip install 'tonotopy[models]'") from None
    try:
        return onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    except Exception as error:  # of whatever a file may hold
        raise InputError(f"{path}: cannot be read by ONNX Runtime ({first_line(error)})") from None
