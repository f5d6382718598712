"""The conformance suite: whether a probe does what it declares."""

from __future__ import annotations

import pickle
import random
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
import xarray as xr
from torch import nn

from ...encoders.base import Encoder
from ...encoders.measuring import first_line
from ...encoders.musicvae.base import LatentModel
from ...encoders.registry import load
from ...encoders.weights import randomly_initialised
from ...encoders.wrapping import wrap
from ...synth.errors import InputError
from ..engine.probe import Probe
from ..engine.session import Session
from ..engine.store import keep
from . import faults
from .declared import check_declared
from .suite import CONTROLS

SEED, TILE_SECONDS = 3, 4.0  # a size of its own for tiles: at a fixed one results are equal to the last digit

Measured = Encoder | LatentModel


def check(probe: Probe, encoder: str | Measured | None = None, **settings: object) -> None:
    """Raise unless a probe does what it declares.

    For the tests of a plug-in. The probe is tried on an encoder and on every control whose answer it says
    is known. On the first that it does not refuse it measures twice, and its result goes to disk and back.

    Parameters
    ----------
    probe : Probe
    encoder : str, Encoder or LatentModel, optional
        By default a small random network, or the control with planted latents; give one with the abilities
        that the probe needs (a codec, say).
    **settings
        Of the probe, to make it small.

    Raises
    ------
    NotConforming
        A subclass for each fault, in `tonotopy.probes.run.faults`; the first that is found, in one line.
    InputError
        If the probe has no such setting, or what it is set to cannot be played to the encoder.

    Notes
    -----
    A dimension needs a coordinate of its own name, `level` excepted: levels have `level_dbfs`.

    Examples
    --------
    >>> from tonotopy.probes.folding.invertibility import INVERTIBILITY
    >>> check(INVERTIBILITY)
    >>> check(INVERTIBILITY, bins=8)
    Traceback (most recent call last):
    tonotopy.synth.errors.InputError: probe 'invertibility': has no setting 'bins'; it has none
    """
    probe = probe.with_settings(**settings)
    check_declared(probe)
    if encoder is None:
        encoder = "control:planted" if probe.modality == "melody" else _small_network()
    first = load(encoder) if isinstance(encoder, str) else encoder
    results: dict[str, tuple[Measured, xr.Dataset]] = {}
    refused: dict[str, str] = {}
    for one in (first, *_controls(probe, first)):
        reason = _refusal(probe, one)
        if reason is not None:
            refused[one.name] = reason
            _check_refused(probe, one)
        else:
            results[one.name] = one, _tried(probe, one, twice=not results)
    if not results:
        raise faults.NobodyMeasured(f"probe {probe.name}: refuses {'; '.join(refused.values())}")
    _check_compared(probe, [result for _, result in results.values()])
    _check_known(probe, results, refused)


def _controls(probe: Probe, first: Measured) -> Iterator[Measured]:
    """Yield the controls of which something is known, at the first encoder's rate as in a run."""
    for name in dict.fromkeys(known.control for known in probe.known):
        if name == first.name:
            continue
        options = {}
        if isinstance(first, Encoder) and name in CONTROLS["waveform"]:
            options["sample_rate"] = first.sample_rate
        try:
            control = load(name, seed=SEED, **options)
        except InputError as error:
            raise faults.ControlUnknown(f"probe {probe.name}: a known answer is of {error}") from None
        if control.modality != probe.modality:
            raise faults.ControlUnknown(
                f"probe {probe.name}: a known answer is of {name!r}, which takes {control.modality}s"
            )
        yield control


def _small_network() -> Encoder:
    """Return a linear stage, and a nonlinear one of another width behind it."""
    module = randomly_initialised(
        lambda: nn.Sequential(nn.Conv1d(1, 4, 64, stride=16), nn.ReLU(), nn.Conv1d(4, 6, 4, stride=2)), SEED
    )
    return wrap(module, 24_000, {"first_layer": "0", "latent": "2"}, name="small_network")


