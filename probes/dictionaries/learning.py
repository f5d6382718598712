"""The dictionaries of an encoder: given, bundled, or learnt on the spot; and what their features do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from importlib.resources import as_file, files
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ...encoders.abilities import BASELINE_KINDS
from ...encoders.base import Encoder, check_stages
from ...encoders.musicgen.model import MusicGen
from ...encoders.musicgen.planted import planted_dictionary_arrays
from ...encoders.musicgen.planted_codec import FACTORS
from ...synth.errors import InputError
from ..engine.session import Session
from .dictionary import Dictionary, Origin, check_fits
from .files import read_dictionary
from .firing import Firing, Key, Moments, firings, learning_rows
from .material import Clips, labelled_clips, learning_clips, responses
from .training import DictionaryRecipe, train_on

TRAINED, FROZEN = "trained", "frozen decoder"
PLANTED = "control:planted_stream"
_BATCH, _EPOCHS, _RATE = 1024, 3, 3e-3


@dataclass(frozen=True)
class Learning:
    """Which dictionaries are used, or how they are learnt.

    Parameters
    ----------
    dictionary : str
        Paths of dictionaries, apart by commas; those that are bundled, or learnt on the spot, without.
    corpus : str
        Folder of labelled audio; what comes with the encoder without.
    features, k : int > 0
        Of dictionaries that are learnt; those beside a given one are of its size.
    tokens : int > 0
        Frames to learn from.

    Raises
    ------
    InputError
        If a number is out of range.
    """

    dictionary: str = ""
    corpus: str = ""
    features: int = 1024
    k: int = 8
    tokens: int = 250_000

    def __post_init__(self) -> None:
        for name, least in (("features", 2), ("k", 1), ("tokens", 2 * _BATCH)):
            if getattr(self, name) < least:
                raise InputError(f"{name} {getattr(self, name)}: must be at least {least}")

    def given(self) -> list[Dictionary]:
        """Read the dictionaries that are given."""
        return [read_dictionary(path.strip()) for path in self.dictionary.split(",") if path.strip()]

    def recipe(self, like: Dictionary | None = None, frozen: bool = False) -> DictionaryRecipe:
        """Return how a dictionary is learnt: of the size of another, if there is one."""
        return DictionaryRecipe(
            features=self.features if like is None else like.features,
            k=self.k if like is None or not like.k else like.k,
            steps=max(1, _EPOCHS * self.tokens // _BATCH),
            batch_size=_BATCH,
            learning_rate=_RATE,
            dead_after=self.tokens // 4,
            frozen_decoder=frozen,
        )


@dataclass(frozen=True, eq=False)
class Learnt:
    """The dictionaries of an encoder and what their features do on labelled clips.

    Parameters
    ----------
    dictionaries : dict of (stage, variant) to Dictionary
    others : dict of str to Dictionary
        At each stage one more, learnt from another seed.
    frames : dict of str to int
        Frames that the dictionaries of a stage were learnt from here; 0 for none.
    clips : tuple of Clips
        That features are labelled on.
    firings : dict of (stage, variant) to Firing
    moments : dict of str to Moments
    """

    dictionaries: dict[Key, Dictionary]
    others: dict[str, Dictionary]
    frames: dict[str, int]
    clips: tuple[Clips, ...]
    firings: dict[Key, Firing]
    moments: dict[str, Moments]


def stages_of(encoder: Encoder, stages: Sequence[str] | None) -> list[str]:
    """Return the stages that dictionaries are of: those given; a residual stream's, or the latent.

    Raises
    ------
    InputError
        If a stage is not there, or is one of codes, which are no vectors.
    """
    usual = encoder.layers if isinstance(encoder, MusicGen) else ("latent",)
    chosen = check_stages(encoder, usual if stages is None else stages)
    for stage in chosen:
        if not encoder.stages[stage].has_power:
            raise InputError(
                f"stage {stage!r}: gives codes, which are no vectors; a dictionary needs vectors"
            )
        if isinstance(encoder, MusicGen) and stage not in encoder.layers:
            encoder.layer(stage)  # says which there are
    return chosen


def stage_coordinates(encoder: Encoder, stages: Sequence[str]) -> dict[str, np.ndarray]:
    """Describe the stages that dictionaries are of: the coordinates along `stage`."""
    about = [encoder.stages[stage] for stage in stages]
    return {
        "stage": np.array(stages),
        "n_channels": np.array([one.channels for one in about]),
        "hop": np.array([one.hop for one in about]),
        "kind": np.array([one.kind for one in about]),
    }


def variants_of(encoder: Encoder) -> tuple[str, ...]:
    """Return which dictionaries an encoder has: beside its own one whose decoder is frozen.

    A baseline has its own only: it stands beside the encoder itself.
    """
    return (TRAINED,) if encoder.weights.source in BASELINE_KINDS else (TRAINED, FROZEN)


def learnt(session: Session[Encoder], learning: Learning, variants: tuple[str, ...] = (TRAINED,)) -> Learnt:
    """Find or learn the dictionaries of a session's encoder, and follow them over the labelled clips.

    Parameters
    ----------
    session : Session
        At the stages that dictionaries are of.
    learning : Learning
    variants : tuple of str
        With `FROZEN` the dictionaries beside the trained ones are learnt too, one of another seed among
        them. Of `TRAINED` alone nothing is learnt where one is given or bundled.
    """
    encoder = session.encoder
    stages = stages_of(encoder, session.stages)
    given = {stage: _given(encoder, stage, learning) for stage in stages}
    like = {stage: _like(encoder, stage, learning) for stage in stages}
    missing = [stage for stage in stages if given[stage] is None or FROZEN in variants]
    rows = _rows(session, missing, learning) if missing else {}
    dictionaries: dict[Key, Dictionary] = {}
    others: dict[str, Dictionary] = {}
    with session.progress.task(f"{encoder.name}: dictionaries", len(stages)) as advance:
        for stage in stages:
            own = given[stage]
            origin = Origin(encoder.name, stage, encoder.weights.sha256)
            if own is None:
                own = _learn(rows[stage], learning.recipe(like[stage]), session.seed, origin)
            dictionaries[stage, TRAINED] = own
            if FROZEN in variants:
                frozen = learning.recipe(own, frozen=True)
                dictionaries[stage, FROZEN] = _learn(rows[stage], frozen, session.seed, origin)
                others[stage] = _learn(rows[stage], learning.recipe(own), session.seed + 1, origin)
            advance(1)
    clips = labelled_clips(encoder, learning.corpus or None)
    fired, moments = firings(encoder, clips, dictionaries, session.progress)
    frames = {stage: len(rows.get(stage, ())) for stage in stages}
    return Learnt(dictionaries, others, frames, clips, fired, moments)


def _rows(session: Session[Encoder], stages: Sequence[str], learning: Learning) -> dict[str, Tensor]:
    clips = learning_clips(session.encoder, learning.corpus or None, session.seed)
    return learning_rows(session.encoder, clips, stages, learning.tokens, session.progress)


def _learn(rows: Tensor, recipe: DictionaryRecipe, seed: int, origin: Origin) -> Dictionary:
    note = f"{recipe.steps} steps of {recipe.batch_size} from {len(rows)} frames, seed {seed}"
    return replace(train_on(rows, recipe, seed), origin=replace(origin, note=note))


def dictionary_of(encoder: Encoder, stage: str, learning: Learning) -> Dictionary:
    """Return the dictionary of an encoder at a stage that is given or bundled.

    Raises
    ------
    InputError
        If there is none.
    """
    found = _given(encoder, stage, learning)
    if found is None:
        raise InputError(
            f"{encoder.name}: no dictionary of {stage} is given or bundled; `tonotopy sae train` makes one"
        )
    return found


def _given(encoder: Encoder, stage: str, learning: Learning) -> Dictionary | None:
    """Return the dictionary that is given or bundled for a stage; None where one is to be learnt."""
    if encoder.weights.source in BASELINE_KINDS:
        return None
    width, sha256 = encoder.stages[stage].channels, encoder.weights.sha256
    several = learning.given()
    for one in several:
        if one.origin.stage in ("", stage):
            check_fits(one, encoder.name, stage, width, sha256)
            return one
    if several:
        there = ", ".join(one.origin.stage for one in several)
        raise InputError(f"dictionary of {there}: none is given for {stage}; choose stages that have one")
    return bundled(encoder.name, stage, sha256)


def _like(encoder: Encoder, stage: str, learning: Learning) -> Dictionary | None:
    """Return the dictionary whose size a baseline's is to have: that of the network it is a baseline of."""
    if encoder.weights.source not in BASELINE_KINDS:
        return None
    own = next((one for one in learning.given() if one.origin.stage in ("", stage)), None)
    return own or bundled(encoder.name, stage)


