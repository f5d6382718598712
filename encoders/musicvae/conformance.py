"""The conformance suite of models of melodies."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...synth.errors import InputError
from ...synth.melodies import CLASSES, checked_rolls
from .. import faults
from ..abilities import Redraws
from ..measuring import TOLERANCE
from ..shared_checks import check_members, check_redraws

MEMBERS = ("name", "modality", "weights", "steps", "latent_dimensions", "encode", "decode", "predict")
MELODIES = 5


def check_melodies(model: Any) -> None:
    """Raise unless a model of melodies does what it declares; see `tonotopy.encoders.check`.

    Parameters
    ----------
    model : LatentModel

    Raises
    ------
    NotConforming
        A subclass for each fault; the first that is found, in one line.

    Examples
    --------
    >>> from tonotopy.encoders import load
    >>> check_melodies(load("control:planted"))
    """
    check_members(model, MEMBERS)
    for size in ("steps", "latent_dimensions"):
        value = getattr(model, size)
        if not isinstance(value, int | np.integer) or value < 1:
            raise faults.LacksMember(f"{model.name}: `{size}` is {value!r}; must be a whole number above 0")
    generator = np.random.default_rng(0)
    rolls = generator.integers(0, CLASSES, (MELODIES, model.steps)).astype(np.uint8)
    latents = generator.standard_normal((MELODIES, model.latent_dimensions)).astype(np.float32)
    _check_encode(model, rolls)
    _check_decode(model, latents)
    _check_predict(model, latents, rolls)
    if isinstance(model, Redraws):
        check_redraws(model, ("steps", "latent_dimensions"), lambda one: list(one.encode(rolls)))


def _check_encode(model: Any, rolls: np.ndarray) -> None:
    kept, found = rolls.copy(), _encoded(model, rolls)
    if not np.array_equal(kept, rolls):
        raise faults.InputChanged(f"{model.name}: `encode` changes the melodies that it is given")
    for values in found:
        if not np.isfinite(values).all():
            raise faults.NotFinite(f"{model.name}: `encode` gives NaN or Inf")
    if (found[1] < 0).any():
        raise faults.NegativeDeviation(f"{model.name}: `encode` gives a deviation of {found[1].min():g}")
    for values, again in zip(found, _encoded(model, rolls), strict=True):
        if not np.array_equal(values, again):
            raise faults.NotDeterministic(f"{model.name}: `encode` gives something else the second time")
    for row in range(len(rolls)):
        for values, alone in zip(found, _encoded(model, rolls[row : row + 1]), strict=True):
            if np.linalg.norm(alone[0] - values[row]) > TOLERANCE * np.linalg.norm(values[row]):
                raise faults.BatchMatters(
                    f"{model.name}: `encode` gives something else of melody {row} alone than in a batch"
                )


def _encoded(model: Any, rolls: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    found = model.encode(rolls)
    shape = len(rolls), model.latent_dimensions
    right = isinstance(found, tuple) and [np.shape(values) for values in found] == [shape, shape]
    if not right or any(values.dtype.kind != "f" for values in found):
        given = [f"{getattr(v, 'dtype', type(v).__name__)} {np.shape(v)}" for v in found]
        raise faults.EncodeWrongShape(
            f"{model.name}: `encode` gives {' and '.join(given)}; must be two of floating-point {shape}"
        )
    return found


def _check_decode(model: Any, latents: np.ndarray) -> None:
    kept, shape = latents.copy(), (len(latents), model.steps)
    for temperature in (None, 1.0):
        rolls, again = (model.decode(latents, temperature, seed=3) for _ in range(2))
        if np.shape(rolls) != shape:
            raise faults.DecodeWrongShape(f"{model.name}: `decode` gives {np.shape(rolls)}; must be {shape}")
        _check_rolls(model, "decode", rolls)
        if not np.array_equal(rolls, again):
            raise faults.NotDeterministic(
                f"{model.name}: `decode` at temperature {temperature} gives something else the second time"
            )
    if not np.array_equal(kept, latents):
        raise faults.InputChanged(f"{model.name}: `decode` changes the latents that it is given")


def _check_predict(model: Any, latents: np.ndarray, rolls: np.ndarray) -> None:
    predicted = model.predict(latents, rolls)
    if np.shape(predicted) != rolls.shape:
        raise faults.PredictWrongShape(
            f"{model.name}: `predict` gives {np.shape(predicted)}; must be {rolls.shape}"
        )
    _check_rolls(model, "predict", predicted)


def _check_rolls(model: Any, method: str, rolls: np.ndarray) -> None:
    try:
        checked_rolls(rolls)
    except InputError as error:
        raise faults.NotMelodies(f"{model.name}: `{method}` gives {error}") from None
