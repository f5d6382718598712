"""A folder in the form in which MusicGen is published: configuration, safetensors, tokenizer."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ...synth.errors import InputError
from ..hub import files_of, quiet, read_json, tensors_of
from ..measuring import first_line
from ..weights import randomly_initialised
from .decoder import transformers_musicgen

PARTS = {"text_encoder": "t5", "audio_encoder": "encodec", "decoder": "musicgen_decoder"}
# Constants that older files hold beside the weights, under names that the module computes by itself.
CONSTANTS = ("embed_positions.weights",)


@dataclass(frozen=True)
class PublishedFolder:
    """What a folder holds, none of it loaded.

    Parameters
    ----------
    path : Path
    config : MusicgenConfig
        As transformers reads it.
    files : mapping of str to Path
        In which file each tensor is.
    """

    path: Path
    config: Any
    files: Mapping[str, Path]

    def tensors(self, prefix: str) -> dict[str, Tensor]:
        """Return the tensors of a part, by their names in it.

        Raises
        ------
        InputError
            If a tensor cannot be read, or holds NaN or Inf.
        """
        return tensors_of(self.files, prefix)

    def load(self, kind: Any, part: str) -> nn.Module:
        """Return a part in float32, in evaluation mode, filled by transformers from tensors of its prefix.

        Parameters
        ----------
        kind : type
            transformers' class of it.
        part : {"text_encoder", "audio_encoder", "decoder"}

        Raises
        ------
        InputError
            If a tensor is missing, left over or of another shape.
        """
        state = self.tensors(f"{part}.")
        if not state:
            raise InputError(f"weights {self.path}: holds no tensors of the {part.replace('_', ' ')}")
        options: dict[str, Any] = {
            "config": copy.deepcopy(getattr(self.config, part)),
            "state_dict": state,
            "dtype": torch.float32,
            "output_loading_info": True,
            "ignore_mismatched_sizes": True,  # named below
        }
        about: dict[str, Any] = {}

        def build() -> nn.Module:
            module, info = kind.from_pretrained(None, **options)
            about.update(info)
            return module

        with quiet():
            module = randomly_initialised(build, 0)  # what is missing is drawn before it is named
        self._complain(part, about)
        return module.eval()

    def _complain(self, part: str, about: Mapping[str, Any]) -> None:
        lacking = sorted(about["missing_keys"])
        others = sorted(name for name in about["unexpected_keys"] if not name.endswith(CONSTANTS))
        shapes = sorted(about["mismatched_keys"])
        where = f"weights {self.path}: of another architecture than its configuration:"
        if lacking:
            raise InputError(f"{where} lacks '{part}.{lacking[0]}' ({len(lacking)} tensors missing)")
        if others:
            raise InputError(f"{where} has '{part}.{others[0]}' ({len(others)} tensors left over)")
        if shapes:
            name, own, needed = shapes[0]
            raise InputError(f"{where} '{part}.{name}' is {tuple(own)}, the model needs {tuple(needed)}")


def open_folder(path: Path) -> PublishedFolder:
    """Read what a folder says of itself.

    Parameters
    ----------
    path : Path
        Holds ``config.json`` and ``model.safetensors``, or an index and the files that it names.

    Raises
    ------
    InputError
        If it is no such folder, holds pickles only, a file is not whole, or the model is none that can be
        listened to.

    Examples
    --------
    >>> open_folder(Path("no-such-folder"))
    Traceback (most recent call last):
    tonotopy.synth.errors.InputError: weights no-such-folder: no such folder
    """
    if not path.is_dir():
        what = "a file; must be the folder that holds config.json" if path.exists() else "no such folder"
        raise InputError(f"weights {path}: {what}")
    config = _config(path)
    return PublishedFolder(path, config, files_of(path))


def _config(path: Path) -> Any:
    about = read_json(path / "config.json")
    if about.get("model_type") != "musicgen":
        raise InputError(
            f"weights {path}: config.json is of model type {about.get('model_type')!r}; must be 'musicgen'"
        )
    for part, kind in PARTS.items():
        own = about.get(part)
        found = own.get("model_type") if isinstance(own, dict) else None
        if found != kind:
            raise InputError(f"weights {path}: config.json has {part} {found!r}; must be {kind!r}")
    musicgen = transformers_musicgen()
    try:
        with quiet():
            config = musicgen.MusicgenConfig.from_dict(about)
    except Exception as error:  # whatever transformers may raise at numbers that are none
        raise InputError(f"weights {path}: config.json is unusable ({first_line(error)})") from None
    check_config(str(path), config)
    return config


def check_config(where: str, config: Any) -> None:
    """Raise unless a configuration is of a mono codec without normalisation, and a decoder of its codes."""
    decoder, audio = config.decoder, config.audio_encoder
    needed = {
        "decoder.audio_channels": (decoder.audio_channels, 1),
        "decoder.pad_token_id": (decoder.pad_token_id, decoder.vocab_size),
        "decoder.cross_attention_hidden_size": (decoder.cross_attention_hidden_size, None),
        "decoder.num_codebooks": (decoder.num_codebooks, audio.num_quantizers),
        "decoder.vocab_size": (decoder.vocab_size, audio.codebook_size),
        "audio_encoder.audio_channels": (audio.audio_channels, 1),
        "audio_encoder.normalize": (audio.normalize, False),
        "audio_encoder.norm_type": (audio.norm_type, "weight_norm"),
        "audio_encoder.chunk_length_s": (audio.chunk_length_s, None),
    }
    for name, (found, must) in needed.items():
        if found != must:
            raise InputError(f"weights {where}: {name} {found!r}; must be {must!r} here")
