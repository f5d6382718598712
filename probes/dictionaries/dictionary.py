"""A sparse dictionary: the features that activations are sums of, and how they are found."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, get_args

import torch
from torch import Tensor

from ...synth.errors import InputError

Activation = Literal["topk", "batch_topk", "jumprelu"]
_BLOCK = 512  # rows whose pre-activations are in memory at a time, where only a few of them are wanted


@dataclass(frozen=True)
class Origin:
    """What a dictionary was learnt from, as far as it is known; an empty string stands for unknown.

    Parameters
    ----------
    model, stage : str
    weights_sha256 : str
        Of the model.
    note : str
        Anything else.
    """

    model: str = ""
    stage: str = ""
    weights_sha256: str = ""
    note: str = ""


@dataclass(frozen=True, eq=False)
class Dictionary:
    """A sparse autoencoder with one layer on either side.

    Pre-activations are ``x @ encoder + encoder_bias``; a centred dictionary takes ``decoder_bias`` from
    ``x`` first. Features are the positive ones among them that are kept: the k largest of the row
    (``topk``), or those above a threshold of their own (``batch_topk``, ``jumprelu``). What is kept of a row
    never depends on the rows beside it. The result is ``features @ decoder + decoder_bias``.

    Parameters
    ----------
    encoder : float32 [d, M]
    encoder_bias : float32 [M]
    decoder : float32 [M, d]
    decoder_bias : float32 [d]
    k : int
        Features kept of a row; of a row on average with ``batch_topk``; 0 with ``jumprelu``, which has none.
    activation : {"topk", "batch_topk", "jumprelu"}
    threshold : float32 [M], optional
        Needed unless the k largest are kept.
    centred : bool
    origin : Origin

    Raises
    ------
    InputError
        If tensors do not fit each other, are not finite, or a threshold is lacking.

    Examples
    --------
    >>> both = torch.eye(3)
    >>> dictionary = Dictionary(both, torch.zeros(3), both, torch.zeros(3), k=1, activation="topk")
    >>> dictionary.reconstruct(torch.tensor([[1.0, 4.0, 2.0], [-1.0, -2.0, -3.0]])).tolist()
    [[0.0, 4.0, 0.0], [0.0, 0.0, 0.0]]
    """

    encoder: Tensor
    encoder_bias: Tensor
    decoder: Tensor
    decoder_bias: Tensor
    k: int
    activation: Activation
    threshold: Tensor | None = None
    centred: bool = True
    origin: Origin = field(default_factory=Origin)

    def __post_init__(self) -> None:
        if self.activation not in get_args(Activation):
            known = ", ".join(get_args(Activation))
            raise InputError(f"activation {self.activation!r}: must be one of {known}")
        if self.encoder.dim() != 2 or 0 in self.encoder.shape:
            raise InputError(f"encoder of shape {tuple(self.encoder.shape)}: must be [width, features]")
        d, m = self.encoder.shape
        tensors = {"encoder": (d, m), "encoder_bias": (m,), "decoder": (m, d), "decoder_bias": (d,)}
        if self.activation != "topk":
            if self.threshold is None:
                raise InputError(f"threshold: a {self.activation} dictionary needs one")
            tensors["threshold"] = (m,)
        elif self.threshold is not None:
            raise InputError("threshold: a topk dictionary has none")
        for name, shape in tensors.items():
            _check_tensor(name, getattr(self, name), shape)
        if not isinstance(self.centred, bool):
            raise InputError(f"centred {self.centred!r}: must be true or false")
        least = 0 if self.activation == "jumprelu" else 1
        if isinstance(self.k, bool) or not isinstance(self.k, int) or not least <= self.k <= m:
            raise InputError(f"k {self.k}: must be a whole number, {least} to the number of features, {m}")

    @property
    def width(self) -> int:
        """Channels of the activations, d."""
        return self.encoder.shape[0]

    @property
    def features(self) -> int:
        """Features, M."""
        return self.encoder.shape[1]

    def encode(self, activations: Tensor) -> Tensor:
        """Return the features of rows [N, d], dense with zeros: float32 [N, M].

        Raises
        ------
        InputError
            If the activations have another width, or hold NaN or Inf.
        """
        if self.activation == "topk":
            indices, values = self.encode_sparse(activations)
            return torch.zeros(len(indices), self.features).scatter_(1, indices, values)
        rows = self._checked(activations, "activations", self.width)
        return self._above_threshold(self._before(rows))

    def encode_sparse(self, activations: Tensor) -> tuple[Tensor, Tensor]:
        """Return the k features of every row, from the strongest on.

        Parameters
        ----------
        activations : float [N, d]

        Returns
        -------
        indices : int64 [N, k]
            Those of a row all different; among equal values the first.
        values : float32 [N, k]
            Zero where fewer than k are positive.

        Raises
        ------
        InputError
            As `encode`; or if the dictionary keeps another number of features for every row.
        """
        from .sparse import top_k  # compiled: numba takes a while to import

        if self.activation != "topk":
            raise InputError(
                f"encode_sparse: a {self.activation} dictionary keeps as many as exceed their thresholds"
            )
        rows = self._checked(activations, "activations", self.width)
        parts = [top_k(self._before(block), self.k) for block in rows.split(_BLOCK)]
        return torch.cat([part[0] for part in parts]), torch.cat([part[1] for part in parts])

    def decode(self, features: Tensor) -> Tensor:
        """Return what features [N, M] add up to: float32 [N, d].

        Raises
        ------
        InputError
            If there are more or fewer features, or any is NaN or Inf.
        """
        return self._checked(features, "features", self.features) @ self.decoder + self.decoder_bias

    def reconstruct(self, activations: Tensor) -> Tensor:
        """Return what the features of rows [N, d] add up to: float32 [N, d].

        The table of features is never in memory as a whole.

        Raises
        ------
        InputError
            As `encode`.
        """
        from .sparse import combined, row_entries

        rows = self._checked(activations, "activations", self.width)
        found = []
        for block in rows.split(_BLOCK):
            before = self._before(block)
            if self.activation == "topk":
                found.append(torch.from_numpy(combined(row_entries(before, self.k), self.decoder)))
            else:
                found.append(self._above_threshold(before) @ self.decoder)
        return torch.cat(found) + self.decoder_bias

    def _before(self, rows: Tensor) -> Tensor:
        """Return pre-activations [N, M]."""
        inputs = rows - self.decoder_bias if self.centred else rows
        return torch.addmm(self.encoder_bias, inputs, self.encoder)

    def _above_threshold(self, before: Tensor) -> Tensor:
        assert self.threshold is not None
        return before.relu() * (before > self.threshold)

    def _checked(self, rows: Tensor, what: str, width: int) -> Tensor:
        if rows.dim() != 2 or rows.shape[1] != width:
            own = f"dictionary of width {self.width}" if what == "activations" else f"{width} features"
            shown = f"width {rows.shape[1]}" if rows.dim() == 2 else f"shape {tuple(rows.shape)}"
            raise InputError(f"{own}: was given {what} of {shown}; they must be [rows, {width}]")
        rows = rows.detach().to("cpu", torch.float32)
        if not torch.isfinite(rows).all():
            first = int((~torch.isfinite(rows)).any(1).nonzero()[0])
            raise InputError(f"{what}: row {first} holds NaN or Inf")
        return rows.contiguous()


def _check_tensor(name: str, tensor: Tensor, shape: tuple[int, ...]) -> None:
    if tuple(tensor.shape) != shape:
        raise InputError(f"{name} of shape {tuple(tensor.shape)}: must be {shape}, as the encoder says")
    if tensor.dtype != torch.float32 or tensor.device.type != "cpu":
        raise InputError(f"{name} of {tensor.dtype} on {tensor.device}: must be float32 on the cpu")
    if not torch.isfinite(tensor).all():
        raise InputError(f"{name}: holds NaN or Inf")


def check_fits(
    dictionary: Dictionary, model: str = "", stage: str = "", width: int = 0, weights_sha256: str = ""
) -> None:
    """Raise if a dictionary is known to be of other activations than those it is to be used on.

    What either side does not know is not compared.

    Parameters
    ----------
    dictionary : Dictionary
    model, stage, weights_sha256 : str
        Of the activations; empty for unknown.
    width : int
        Of the activations; 0 for unknown.

    Raises
    ------
    InputError
        If the width, the model, its weights or the stage differ; the message names which.

    Examples
    --------
    >>> both, zero = torch.eye(2), torch.zeros(2)
    >>> dictionary = Dictionary(both, zero, both, zero, 1, "topk", origin=Origin("small", "layer_5"))
    >>> check_fits(dictionary, "small", "layer_5", 2)
    >>> check_fits(dictionary, "small", "layer_6", 2)
    Traceback (most recent call last):
    tonotopy.synth.errors.InputError: dictionary of stage 'layer_5': the activations are of stage 'layer_6'
    """
    if width and width != dictionary.width:
        raise InputError(f"dictionary of width {dictionary.width}: the activations are of width {width}")
    origin = dictionary.origin
    for what, own, other in (
        ("model", origin.model, model),
        ("stage", origin.stage, stage),
        ("weights", origin.weights_sha256, weights_sha256),
    ):
        if own and other and own != other:
            raise InputError(f"dictionary of {what} {own!r}: the activations are of {what} {other!r}")
