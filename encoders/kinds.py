"""Kinds of stages, and what the activations of each allow: code asks for a property, never for a name."""

from __future__ import annotations

from dataclasses import dataclass

from ..synth.errors import InputError


@dataclass(frozen=True)
class StageKind:
    """What holds of the activations at a stage.

    Parameters
    ----------
    name : str
        As `Stage.kind` has it, and every stored result.
    has_power : bool
        They can be squared, summed and compared by size; codes, which are names of entries, cannot.
    is_linear : bool
        They are an affine function of the samples, with a closed form (`Encoder.kernels`).
    is_integer : bool
        They are integers.
    is_stepwise : bool
        They are piecewise constant: a derivative tells nothing of them.
    is_sparse : bool
        Most are exactly 0 at any time, as the features of a sparse autoencoder are.

    Raises
    ------
    InputError
        If integers are to be affine, or the name is empty.
    """

    name: str
    has_power: bool = True
    is_linear: bool = False
    is_integer: bool = False
    is_stepwise: bool = False
    is_sparse: bool = False

    def __post_init__(self) -> None:
        if not self.name:
            raise InputError("kind '': needs a name")
        if self.is_linear and (self.is_integer or self.is_stepwise):
            raise InputError(
                f"kind {self.name!r}: an affine function of samples has neither integers nor steps"
            )


_kinds = {
    kind.name: kind
    for kind in (
        StageKind("convolution", is_linear=True),
        StageKind("nonlinear"),
        StageKind("quantized", is_stepwise=True),
        StageKind("codes", has_power=False, is_integer=True, is_stepwise=True),
        StageKind("sparse", is_sparse=True),
    )
}


def register_kind(kind: StageKind) -> None:
    """Make a kind known by its name, so that stages can be of it.

    Raises
    ------
    InputError
        If the name is taken by a kind that allows something else.
    """
    if _kinds.setdefault(kind.name, kind) != kind:
        raise InputError(f"kind {kind.name!r}: the name is taken by {_kinds[kind.name]}")


def stage_kind(name: str) -> StageKind:
    """Return the kind of a name, as `Stage.kind` and stored results have it.

    Raises
    ------
    InputError
        If there is none of that name.

    Examples
    --------
    >>> stage_kind("codes").has_power, stage_kind("sparse").has_power
    (False, True)
    """
    if name not in _kinds:
        raise InputError(f"stage kind {name!r}: not known; known are {', '.join(_kinds)}")
    return _kinds[name]
