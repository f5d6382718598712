"""Clips as codes, with what is known of each: they come with `musicgen_tiny`, and nothing is rendered."""

from __future__ import annotations

import io
from dataclasses import dataclass
from importlib.resources import as_file, files
from pathlib import Path

import numpy as np

from ...synth.errors import InputError

UNITS = {"mean_midi": "MIDI note", "onsets_per_s": "1/s"}


@dataclass(frozen=True, eq=False)
class CodedClips:
    """Stretches of clips as codes, with what is known of the clips.

    Parameters
    ----------
    codes : uint8 or int16 [N, K, T]
    splits : str [N]
        "training", "validation" (unheard pieces) or "test" (unheard instruments).
    groups : int64 [N]
        Programs: clips of one are not independent.
    classes : dict of str to tuple of str
        Values of each factor.
    factors : dict of str to int64 [N]
        Which value of each factor a clip has.
    numbers : dict of str to float64 [N]
        What is known as a number; units in `UNITS`.
    """

    codes: np.ndarray
    splits: np.ndarray
    groups: np.ndarray
    classes: dict[str, tuple[str, ...]]
    factors: dict[str, np.ndarray]
    numbers: dict[str, np.ndarray]

    def __len__(self) -> int:
        return len(self.codes)

    def of(self, *splits: str) -> CodedClips:
        """Return the clips of some splits."""
        rows = np.isin(self.splits, splits)
        return CodedClips(
            self.codes[rows],
            self.splits[rows],
            self.groups[rows],
            self.classes,
            {name: values[rows] for name, values in self.factors.items()},
            {name: values[rows] for name, values in self.numbers.items()},
        )

    def stored(self) -> bytes:
        """Return an npz file that `read_coded` reads; the same clips give the same bytes."""
        parts = {"codes": self.codes, "splits": self.splits, "groups": self.groups}
        parts |= {f"classes_{name}": np.array(values) for name, values in self.classes.items()}
        parts |= {f"factor_{name}": values.astype(np.int16) for name, values in self.factors.items()}
        parts |= {f"number_{name}": values.astype(np.float32) for name, values in self.numbers.items()}
        content = io.BytesIO()
        np.savez_compressed(content, allow_pickle=False, **parts)
        return content.getvalue()


def read_coded(path: str | Path) -> CodedClips:
    """Read what `CodedClips.stored` wrote.

    Raises
    ------
    InputError
        If the file is not there, or not such a file.
    """
    try:
        with np.load(path, allow_pickle=False) as found:
            parts = {name: found[name] for name in found.files}
        return CodedClips(
            parts["codes"],
            parts["splits"],
            parts["groups"],
            {name: tuple(values.tolist()) for name, values in _starting(parts, "classes_").items()},
            {name: values.astype(np.int64) for name, values in _starting(parts, "factor_").items()},
            {name: values.astype(np.float64) for name, values in _starting(parts, "number_").items()},
        )
    except (OSError, ValueError, KeyError, EOFError) as error:
        raise InputError(f"coded clips {path}: cannot be read ({type(error).__name__}: {error})") from None


def bundled_clips() -> CodedClips:
    """Return the clips that come with `musicgen_tiny`: codes of `codec_tiny`'s first four codebooks.

    Examples
    --------
    >>> clips = bundled_clips().of("validation")
    >>> clips.codes.shape[1], sorted(clips.classes)
    (4, ['density', 'family', 'register', 'texture'])
    """
    with as_file(files("tonotopy.encoders.zoo") / "musicgen_tiny_codes.npz") as path:
        return read_coded(path)


def _starting(parts: dict[str, np.ndarray], prefix: str) -> dict[str, np.ndarray]:
    return {name.removeprefix(prefix): values for name, values in parts.items() if name.startswith(prefix)}