def _session(encoder: Measured, out: Path | None = None) -> Session[Any]:
    """Return a session that remembers nothing of others."""
    return Session(encoder, seed=SEED, tile_seconds=TILE_SECONDS, out=out)


def _refusal(probe: Probe, encoder: Measured) -> str | None:
    try:
        reason = probe.refusal(_session(encoder))
    except InputError:
        raise  # what it is set to cannot be played
    except Exception as error:
        raise faults.MeasureRaises(
            f"probe {probe.name}: `refuses` raises at {encoder.name}: {first_line(error)}"
        ) from error
    if reason is not None and not (isinstance(reason, str) and reason.strip()):
        raise faults.RefusalNotText(
            f"probe {probe.name}: `refuses` returns {reason!r} for {encoder.name}; must be None or a reason"
        )
    return reason


def _check_refused(probe: Probe, encoder: Measured) -> None:
    """Raise unless measuring what is refused ends in one line, as asking first would."""
    if encoder.modality != probe.modality:
        return  # refused for every probe alike, before it is asked
    try:
        probe(_session(encoder))
    except InputError:
        return
    except Exception as error:
        found = f"raises {first_line(error)}"
    else:
        found = "measures it all the same"
    raise faults.RefusedIsMeasured(
        f"probe {probe.name}: refuses {encoder.name}, yet `measure` {found}; must raise an InputError"
    )


def _tried(probe: Probe, encoder: Measured, twice: bool) -> xr.Dataset:
    """Measure, and return what was found once everything about it was tried."""
    with _untouched(probe, encoder):
        result = _measured(probe, _session(encoder))
    _check_result(probe, encoder, result)
    if twice:
        with TemporaryDirectory() as folder:
            where = Path(folder) / probe.name
            again = _measured(probe, _session(encoder, where))
            if differing := _differing(result, again):
                raise faults.NotReproducible(
                    f"probe {probe.name}: {differing} of {encoder.name} is something else the second time"
                )
            _check_round_trip(probe, again, where)
    return result


def _measured(probe: Probe, session: Session[Any]) -> xr.Dataset:
    try:
        result = probe(session)
    except Exception as error:  # whatever a probe may raise
        raise faults.MeasureRaises(
            f"probe {probe.name}: raises at {session.encoder.name}, not refused: {first_line(error)}"
        ) from error
    if not isinstance(result, xr.Dataset):
        raise faults.NotDataset(
            f"probe {probe.name}: returns {type(result).__name__}; must be an xarray.Dataset"
        )
    return result.load()


@contextmanager
def _untouched(probe: Probe, encoder: Measured) -> Iterator[None]:
    """Raise if what happens inside changes the encoder, or what others draw."""
    answers, state = _answers(encoder), _random_state()
    yield
    if _random_state() != state:
        raise faults.RandomStateChanged(
            f"probe {probe.name}: changes the global random state; draw from a generator of `session.seed`"
        )
    if not all(map(np.array_equal, answers, _answers(encoder))):
        raise faults.EncoderChanged(
            f"probe {probe.name}: changes {encoder.name}: it gives something else since"
        )


def _random_state() -> tuple[bytes, ...]:
    legacy = np.random.get_state()  # noqa: NPY002 - whoever draws without a generator draws from this one
    return torch.get_rng_state().numpy().tobytes(), pickle.dumps(legacy), pickle.dumps(random.getstate())


def _answers(encoder: Measured) -> list[np.ndarray]:
    generator = np.random.default_rng(SEED)
    if not isinstance(encoder, Encoder):
        latents = generator.standard_normal((3, encoder.latent_dimensions)).astype(np.float32)
        rolls = encoder.decode(latents)
        return [rolls, *encoder.encode(rolls)]
    stages = encoder.stages.values()
    length = max(2 * stage.hop + stage.latency + (stage.receptive_field or 0) for stage in stages)
    noise = torch.from_numpy(0.1 * generator.standard_normal((1, length)).astype(np.float32))
    return [found.numpy(force=True) for found in encoder.run(noise, list(encoder.stages)).values()]


