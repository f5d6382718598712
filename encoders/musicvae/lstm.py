"""LSTM layers with one bias vector each, as TensorFlow has them."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

State = tuple[Tensor, Tensor]  # h and c, each [N, H]


class LSTMLayer(nn.Module):
    """One layer, in one direction.

    torch's own has two bias vectors whose sum is all that counts. Gates lie in torch's order: input,
    forget, candidate, output. The forget bias begins at 1, which TensorFlow adds as it runs and does not
    store.

    Parameters
    ----------
    inputs, units : int > 0
    """

    def __init__(self, inputs: int, units: int) -> None:
        super().__init__()
        self.units = units
        kernel = nn.init.xavier_uniform_(torch.empty(4 * units, inputs + units))
        self.input_weight = nn.Parameter(kernel[:, :inputs].clone())
        self.state_weight = nn.Parameter(kernel[:, inputs:].clone())
        bias = torch.zeros(4 * units)
        bias[units : 2 * units] = 1
        self.bias = nn.Parameter(bias)

    def forward(self, inputs: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        """Run over a sequence [N, T, I]; return outputs [N, T, H] and the last state."""
        if state is None:
            nothing = inputs.new_zeros(len(inputs), self.units)
            state = nothing, nothing
        outputs, h, c = torch.lstm(
            inputs,
            [s[None] for s in state],
            [self.input_weight, self.state_weight, self.bias, torch.zeros_like(self.bias)],
            has_biases=True,
            num_layers=1,
            dropout=0.0,
            train=self.training,
            bidirectional=False,
            batch_first=True,
        )
        return outputs, (h[0], c[0])

    def step(self, inputs: Tensor, state: State) -> State:
        """Go on by one step of inputs [N, I]."""
        return torch.lstm_cell(inputs, state, self.input_weight, self.state_weight, self.bias)


class LSTMStack(nn.Module):
    """Layers on top of one another, forward in time.

    Parameters
    ----------
    inputs : int > 0
    units : sequence of int
        Of each layer, from below.
    """

    def __init__(self, inputs: int, units: Sequence[int]) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            LSTMLayer(below, own) for below, own in zip((inputs, *units), units, strict=False)
        )

    def forward(self, inputs: Tensor, states: Sequence[State]) -> tuple[Tensor, list[State]]:
        """Run over a sequence [N, T, I] from the states of the layers."""
        ended = []
        for layer, state in zip(self.layers, states, strict=True):
            inputs, state = layer(inputs, state)
            ended.append(state)
        return inputs, ended

    def step(self, inputs: Tensor, states: Sequence[State]) -> tuple[Tensor, list[State]]:
        """Go on by one step of inputs [N, I]; return the topmost output [N, H] and all states."""
        ended = []
        for layer, state in zip(self.layers, states, strict=True):
            state = layer.step(inputs, state)  # type: ignore[operator]
            inputs = state[0]
            ended.append(state)
        return inputs, ended


class BidirectionalStack(nn.Module):
    """Layers of two directions; each hears both directions of the one below.

    Parameters
    ----------
    inputs : int > 0
    units : sequence of int
        Of each layer, in either direction.
    """

    def __init__(self, inputs: int, units: Sequence[int]) -> None:
        super().__init__()
        below = [inputs, *(2 * own for own in units)]
        self.forwards = nn.ModuleList(LSTMLayer(i, own) for i, own in zip(below, units, strict=False))
        self.backwards = nn.ModuleList(LSTMLayer(i, own) for i, own in zip(below, units, strict=False))

    def forward(self, inputs: Tensor) -> Tensor:
        """Return the last states of the topmost layer, forward then backward, [N, 2 H]."""
        last = ()
        for forward, backward in zip(self.forwards, self.backwards, strict=True):
            ahead, (h_ahead, _) = forward(inputs)
            back, (h_back, _) = backward(inputs.flip(1))
            inputs, last = torch.cat((ahead, back.flip(1)), 2), (h_ahead, h_back)
        return torch.cat(last, 1)
