"""The measures of one model, each computed when it is asked for, from melodies encoded once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import xarray as xr

from ...encoders.musicvae.base import LatentModel
from ...encoders.musicvae.posterior import Encoded, encode
from ...synth.errors import InputError
from ...synth.melodies import whole_number
from ..features import Features
from ..progress import Progress
from ..schema import dataset
from ..statistics import bootstrap_interval
from . import activation, asked, neurons, reconstruction, traversals
from .correlation import FAINT, GROUPS, Correlation, correlate
from .materials import MELODIES, PRIOR, Material

MOST_RECONSTRUCTED, BASES = 1024, 128
MOST_NEURONS = 64  # that are correlated with features


@dataclass(frozen=True)
class Settings:
    """What is asked of a model of melodies.

    Parameters
    ----------
    samples : int >= 1
        Melodies drawn from the model's prior, as many random-note sequences, and at most as many real ones.
    melodies : str, optional
        A folder of MIDI files to take real melodies from; those that come with the library if left out.
    threshold : float in (0, 1)
        A music neuron's mean sigma is below 1 less this.
    permutations : int >= 1
        Deals of every null; fewer than 19 cannot reach a p of 0.05.
    bins : int, 2 to 254
        Of phik: equally filled for latents, equally wide for features.
    traversed : int >= 1
        How many dimensions are moved, the most relevant first; at most 64.
    baselines : int >= 0
        Randomly initialised networks beside each model.
    control : bool
        Whether the control is asked too.
    seed : int >= 0

    Raises
    ------
    InputError
        If a number is out of range.
    """

    samples: int = 20_000
    melodies: str | None = None
    threshold: float = neurons.SIGMA_THRESHOLD
    permutations: int = 199
    bins: int = 10
    traversed: int = 8
    baselines: int = 1
    control: bool = True
    seed: int = 0

    def __post_init__(self) -> None:
        for name, least in (
            ("samples", 1), ("permutations", 1), ("bins", 2), ("traversed", 1), ("baselines", 0), ("seed", 0)
        ):  # fmt: skip
            whole_number(name, getattr(self, name), least)
        if not 0 < self.threshold < 1:
            raise InputError(f"threshold {self.threshold:g}: must lie between 0 and 1")


class Listening:
    """A model and the melodies it is asked about, encoded when a measure first needs them.

    Parameters
    ----------
    model : LatentModel
    gather : callable
        Given a progress, returns the materials, the model's own first.
    settings : Settings
    progress : Progress
    """

    def __init__(
        self,
        model: LatentModel,
        gather: Callable[[Progress], Sequence[Material]],
        settings: Settings,
        progress: Progress,
    ) -> None:
        self.model, self._gather, self._settings, self._progress = model, gather, settings, progress

    @cached_property
    def materials(self) -> dict[str, Material]:
        """Materials by name."""
        return {material.name: material for material in self._gather(self._progress)}

    @cached_property
    def encoded(self) -> dict[str, Encoded]:
        """What the model makes of each material."""
        total = sum(len(material.rolls) for material in self.materials.values())
        with self._progress.task(f"{self.model.name}: melodies encoded", total) as advance:
            return {name: encode(self.model, m.rolls, advance) for name, m in self.materials.items()}

    @property
    def order(self) -> np.ndarray:
        """Dimensions by the variance of mu over the model's own samples, most relevant first, [D]."""
        return self.encoded[PRIOR].posterior.order

    @property
    def is_music(self) -> np.ndarray:
        """Which dimensions are music neurons, by mean sigma over the model's own samples, bool [D]."""
        return neurons.chosen(self.encoded[PRIOR].posterior, self._settings.threshold)[0]

    def latents(self) -> xr.Dataset:
        """Measure every dimension: sigma, variance of mu, divergence; count the music neurons."""
        posteriors = [one.posterior for one in self.encoded.values()]
        sets = neurons.chosen(posteriors[0], self._settings.threshold)
        fields = ("mean_mu", "variance_mu", "mean_sigma", "mean_variance", "divergence", "total_variance")
        found = {name: np.array([getattr(p, name) for p in posteriors]) for name in fields}
        return dataset(
            "latents",
            {
                **found,
                "material": np.array(list(self.encoded)),
                "dimension": np.arange(self.model.latent_dimensions),
                "criterion": np.array(neurons.CRITERIA),
                "other_criterion": np.array(neurons.CRITERIA),
                "threshold": neurons.THRESHOLDS,
                "n_melodies": np.array([p.count for p in posteriors]),
                "relevance": np.argsort(self.order) + 1,
                "is_music": sets,
                "count": np.array([neurons.counts(p) for p in posteriors]),
                "agreement": neurons.agreement(sets),
            },
            {
                "sigma_threshold": self._settings.threshold,
                "variance_threshold": neurons.VARIANCE_THRESHOLD,
                "divergence_threshold": neurons.DIVERGENCE_THRESHOLD,
                "materials": "; ".join(m.about for m in self.materials.values()),
            },
        )

    def reconstruction(self) -> xr.Dataset:
        """Measure accuracy over the number of dimensions kept, of real melodies if there are any."""
        name = MELODIES if MELODIES in self.materials else PRIOR
        rolls = self.materials[name].rolls[:MOST_RECONSTRUCTED]
        pieces = self.materials[name].pieces[:MOST_RECONSTRUCTED]
        kept = reconstruction.ladder(self.model.latent_dimensions, int(self.is_music.sum()))
        steps = len(reconstruction.ORDERS) * len(kept)
        mu = np.asarray(self.encoded[name].mu[:MOST_RECONSTRUCTED])
        with self._progress.task(f"{self.model.name}: dimensions zeroed", steps) as advance:
            curve = reconstruction.kept_curve(
                self.model, rolls, mu, self.order, kept, self._settings.seed, advance
            )
        accuracy = _by_piece(curve.accuracy, pieces)  # [order, K, measure, pieces]
        loss = accuracy[:1, -1:] - accuracy
        found = {}
        for what, values in (("accuracy", accuracy), ("loss", loss)):
            intervals = np.apply_along_axis(self._interval, -1, values)
            found[f"{what}_low"], found[f"{what}_high"] = intervals[..., 0], intervals[..., 1]
        return dataset(
            "reconstruction",
            {
                **found,
                "order": np.array(reconstruction.ORDERS),
                "kept": kept,
                "measure": np.array(reconstruction.MEASURES),
                "accuracy": _mean_of_known(accuracy),
                "loss_to_all": _mean_of_known(loss),
            },
            {
                "material": name,
                "n_melodies": len(rolls),
                "n_pieces": accuracy.shape[-1],
                "music_neurons": int(self.is_music.sum()),
            },
        )

    def activation(self) -> xr.Dataset:
        """Count, melody by melody, the music neurons and the others that it excites."""
        found = {name: [] for name in ("active", "active_low", "active_high", "active_rest")}
        for name, one in self.encoded.items():
            music, rest = (
                _by_piece(activation.active_counts(one.mu, which).T, self.materials[name].pieces)
                for which in (self.is_music, ~self.is_music)
            )
            mean, half = music.mean(1), activation.half_width(music)
            for key, values in zip(found, (mean, mean - half, mean + half, rest.mean(1)), strict=True):
                found[key].append(values)
        return dataset(
            "activation",
            {
                **{name: np.array(values) for name, values in found.items()},
                "material": np.array(list(self.encoded)),
                "activity": activation.THRESHOLDS,
                "information": np.array([e.posterior.divergence.sum() for e in self.encoded.values()]),
            },
            {"music_neurons": int(self.is_music.sum())},
        )

    @cached_property
    def correlation(self) -> Correlation:
        """Phik with features: of what all criteria call music neurons, or of as many as are moved.

        An untrained network has a sigma below 1 everywhere, and nothing else of a music neuron.
        """
        samples = self.encoded[PRIOR]
        agreed = neurons.chosen(samples.posterior, self._settings.threshold).all(0).sum()
        count = min(max(int(agreed), self._settings.traversed), MOST_NEURONS, self.model.latent_dimensions)
        with self._progress.task(f"{self.model.name}: features computed", len(samples.rolls)) as advance:
            told = asked.values(samples.rolls, advance)
        about = asked.labels()
        return correlate(
            samples.mu[:, self.order[:count]],
            told,
            about.names,
            about.groups,
            bins=self._settings.bins,
            permutations=self._settings.permutations,
            seed=self._settings.seed,
        )

    def features(self) -> xr.Dataset:
        """Measure phik of the most relevant dimensions with features, and melody beyond rhythm."""
        found, about = self.correlation, asked.labels()
        count = len(found.phik)
        same = ("phik", "p", "p_corrected", "group_correlation", "explained")
        conditional = ("conditional_phik", "conditional_p", "conditional_p_corrected")
        return dataset(
            "features",
            {
                **_feature_coordinates(about),
                **{name: getattr(found, name) for name in (*same, *conditional)},
                "neuron": np.arange(1, count + 1),
                "latent_dimension": self.order[:count],
                "group": np.array(GROUPS),
                "other_group": np.array(GROUPS),
                "answers": np.array(found.answers),
                "melody": np.array(found.melody),
            },
            {
                "constant": "; ".join(found.constant),
                "bins": self._settings.bins,
                "permutations": self._settings.permutations,
                "n_melodies": len(self.encoded[PRIOR].rolls),
            },
        )

    def traversals(self) -> xr.Dataset:
        """Move the most relevant dimensions and, as a control, the least relevant one."""
        count = max(1, min(self._settings.traversed, MOST_NEURONS, self.model.latent_dimensions - 1))
        dimensions = np.append(self.order[:count], self.order[count:][-1:])  # of one, none is unused
        bases = np.asarray(self.encoded[PRIOR].mu[:BASES])
        with self._progress.task(f"{self.model.name}: dimensions moved", len(dimensions)) as advance:
            moved = traversals.traverse(
                self.model,
                bases,
                dimensions,
                asked.values,
                permutations=self._settings.permutations,
                seed=self._settings.seed,
                advance=advance,
            )
        about = asked.labels()
        claimed, said = self._verdicts(moved, count, about)
        return dataset(
            "traversals",
            {
                **_feature_coordinates(about),
                "neuron": np.append(np.arange(count) + 1, self.model.latent_dimensions)[: len(dimensions)],
                "latent_dimension": dimensions,
                "group": np.array(GROUPS),
                "dose": traversals.DOSES,
                "step": np.arange(self.model.steps),
                "concordance": moved.concordance,
                "direction": moved.direction,
                "p": moved.p,
                "p_corrected": moved.p_corrected,
                "response": moved.response,
                "changed": moved.changed,
                "example": moved.examples,
                "is_unused": np.arange(len(dimensions)) == count,
                "claimed_feature": claimed,
                "verdict": said,
            },
            {"n_melodies": len(bases)},
        )

    def _verdicts(
        self, moved: traversals.Traversal, count: int, about: Features
    ) -> tuple[np.ndarray, np.ndarray]:
        """Per moved dimension and group, the feature it correlates with most, and whether that moves."""
        known = self.correlation
        claimed = np.full((len(moved.p), len(GROUPS)), "", object)
        said = np.full_like(claimed, "")
        for neuron in range(count):  # the unused one claims nothing
            for g in range(len(GROUPS)):
                best = known.best[neuron, g]
                if best >= 0:
                    claimed[neuron, g] = about.names[best]
                    faint = known.phik[neuron, best] < FAINT  # no relation to confirm or contradict
                    p = 1.0 if faint else known.p_corrected[neuron, best], moved.p_corrected[neuron, best]
                    said[neuron, g] = traversals.verdict(*map(float, p))
        return claimed.astype(str), said.astype(str)

    def _interval(self, values: np.ndarray) -> tuple[float, float]:
        known = values[np.isfinite(values)]
        return bootstrap_interval(known if len(known) > 1 else [], self._settings.seed)  # one has no spread


def _by_piece(values: np.ndarray, pieces: np.ndarray) -> np.ndarray:
    """Average the last axis, melodies, over those of one piece: [..., pieces]."""
    _, piece = np.unique(pieces, return_inverse=True)
    known = np.isfinite(values)
    flat = np.where(known, values, 0.0).reshape(-1, len(piece))
    sums = np.array([np.bincount(piece, row) for row in flat])
    numbers = np.array([np.bincount(piece, row) for row in known.reshape(-1, len(piece)).astype(float)])
    means = np.where(numbers > 0, sums / np.maximum(numbers, 1), np.nan)
    return means.reshape(*values.shape[:-1], -1)


def _mean_of_known(values: np.ndarray) -> np.ndarray:
    """Average the last axis over what is not NaN; NaN where nothing is known."""
    known = np.isfinite(values)
    count = known.sum(-1)
    return np.where(count > 0, np.where(known, values, 0.0).sum(-1) / np.maximum(count, 1), np.nan)


def _feature_coordinates(about: Features) -> dict[str, np.ndarray]:
    return {
        "feature": np.array(about.names),
        "feature_group": np.array(about.groups),
        "feature_id": np.array(about.ids),
    }
