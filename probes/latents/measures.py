"""What is measured of a melody model's latents, from melodies that are drawn and encoded once."""

from __future__ import annotations

import numpy as np
import xarray as xr

from ...encoders.musicvae.base import LatentModel
from ..engine.schema import dataset
from ..engine.session import Session
from ..features import Features
from ..statistics.finite import finite_mean, finite_mean_by
from ..statistics.resampling import bootstrap_interval
from . import active, excitation, feature_set, reconstruction, traversals
from .correlation import FAINT, GROUPS, Correlation, correlate
from .encodings import BINS, PERMUTATIONS, SAMPLES, THRESHOLD, TRAVERSED, encodings
from .materials import MELODIES, PRIOR
from .variables import VARIABLES

MOST_RECONSTRUCTED, BASES = 1024, 128
MOST_CORRELATED = 64  # that are correlated with features


def latents(
    session: Session[LatentModel],
    *,
    samples: int = SAMPLES,
    melodies: str | None = None,
    threshold: float = THRESHOLD,
) -> xr.Dataset:
    """Measure every dimension: sigma, variance of mu, divergence; count the active ones.

    Parameters
    ----------
    session : Session
        Of a melody model.
    samples : int >= 1
        Melodies drawn from the model's prior, as many random-note sequences, and at most as many real ones.
    melodies : str, optional
        A folder of MIDI files to take real melodies from; those that come with the library if left out.
    threshold : float in (0, 1)
        An active latent's mean sigma is below 1 less this.

    Returns
    -------
    latents : xarray.Dataset
        See `latents.variables`, "latents".

    Raises
    ------
    InputError
        If a number is out of range, or no melody can be had.
    """
    known = session.once(encodings, samples, melodies)
    posteriors = [one.posterior for one in known.encoded.values()]
    sets = active.chosen(posteriors[0], threshold)
    fields = ("mean_mu", "variance_mu", "mean_sigma", "mean_variance", "divergence", "total_variance")
    return dataset(
        VARIABLES["latents"],
        {
            **{name: np.array([getattr(p, name) for p in posteriors]) for name in fields},
            "material": np.array(list(known.encoded)),
            "dimension": np.arange(session.encoder.latent_dimensions),
            "criterion": np.array(active.CRITERIA),
            "other_criterion": np.array(active.CRITERIA),
            "threshold": active.THRESHOLDS,
            "n_melodies": np.array([p.count for p in posteriors]),
            "relevance": np.argsort(known.order) + 1,
            "is_active": sets,
            "count": np.array([active.counts(p) for p in posteriors]),
            "agreement": active.agreement(sets),
        },
        {
            "sigma_threshold": threshold,
            "variance_threshold": active.VARIANCE_THRESHOLD,
            "divergence_threshold": active.DIVERGENCE_THRESHOLD,
            "materials": "; ".join(m.about for m in known.materials.values()),
        },
    )


def reconstructions(
    session: Session[LatentModel],
    *,
    samples: int = SAMPLES,
    melodies: str | None = None,
    threshold: float = THRESHOLD,
) -> xr.Dataset:
    """Measure accuracy over the number of dimensions kept, of real melodies if there are any.

    Parameters and what is raised are those of `latents`; see `latents.variables`, "reconstruction".
    """
    known = session.once(encodings, samples, melodies)
    active = int(known.is_active(threshold).sum())
    name = MELODIES if MELODIES in known.materials else PRIOR
    rolls = known.materials[name].rolls[:MOST_RECONSTRUCTED]
    pieces = known.materials[name].pieces[:MOST_RECONSTRUCTED]
    kept = reconstruction.ladder(session.encoder.latent_dimensions, active)
    steps = len(reconstruction.ORDERS) * len(kept)
    mu = np.asarray(known.encoded[name].mu[:MOST_RECONSTRUCTED])
    with session.progress.task(f"{session.encoder.name}: dimensions zeroed", steps) as advance:
        curve = reconstruction.kept_curve(
            session.encoder, rolls, mu, known.order, kept, session.seed, advance
        )
    accuracy = finite_mean_by(curve.accuracy, pieces)  # [order, K, measure, pieces]
    loss = accuracy[:1, -1:] - accuracy
    found = {}
    for what, values in (("accuracy", accuracy), ("loss", loss)):
        intervals = np.apply_along_axis(_interval, -1, values, session.seed)
        found[f"{what}_low"], found[f"{what}_high"] = intervals[..., 0], intervals[..., 1]
    return dataset(
        VARIABLES["reconstruction"],
        {
            **found,
            "order": np.array(reconstruction.ORDERS),
            "kept": kept,
            "measure": np.array(reconstruction.MEASURES),
            "accuracy": finite_mean(accuracy),
            "loss_to_all": finite_mean(loss),
        },
        {
            "material": name,
            "n_melodies": len(rolls),
            "n_pieces": accuracy.shape[-1],
            "active_latents": active,
        },
    )