def _check_result(probe: Probe, encoder: Measured, result: xr.Dataset) -> None:
    for name, variable in result.variables.items():
        about, spec = f"probe {probe.name}: variable {name!r} of its result", probe.variables.get(str(name))
        if spec is None:
            raise faults.VariableUndeclared(f"{about} is not declared")
        dims = [[dim for dim in one.dims if dim != "level"] for one in (variable, spec)]
        if dims[0] != dims[1]:
            raise faults.WrongDims(f"{about} has dims {variable.dims}, not {spec.dims}")
        for attribute in ("units", "long_name"):
            found, due = variable.attrs.get(attribute), getattr(spec, attribute)
            if found != due:
                raise faults.AttributesMissing(f"{about} has {attribute} {found!r}, not {due!r}")
    for dim in result.dims:
        if dim != "level" and dim not in result.coords:
            raise faults.DimensionUnlabelled(
                f"probe {probe.name}: dimension {dim!r} of its result has no coordinate"
            )
    if isinstance(encoder, Encoder):
        _check_stages(probe, encoder, result)


def _check_stages(probe: Probe, encoder: Encoder, result: xr.Dataset) -> None:
    about = f"probe {probe.name}: its result of {encoder.name}"
    named = [str(s) for s in result["stage"].values] if "stage" in result.dims else []
    if not named or not set(named) <= set(encoder.stages):
        raise faults.StageMissing(
            f"{about} has stages {', '.join(named) or 'none'}, not {', '.join(encoder.stages)}"
        )
    if "channel" not in result.dims:
        return
    channels = [encoder.stages[stage].channels for stage in named]
    given = result["n_channels"].values.tolist() if "n_channels" in result else None
    if given != channels or result.sizes["channel"] < max(channels):
        raise faults.StageMissing(f"{about} has `n_channels` {given}; must be {channels}")


def _check_round_trip(probe: Probe, result: xr.Dataset, where: Path) -> None:
    try:
        keep(result, where)
        with xr.open_zarr(str(where), chunks=None, consolidated=False) as stored:
            differing = _differing(result, stored.load())
    except Exception as error:  # whatever zarr makes of what it cannot hold
        raise faults.RoundTripDiffers(
            f"probe {probe.name}: its result cannot be stored: {first_line(error)}"
        ) from error
    if differing:
        raise faults.RoundTripDiffers(
            f"probe {probe.name}: {differing} comes back from disk as something else"
        )


def _differing(one: xr.Dataset, other: xr.Dataset) -> str:
    """Name the first that two results do not share to the last digit; "" if there is none."""
    for name in chain(one.variables, other.variables):
        if name not in one.variables or name not in other.variables:
            return f"variable {name!r}"
        if one[name].dtype.kind != other[name].dtype.kind or not one[name].variable.identical(
            other[name].variable
        ):
            return f"variable {name!r}"
    return "" if one.identical(other) else "an attribute"


def _check_compared(probe: Probe, results: Sequence[xr.Dataset]) -> None:
    """Raise where two runs would never be compared by what they are said to be."""
    if (compared := probe.compared) is None:
        return
    for name in compared.variables:
        if all(compared.values(result, name) is None for result in results):
            raise faults.ComparedUnknown(
                f"probe {probe.name}: compared by {name!r}, which no result has over `{compared.unit}`"
            )


def _check_known(
    probe: Probe, results: Mapping[str, tuple[Measured, xr.Dataset]], refused: Mapping[str, str]
) -> None:
    for known in probe.known:
        about = f"probe {probe.name}: {known.what}, of {known.control},"
        if known.control in refused:
            raise faults.KnownAnswerWrong(f"{about} is known, but refused: {refused[known.control]}")
        control, result = results[known.control]
        try:
            value = float(known.value(result, getattr(control, "sample_rate", 0)))
        except Exception as error:
            raise faults.KnownAnswerWrong(f"{about} cannot be read: {first_line(error)}") from error
        if not known.holds(value):
            raise faults.KnownAnswerWrong(f"{about} is {value:.6g}; known is {known.text}")
