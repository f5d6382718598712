"""What may be wrong with an encoder, as `check` finds it: one exception a fault."""

from __future__ import annotations

from ..synth.errors import InputError


class NotConforming(InputError):
    """An encoder does something other than what it declares."""


class LacksMember(NotConforming):
    """Something that the contract asks for is not there, or of another kind."""


class UnknownModality(NotConforming):
    """Its modality is none of `MODALITIES`."""


class NotDeterministic(NotConforming):
    """The same input gave something else the second time."""


class InputChanged(NotConforming):
    """What it was given is no longer what it was."""


class BatchMatters(NotConforming):
    """What an input gives depends on what else is in the batch."""


class NotFinite(NotConforming):
    """NaN or Inf came of finite input."""


class RedrawIgnoresSeed(NotConforming):
    """Drawn anew from two seeds, it is the same."""


class RedrawNotReproducible(NotConforming):
    """Drawn anew from one seed twice, it is not the same."""


class RedrawDiffers(NotConforming):
    """Drawn anew, it has other stages, another rate or another size."""


# of encoders of waveforms


class StageMisnamed(NotConforming):
    """There are no stages, or one is filed under a name that is not its own."""


class StageOrder(NotConforming):
    """Stages do not go from shallow to deep: a later one sees less of the waveform."""


class StageNotReached(NotConforming):
    """`run` raises at a stage, or returns other stages than those requested."""


class WrongShape(NotConforming):
    """Activations are not [B, C, F] with the channels of the stage."""


class CodesNotInteger(NotConforming):
    """Activations of a stage of integers are none, or those of another are."""


class WrongHop(NotConforming):
    """A hop more of samples does not give a frame more."""


class WrongLatency(NotConforming):
    """A frame sees samples after the last that it is said to see, or does not see those up to it."""


class ReceptiveFieldTooSmall(NotConforming):
    """A frame sees samples before the first that it is said to see."""


class KernelsDisagree(NotConforming):
    """The closed form is not what `run` does, or there is none at a linear stage, or one elsewhere."""


class CodebooksDisagree(NotConforming):
    """Codes name no entries, or the entries that they name do not add up to `quantized`."""


class DifferentiableDisagrees(NotConforming):
    """`differentiable` is not the function that `run` evaluates."""


class RunFromDoesNotContinue(NotConforming):
    """From unchanged activations `run_from` does not give what `run` gives."""


class DecodeWrongShape(NotConforming):
    """What is decoded has not the batch or the length of what was encoded."""


# of models of melodies


class EncodeWrongShape(NotConforming):
    """Mean and deviation are not floating-point [N, D] each."""


class NegativeDeviation(NotConforming):
    """A standard deviation is below 0."""


class NotMelodies(NotConforming):
    """What is decoded holds something else than classes of melodies."""


class PredictWrongShape(NotConforming):
    """What is predicted has not the shape of the melodies."""