def activation(
    session: Session[LatentModel],
    *,
    samples: int = SAMPLES,
    melodies: str | None = None,
    threshold: float = THRESHOLD,
) -> xr.Dataset:
    """Count, melody by melody, the active latents and the others that it excites.

    Parameters and what is raised are those of `latents`; see `latents.variables`, "activation".
    """
    known = session.once(encodings, samples, melodies)
    is_active = known.is_active(threshold)
    found = {name: [] for name in ("active", "active_low", "active_high", "active_rest")}
    for name, one in known.encoded.items():
        active, rest = (
            finite_mean_by(excitation.active_counts(one.mu, which).T, known.materials[name].pieces)
            for which in (is_active, ~is_active)
        )
        mean, half = active.mean(1), excitation.half_width(active)
        for key, values in zip(found, (mean, mean - half, mean + half, rest.mean(1)), strict=True):
            found[key].append(values)
    return dataset(
        VARIABLES["activation"],
        {
            **{name: np.array(values) for name, values in found.items()},
            "material": np.array(list(known.encoded)),
            "activity": excitation.THRESHOLDS,
            "information": np.array([e.posterior.divergence.sum() for e in known.encoded.values()]),
        },
        {"active_latents": int(is_active.sum())},
    )


def correlation(
    session: Session[LatentModel],
    samples: int,
    melodies: str | None,
    threshold: float,
    permutations: int,
    bins: int,
    traversed: int,
) -> Correlation:
    """Correlate with features what all criteria call active latents, or as many as are moved.

    An untrained network has a sigma below 1 everywhere, and nothing else of an active latent.
    """
    known, model = session.once(encodings, samples, melodies), session.encoder
    agreed = active.chosen(known.own.posterior, threshold).all(0).sum()
    count = min(max(int(agreed), traversed), MOST_CORRELATED, model.latent_dimensions)
    with session.progress.task(f"{model.name}: features computed", len(known.own.rolls)) as advance:
        values = feature_set.values(known.own.rolls, advance)
    about = feature_set.labels()
    return correlate(
        known.own.mu[:, known.order[:count]],
        values,
        about.names,
        about.groups,
        bins=bins,
        permutations=permutations,
        seed=session.seed,
    )


def features(
    session: Session[LatentModel],
    *,
    samples: int = SAMPLES,
    melodies: str | None = None,
    threshold: float = THRESHOLD,
    permutations: int = PERMUTATIONS,
    bins: int = BINS,
    traversed: int = TRAVERSED,
) -> xr.Dataset:
    """Measure phik of the most relevant dimensions with features, and melody beyond rhythm.

    Parameters
    ----------
    session, samples, melodies, threshold
        As in `latents`.
    permutations : int >= 1
        Deals of every null; fewer than 19 cannot reach a p of 0.05.
    bins : int, 2 to 254
        Of phik: equally filled for latents, equally wide for features.
    traversed : int >= 1
        How many dimensions are moved by `traversal`, the most relevant first; at most 64.

    Returns
    -------
    features : xarray.Dataset
        See `latents.variables`, "features".
    """
    known = session.once(encodings, samples, melodies)
    found = session.once(correlation, samples, melodies, threshold, permutations, bins, traversed)
    about, count = feature_set.labels(), len(found.phik)
    same = ("phik", "p", "p_corrected", "group_correlation", "explained")
    conditional = ("conditional_phik", "conditional_p", "conditional_p_corrected")
    return dataset(
        VARIABLES["features"],
        {
            **_feature_coordinates(about),
            **{name: getattr(found, name) for name in (*same, *conditional)},
            "rank": np.arange(1, count + 1),
            "latent_dimension": known.order[:count],
            "group": np.array(GROUPS),
            "other_group": np.array(GROUPS),
            "answers": np.array(found.answers),
            "melody": np.array(found.melody),
        },
        {
            "constant": "; ".join(found.constant),
            "bins": bins,
            "permutations": permutations,
            "n_melodies": len(known.own.rolls),
        },
    )


