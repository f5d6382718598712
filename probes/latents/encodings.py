"""Melodies that a model is measured with, drawn and encoded once for all measures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ...encoders.musicvae.base import LatentModel
from ...encoders.musicvae.posterior import Encoded, encode
from ...synth.errors import InputError
from ...synth.melodies import STEPS_PER_BAR, whole_number
from ..engine.session import Session
from . import active
from .materials import PRIOR, Material, prior_material, random_material, real_material

SAMPLES, PERMUTATIONS, BINS, TRAVERSED, THRESHOLD = 20_000, 199, 10, 8, active.SIGMA_THRESHOLD


@dataclass(frozen=True)
class Encodings:
    """Melodies by kind, the model's own first, and what the model makes of them."""

    materials: Mapping[str, Material]
    encoded: Mapping[str, Encoded]

    @property
    def own(self) -> Encoded:
        """What the model makes of its own samples."""
        return self.encoded[PRIOR]

    @property
    def order(self) -> np.ndarray:
        """Dimensions by the variance of mu over the model's own samples, most relevant first, [D]."""
        return self.own.posterior.order

    def is_active(self, threshold: float) -> np.ndarray:
        """Which dimensions are active, by mean sigma over the model's own samples, bool [D]."""
        return active.chosen(self.own.posterior, threshold)[0]


def encodings(session: Session[LatentModel], samples: int, melodies: str | None) -> Encodings:
    """Draw melodies from the model's prior and at random, take real ones, and encode all."""
    model, seeds = session.encoder, np.random.SeedSequence(session.seed).generate_state(3).tolist()
    found = [
        prior_material(model, samples, seeds[0], session.progress),
        random_material(model, samples, seeds[1]),
        real_melodies(session, samples, melodies),
    ]
    materials = {material.name: material for material in found if material is not None}
    total = sum(len(material.rolls) for material in materials.values())
    with session.progress.task(f"{model.name}: melodies encoded", total) as advance:
        encoded = {name: encode(model, m.rolls, advance) for name, m in materials.items()}
    return Encodings(materials, encoded)


def real_melodies(session: Session[LatentModel], samples: int, melodies: str | None) -> Material | None:
    """Take real melodies of the model's length, read once for all models of a run."""
    seed = np.random.SeedSequence(session.seed).generate_state(3).tolist()[2]
    return session.shared(real_material, session.encoder.steps // STEPS_PER_BAR, samples, melodies, seed)


def refuses(
    session: Session[LatentModel],
    samples: int = SAMPLES,
    melodies: str | None = None,
    threshold: float = THRESHOLD,
    permutations: int = PERMUTATIONS,
    bins: int = BINS,
    traversed: int = TRAVERSED,
) -> None:
    """Raise before anything is drawn: for numbers out of range, no melodies, and half a model."""
    numbers = (("samples", samples, 1), ("permutations", permutations, 1), ("bins", bins, 2),
               ("traversed", traversed, 1))  # fmt: skip
    for name, value, least in numbers:
        whole_number(name, value, least)
    if not 0 < threshold < 1:
        raise InputError(f"threshold {threshold:g}: must lie between 0 and 1")
    model = session.encoder
    if model.steps < 1 or model.steps % STEPS_PER_BAR:
        raise InputError(
            f"{model.name}: melodies of {model.steps} steps; must be whole bars of {STEPS_PER_BAR}"
        )
    session.once(_tried)
    real_melodies(session, samples, melodies)


def _tried(session: Session[LatentModel]) -> Encoded:
    """Decode and encode one melody."""
    model = session.encoder
    return encode(model, model.decode(np.zeros((1, model.latent_dimensions), np.float32)))
