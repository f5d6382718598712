"""What a stack of layers sees: hop, receptive field and latency, by arithmetic on the strides."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .base import Stage

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True)
class Layer:
    """A convolution or a pooling, along time.

    Output frame t sees input frames ``t * stride - left_padding + dilation * (0 .. kernel - 1)``.
    """

    kernel: int
    stride: int = 1
    dilation: int = 1
    left_padding: int = 0


@dataclass(frozen=True)
class Geometry:
    """Where the frames of a stage lie on the waveform; the terms are those of `Stage`.

    Frame t sees the `receptive_field` samples that end at ``t * hop + latency``. Without
    arguments: the waveform itself.
    """

    hop: int = 1
    receptive_field: int = 1
    latency: int = 0

    def then(self, layer: Layer) -> Geometry:
        """Return what is seen after one more layer.

        Examples
        --------
        >>> Geometry().then(Layer(kernel=3, stride=3)).then(Layer(kernel=3, left_padding=1))
        Geometry(hop=3, receptive_field=9, latency=5)
        """
        reach = (layer.kernel - 1) * layer.dilation
        return Geometry(
            hop=self.hop * layer.stride,
            receptive_field=self.receptive_field + self.hop * reach,
            latency=self.latency + self.hop * (reach - layer.left_padding),
        )


def receptive_field(layers: Iterable[Layer]) -> Geometry:
    """Return what is seen after all `layers`, from the waveform on.

    Source: RF = 1 + sum_l (k_l - 1) d_l prod_{i<l} s_i, with the paddings carried along.

    Examples
    --------
    >>> receptive_field([Layer(7, left_padding=6), Layer(4, stride=2, left_padding=2)])
    Geometry(hop=2, receptive_field=10, latency=1)
    """
    geometry = Geometry()
    for layer in layers:
        geometry = geometry.then(layer)
    return geometry


def layer_of(convolution: nn.Conv1d) -> Layer:
    """Return a convolution along time, with the zeros that it pads by itself.

    Examples
    --------
    >>> from torch import nn
    >>> layer_of(nn.Conv1d(1, 2, 8, stride=4, padding=2))
    Layer(kernel=8, stride=4, dilation=1, left_padding=2)
    """
    about: Any = convolution
    return Layer(about.kernel_size[0], about.stride[0], about.dilation[0], about.padding[0])


def stage_at(name: str, geometry: Geometry, bounded: bool = True, kind: str = "nonlinear") -> Stage:
    """Return what is known of a stage by its geometry: all but its channels.

    Parameters
    ----------
    name : str
    geometry : Geometry
    bounded : bool
        Whether nothing before it, such as a norm over time, sees the whole waveform.
    kind : str

    Examples
    --------
    >>> stage_at("latent", Geometry(320, 400, 399), bounded=False).receptive_field is None
    True
    """
    field = geometry.receptive_field if bounded else None
    return Stage(name, 1, geometry.hop, field, geometry.latency, kind)