def traversal(
    session: Session[LatentModel],
    *,
    samples: int = SAMPLES,
    melodies: str | None = None,
    threshold: float = THRESHOLD,
    permutations: int = PERMUTATIONS,
    bins: int = BINS,
    traversed: int = TRAVERSED,
) -> xr.Dataset:
    """Move the most relevant dimensions and, as a control, the least relevant one.

    Parameters and what is raised are those of `features`; see `latents.variables`, "traversals".
    """
    known, model = session.once(encodings, samples, melodies), session.encoder
    count = max(1, min(traversed, MOST_CORRELATED, model.latent_dimensions - 1))
    dimensions = np.append(known.order[:count], known.order[count:][-1:])  # of one, none is unused
    bases = np.asarray(known.own.mu[:BASES])
    with session.progress.task(f"{model.name}: dimensions moved", len(dimensions)) as advance:
        moved = traversals.traverse(
            model,
            bases,
            dimensions,
            feature_set.values,
            permutations=permutations,
            seed=session.seed,
            advance=advance,
        )
    about = feature_set.labels()
    correlated = session.once(correlation, samples, melodies, threshold, permutations, bins, traversed)
    claimed, verdict = _verdicts(correlated, moved, count, about)
    return dataset(
        VARIABLES["traversals"],
        {
            **_feature_coordinates(about),
            "rank": np.append(np.arange(count) + 1, model.latent_dimensions)[: len(dimensions)],
            "latent_dimension": dimensions,
            "group": np.array(GROUPS),
            "dose": traversals.DOSES,
            "step": np.arange(model.steps),
            "concordance": moved.concordance,
            "direction": moved.direction,
            "p": moved.p,
            "p_corrected": moved.p_corrected,
            "response": moved.response,
            "changed": moved.changed,
            "example": moved.examples,
            "is_unused": np.arange(len(dimensions)) == count,
            "claimed_feature": claimed,
            "verdict": verdict,
        },
        {"n_melodies": len(bases)},
    )


def _verdicts(
    correlated: Correlation, moved: traversals.Traversal, count: int, about: Features
) -> tuple[np.ndarray, np.ndarray]:
    """Per moved dimension and group, the feature it correlates with most, and whether that moves."""
    claimed = np.full((len(moved.p), len(GROUPS)), "", object)
    verdicts = np.full_like(claimed, "")
    for rank in range(count):  # the unused one claims nothing
        for g in range(len(GROUPS)):
            best = correlated.best[rank, g]
            if best >= 0:
                claimed[rank, g] = about.names[best]
                faint = correlated.phik[rank, best] < FAINT  # no relation to confirm or contradict
                p = 1.0 if faint else correlated.p_corrected[rank, best], moved.p_corrected[rank, best]
                verdicts[rank, g] = traversals.verdict(*map(float, p))
    return claimed.astype(str), verdicts.astype(str)


def _interval(values: np.ndarray, seed: int) -> tuple[float, float]:
    known = values[np.isfinite(values)]
    return bootstrap_interval(known if len(known) > 1 else [], seed)  # one has no spread


def _feature_coordinates(about: Features) -> dict[str, np.ndarray]:
    return {
        "feature": np.array(about.names),
        "feature_group": np.array(about.groups),
        "feature_id": np.array(about.ids),
    }
