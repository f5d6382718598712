"""Ask models of melodies which of their latents carry music, and what; keep the result."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from ...encoders.musicvae.base import LatentModel
from ...encoders.musicvae.control import PlantedLatents
from ...encoders.musicvae.posterior import encode
from ...encoders.registry import hears_melodies, load
from ...synth.errors import InputError
from ...synth.melodies import STEPS_PER_BAR
from ..progress import Progress
from ..schema import subject_attributes
from ..store import ZARR_FORMAT, fresh
from ..work import Work, drawn_anew, node_name, provenance, set_attributes
from .materials import Material, prior_material, random_material, real_material
from .measures import Listening, Settings


def latents(
    models: Sequence[str | LatentModel],
    out: str | Path,
    settings: Settings | None = None,
    *,
    weights: str = "pretrained",
    progress: Progress | None = None,
) -> Path:
    """Ask models of melodies about their latents, beside random networks and a control.

    Parameters
    ----------
    models : sequence of str or LatentModel
        Names that `load` knows, or models at hand.
    out : path
        Folder for the result, a zarr store that ``xarray.open_datatree`` reads; it must not exist.
        Work in progress lies in ``<out>.partial``; the same call takes it up where it stopped.
    settings : Settings, optional
    weights : {"pretrained", "random"} or path
        Passed to `load` for models given by name.
    progress : Progress, optional

    Returns
    -------
    out : Path

    Raises
    ------
    InputError
        If a model is not there, hears waveforms, or lacks its encoder or decoder, no melody can be had, or
        `out` exists.
    """
    settings, progress, out = settings or Settings(), progress or Progress(show=False), fresh(out)
    heard = [_able(_model(model, weights, settings.seed)) for model in models]
    names = [node_name(model.name) for model in heard]
    if not heard or len(set(names)) < len(names):
        raise InputError(f"models {', '.join(names) or '(none)'}: give at least one, and none twice")
    real = _real(heard, settings)
    work = Work(out, _identity(settings, heard))
    about = {**provenance(settings, settings.seed, heard), "hears": "melodies"}
    work.do(
        "stimuli", lambda: (set_attributes(work.store, about), set_attributes(work.store / "stimuli", {}))
    )
    for node, role, of, model in _subjects(heard, settings):
        set_attributes(work.store / node, subject_attributes(model, role, of))
        listening = Listening(
            model, partial(_materials, model, real[model.steps], settings), settings, progress
        )
        for name in measured(role):
            where = work.store / node / name
            work.do(
                f"{node}/{name}",
                lambda name=name, where=where, listening=listening: getattr(listening, name)().to_zarr(
                    str(where), mode="w", zarr_format=ZARR_FORMAT, consolidated=False
                ),
            )
    return work.finish()


def measured(role: str) -> tuple[str, ...]:
    """Return what is measured of a subject: of a random network nothing that needs its decoder.

    Examples
    --------
    >>> measured("baseline")
    ('latents', 'features', 'activation')
    """
    every = ("latents", "reconstruction", "features", "activation", "traversals")
    return ("latents", "features", "activation") if role == "baseline" else every


def _model(model: str | LatentModel, weights: str, seed: int) -> LatentModel:
    if not isinstance(model, str):
        return model
    if not hears_melodies(model):
        loaded = load(model, weights=weights, seed=seed)
        if not isinstance(loaded, LatentModel):
            raise InputError(
                f"encoder {model!r}: hears waveforms, not melodies: ask `tonotopy probe {model}`"
            )
        return loaded
    return load(model, weights=weights, seed=seed)  # type: ignore[return-value]


def _able(model: LatentModel) -> LatentModel:
    """Refuse a model that cannot be asked, before anything is drawn: it decodes and encodes one melody."""
    if model.steps < 1 or model.steps % STEPS_PER_BAR:
        raise InputError(
            f"{model.name}: melodies of {model.steps} steps; must be whole bars of {STEPS_PER_BAR}"
        )
    encode(model, model.decode(np.zeros((1, model.latent_dimensions), np.float32)))
    return model


def _identity(settings: Settings, heard: Sequence[LatentModel]) -> Iterator[str]:
    yield "melodies"
    yield repr(settings)
    for model in heard:
        yield from (model.name, model.weights.sha256, str(model.steps), str(model.latent_dimensions))
    if settings.melodies is not None:
        given = Path(settings.melodies)
        for file in (given, *sorted(given.rglob("*"))):
            about = file.lstat()
            yield f"{file} {about.st_size} {about.st_mtime_ns}"


def _subjects(
    heard: Sequence[LatentModel], settings: Settings
) -> Iterator[tuple[str, str, str, LatentModel]]:
    """Yield node, role, whose baseline, and model: each followed by its random networks; the control last."""
    for model in heard:
        node = node_name(model.name)
        yield node, "encoder", "", model
        randomised = getattr(model, "randomised", None)
        if randomised is not None:
            for i, random in enumerate(drawn_anew(model, randomised, settings.seed, settings.baselines)):
                yield f"{node}.random{i}", "baseline", node, random
    control = PlantedLatents()
    if settings.control and all(model.name != control.name for model in heard):
        yield node_name(control.name), "control", "", control


def _real(heard: Sequence[LatentModel], settings: Settings) -> dict[int, Material | None]:
    """Read real melodies once for each length, which may be refused, before anything is written."""
    found: dict[int, Material | None] = {}
    for model in (*heard, *([PlantedLatents()] if settings.control else [])):
        if model.steps not in found:
            seed = _seeds(settings)[2]
            found[model.steps] = real_material(model, settings.samples, settings.melodies, seed)
    return found


def _materials(
    model: LatentModel, real: Material | None, settings: Settings, progress: Progress
) -> list[Material]:
    """Gather what a model is asked about."""
    seeds = _seeds(settings)
    own = prior_material(model, settings.samples, seeds[0], progress)
    found = [own, random_material(model, settings.samples, seeds[1]), real]
    return [material for material in found if material is not None]


def _seeds(settings: Settings) -> list[int]:
    """Return a seed for each kind of material."""
    return np.random.SeedSequence(settings.seed).generate_state(3).tolist()
