"""What may be wrong with a probe, as `check` finds it: one exception a fault."""

from __future__ import annotations

from ...synth.errors import InputError


class NotConforming(InputError):
    """A probe does something other than what it declares."""


# of what it declares


class NameUnusable(NotConforming):
    """Its name is no identifier: nothing could be filed under it."""


class NameTaken(NotConforming):
    """Another probe, or a group that every run holds, has its name."""


class QuestionNotOneSentence(NotConforming):
    """Its question is not one sentence that ends with a question mark."""


class UnknownModality(NotConforming):
    """It asks encoders of a modality that none has."""


class VariableUndescribed(NotConforming):
    """A variable has no units or no name, or is filed as something else than a `Variable`."""


class DimensionUnlabelled(NotConforming):
    """A dimension has no coordinate by which one would select."""


class TakesNoSession(NotConforming):
    """What measures, refuses or plays does not take what it is called with."""


class SettingUnknown(NotConforming):
    """A setting is given that is not taken, or not taken everywhere, or has no default."""


class ComparedUnknown(NotConforming):
    """Two runs are compared by a variable that is not declared, or over a dimension that it lacks."""


class ControlUnknown(NotConforming):
    """The answer of a control is known that `load` does not know, or that is of another modality."""


class StimuliNotNamed(NotConforming):
    """What is played to everybody is not a mapping of kinds to stimuli."""


# of what it does


class RefusalNotText(NotConforming):
    """`refuses` returns neither None nor a reason."""


class RefusedIsMeasured(NotConforming):
    """An encoder that it refuses is measured all the same, where nothing asks it first."""


class NobodyMeasured(NotConforming):
    """It refuses every encoder that it was tried on."""


class MeasureRaises(NotConforming):
    """It raises at an encoder that it does not refuse."""


class NotDataset(NotConforming):
    """What it returns is no `xarray.Dataset`."""


class VariableUndeclared(NotConforming):
    """Its result holds a variable that it does not declare."""


class WrongDims(NotConforming):
    """A variable of its result has other dimensions than declared."""


class AttributesMissing(NotConforming):
    """A variable of its result lacks units or name, or has others than declared."""


class StageMissing(NotConforming):
    """Its result does not say at which stages of the encoder, and how many channels they have."""


class NotReproducible(NotConforming):
    """The same seed gave something else the second time."""


class RoundTripDiffers(NotConforming):
    """Its result cannot be written to zarr, or comes back as something else."""


class EncoderChanged(NotConforming):
    """After it the encoder gives something else."""


class RandomStateChanged(NotConforming):
    """It draws from the global random state, or seeds it."""


class KnownAnswerWrong(NotConforming):
    """A control does not give the answer that is said to be known."""
