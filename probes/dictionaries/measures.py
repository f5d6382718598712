"""What a dictionary is worth: how sparse and how faithful, and how many features survive."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
import xarray as xr
from torch import Tensor

from ...encoders.base import Encoder
from ...encoders.musicgen.model import Edit, MusicGen
from ..engine.schema import dataset
from ..engine.session import Session
from .dictionary import Dictionary
from .firing import Firing
from .labels.choosing import parsed
from .learning import TRAINED, Learning, Learnt, learnt, stage_coordinates, stages_of, variants_of
from .material import AT_ONCE
from .numbers import FATES, funnel, matching_across_seeds, recovered
from .variables import VARIABLES

RANKS = (1, 2, 4, 8, 16, 32, 64, 128)
ABLATIONS = ("zero", "mean")
DEFINITIONS = ("frames", "clips")
_JUDGED_CLIPS = 32  # whose codes are predicted with changed activations


def refuses(session: Session[Encoder], **settings: object) -> str | None:
    """Say why dictionaries have nothing to ask of an encoder, or return None; raise for bad settings."""
    learning = Learning(**{k: v for k, v in settings.items() if k in Learning.__dataclass_fields__})  # type: ignore[arg-type]
    encoder = session.encoder
    parsed(str(settings.get("labelers", "")))
    if not learning.corpus and not (isinstance(encoder, MusicGen) and encoder.known_clips is not None):
        return f"no labelled clips come with {encoder.name}, and no corpus is given"
    if session.stages is None and not isinstance(encoder, MusicGen) and "latent" not in encoder.stages:
        return f"{encoder.name} has no latent, and no other stage is named"
    stages_of(encoder, session.stages)
    return None


def dictionaries(
    session: Session[Encoder],
    *,
    dictionary: str = "",
    corpus: str = "",
    features: int = 1024,
    k: int = 8,
    tokens: int = 250_000,
) -> xr.Dataset:
    """Measure the dictionaries of an encoder's stages.

    Parameters
    ----------
    session : Session
        At the layers of a residual stream by default, or at the latent.
    dictionary, corpus, features, k, tokens
        As of `Learning`.

    Returns
    -------
    xarray.Dataset
        Variables in `VARIABLES`; dims `stage`, `variant` (the dictionary, and one whose decoder stays
        random).

    Raises
    ------
    InputError
        If a setting is out of range, or a dictionary is of something else.

    Notes
    -----
    Explained variance is about each channel's own mean, and beside that of principal components. Recovered
    cross-entropy is ``(ablated - with) / (ablated - base)``; where nothing is lost by the ablation it is
    undefined. The funnel drops features that are never active, that are active on less than a hundredth and
    on more than a quarter (Singh et al., arXiv 2505.18186), of all frames or of all clips.
    """
    learning = Learning(dictionary, corpus, features, k, tokens)
    stages = stages_of(session.encoder, session.stages)
    variants = variants_of(session.encoder)
    found = session.at(stages).once(learnt, learning, variants)
    encoder = session.encoder
    each = [_of_stage(encoder, stage, found) for stage in stages]
    names = dict.fromkeys(name for one in each for name in one)
    stacked = {name: np.stack([one[name] for one in each]) for name in names}
    about = {
        **stage_coordinates(encoder, stages),
        "variant": np.array(variants),
        "feature": np.arange(max(one.features for one in found.dictionaries.values())),
        "rank": np.array(RANKS),
        "ablation": np.array(ABLATIONS),
        "definition": np.array(DEFINITIONS),
        "fate": np.array(FATES),
    }
    clips = "; ".join(part.about for part in found.clips)
    note = "; ".join(f"{stage}: {found.dictionaries[stage, TRAINED].origin.note}" for stage in stages)
    return dataset(VARIABLES["dictionaries"], {**about, **stacked}, {"clips": clips, "dictionaries": note})


def _of_stage(encoder: Encoder, stage: str, found: Learnt) -> dict[str, np.ndarray]:
    variants = variants_of(encoder)
    own = {variant: found.dictionaries[stage, variant] for variant in variants}
    fired = {variant: found.firings[stage, variant] for variant in variants}
    widest = max(one.features for one in found.dictionaries.values())
    values: dict[str, object] = {
        "n_features": own[TRAINED].features,
        "k": own[TRAINED].k,
        "n_learnt_from": found.frames[stage],
        "n_frames": int(fired[TRAINED].frames.sum()),
        "l0": [fired[v].l0 for v in variants],
        "explained_variance": [fired[v].explained_variance for v in variants],
        "components_variance": found.moments[stage].components_variance(RANKS),
        "unused_share": [float((fired[v].active.sum(0) == 0).mean()) for v in variants],
        "seeds_cosine": (
            matching_across_seeds(own[TRAINED], found.others[stage]) if stage in found.others else np.nan
        ),
        "random_cosine": _random_cosine(own[TRAINED]),
        "funnel": np.stack([_funnels(fired[v]) for v in variants]),
        "token_rate": np.stack([_padded(fired[v].token_rate, widest) for v in variants]),
        "clip_rate": np.stack([_padded(fired[v].clip_rate, widest) for v in variants]),
    }
    if isinstance(encoder, MusicGen):
        values |= _cross_entropies(encoder, stage, found)
    return {name: np.asarray(value) for name, value in values.items()}


def _padded(values: np.ndarray, length: int) -> np.ndarray:
    return np.pad(values.astype(float), (0, length - len(values)), constant_values=np.nan)


def _funnels(fired: Firing) -> np.ndarray:
    """Return counts, int [definitions, fates]: by the share of frames, and by that of clips."""
    return np.stack([funnel(fired.token_rate), funnel(fired.clip_rate)])


def _random_cosine(dictionary: Dictionary) -> float:
    """Return what `matching_across_seeds` gives of random directions in place of the features."""
    drawn = [
        torch.nn.functional.normalize(
            torch.randn(dictionary.decoder.shape, generator=torch.Generator().manual_seed(seed)), dim=1
        )
        for seed in range(2)
    ]
    return matching_across_seeds(*drawn)


def _cross_entropies(encoder: MusicGen, stage: str, found: Learnt) -> dict[str, object]:
    """Return the cross-entropy of held-out codes as they are, reconstructed at a stage, and ablated there."""
    clips = found.clips[0]
    rows = np.random.default_rng(0).permutation(len(clips))[:_JUDGED_CLIPS]
    codes = clips.inputs[torch.from_numpy(rows)]

    def nats(change: Callable[[Tensor], Tensor] | None) -> float:
        edit = None if change is None else Edit(stage, change)
        losses = [encoder.token_losses(some, edit=edit) for some in codes.split(AT_ONCE)]
        return float(torch.cat(losses).double().mean())

    mean = found.moments[stage].mean
    base = nats(None)
    ablated = [nats(torch.zeros_like), nats(lambda stream: mean.to(stream).expand_as(stream))]
    own = [nats(_reconstructing(found.dictionaries[stage, variant])) for variant in variants_of(encoder)]
    return {
        "cross_entropy": base,
        "cross_entropy_with": own,
        "cross_entropy_ablated": ablated,
        "recovered": [[recovered(base, one, without) for without in ablated] for one in own],
    }


def _reconstructing(dictionary: Dictionary) -> Callable[[Tensor], Tensor]:
    def change(stream: Tensor) -> Tensor:
        return dictionary.reconstruct(stream.flatten(0, 1)).to(stream).view_as(stream)

    return change