def bundled(model: str, stage: str, weights_sha256: str = "") -> Dictionary | None:
    """Return the dictionary that comes with the library for a stage of a model, of these weights, if any.

    Of any weights, where they are not given. Of the control it is the one that reads and writes what is
    planted.
    """
    if model == PLANTED:
        encoder, bias, decoder = planted_dictionary_arrays()
        origin = Origin(model, stage, weights_sha256, "as planted")
        k = len(FACTORS)
        return Dictionary(encoder, bias, decoder, torch.zeros(decoder.shape[1]), k, "topk", origin=origin)
    resource = files("tonotopy.probes.dictionaries.zoo") / f"{model}_{stage}.safetensors"
    if not resource.is_file():
        return None
    with as_file(resource) as path:
        found = read_dictionary(Path(path))
    return found if weights_sha256 in ("", found.origin.weights_sha256) else None


def sparse_rows(dictionary: Dictionary, activations: Tensor) -> Tensor:
    """Return the features of activations [B, C, F], as [B, M, F]."""
    rows = activations.transpose(1, 2)
    features = dictionary.encode(rows.flatten(0, 1).float())
    return features.unflatten(0, rows.shape[:2]).transpose(1, 2).contiguous()


def firing_over_time(
    encoder: Encoder, clips: Clips, clip: int, stage: str, dictionary: Dictionary, feature: int
) -> Tensor:
    """Return a feature over the frames of a clip, float32 [F]."""
    found = responses(encoder, clips.inputs[clip : clip + 1], [stage])[stage]
    return sparse_rows(dictionary, found)[0, feature]
