"""Access: whether one readout, which knows no phase, can tell a component in other mixtures."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xarray as xr
from torch import Tensor

from ...encoders.base import Encoder, Stage
from ...synth.stimuli import StimulusSet
from ..engine.probe import Compared, Probe
from ..engine.respond import Regrouped, respond
from ..engine.runtime import one_thread
from ..engine.session import Session
from ..engine.stages import refuse_codes_alone
from ..engine.variable import Variable
from ..statistics.finite import finite_mean
from ..statistics.ridge import LinearReadout, area_under_curve, leave_one_out_readout
from .drawn_mixtures import TRIED, Drawn, drawn_mixtures
from .draws import GROUPS, MAIN, USUAL
from .mixtures import Condition, condition_label, joined, rendered, settling_sounds
from .questions import (
    CONDITION_VARIABLES,
    answered,
    session_of,
    summarised,
    summarised_variables,
    widened,
    without_conditions,
)
from .traces import NOISE_SHARE, SETTLED, TILE_SECONDS, Played, powered_stages, stacked_frames
from .truths import of_access

ORDERS = ("linear", "quadratic")
PENALTIES = np.logspace(0, 8, 9)  # re what noise alone asks for
ROUNDING_SHARE = 1e-12  # of the mean square, below which nothing varies
MOMENTS = 4  # stretches of 13.3 ms, one after another, that are read of each mixture: each at other phases

VARIABLES = {
    **CONDITION_VARIABLES,
    "order": Variable(
        ("order",), "1", "what is read: the representation (linear) or its squares (quadratic)"
    ),
    "density": Variable(("density",), "1", "components in the mixtures that the readout is tried on"),
    **summarised_variables(
        "auc", "chance that a mixture with a component scores above one without", "order", "density"
    ),
    "auc_null": Variable(
        ("stage", "condition", "order", "density"), "1", "the same of readouts fitted to permuted labels"
    ),
    "auc_null_by_group": Variable(
        ("stage", "condition", "order", "density", "group"), "1", "the same in each group"
    ),
}


def access(
    encoder: Encoder | Session[Encoder],
    stages: Sequence[str] | None = None,
    *,
    seed: int = 0,
    conditions: Sequence[Condition] = (USUAL,),
) -> xr.Dataset:
    """Ask whether one readout that knows no phase can tell a component in mixtures of other densities.

    Mixtures, each of its own context, hold two of the group's components (one chord) and foils from
    anywhere, at constant total level. A ridge regression from the frames, stacked to 13.3 ms, to whether each
    component sounds is fitted to mixtures of 3, 5 and 8 (of chords: 1, 2 and 3), each at four moments, and
    tried on mixtures of 2, 5 and 16 (chords: 2) that it has not met. *auc* is how often it ranks a mixture
    with the component above one without; 0.5 is guessing. Mixtures with a foil within a semitone of a
    component are not counted for it.

    - *linear*: reads ``z + n``, n being sensor noise as in `presence`. It does not depend on the basis;
    - *quadratic*: reads ``(z + n)^2``, channel by channel, what a detector of energy could; z is taken from
      silence.

    Noise is not drawn for training but counted: it asks for a penalty of its variance, and one penalty at
    least as large, the same for all components, is chosen by the exact error in mixtures left out. Scores are
    judged with the noise that the weights let through. Squares take it to first order, ``z^2 + 2 z n``.

    Parameters
    ----------
    encoder, stages, seed
        As in `presence`.
    conditions : sequence of Condition
        Only kind and level count, each pair once: densities are those above.

    Returns
    -------
    result : xarray.Dataset
        As of `presence`; *auc_null* is what readouts of permuted labels give.

    Raises
    ------
    InputError
        As in `presence`.

    Notes
    -----
    Noise as a penalty: Bishop, Neural Computation 7:108, 1995. Source of the readout: Hastie, Tibshirani &
    Friedman, The Elements of Statistical Learning, 2009, section 3.4.1.

    Examples
    --------
    >>> from tonotopy.encoders import load
    >>> found = access(load("filterbank:stft_magnitude")).auc.sel(stage="first_layer", density=5)
    >>> bool(found.sel(order="linear") > 0.97)
    True
    """
    return without_conditions(measure(session_of(encoder, stages, seed), conditions=conditions))


def measure(
    session: Session[Encoder], *, conditions: Sequence[Condition] = MAIN, groups: int = GROUPS
) -> xr.Dataset:
    """Measure access under several conditions; see `access`."""
    encoder, stages = session.encoder, powered_stages(session, conditions, groups)
    conditions = list({(c.kind, c.level_dbfs): c for c in conditions}.values())
    drawn = [
        [
            session.shared(drawn_mixtures, c.kind, group, encoder.sample_rate, session.seed)
            for group in range(groups)
        ]
        for c in conditions
    ]
    played = [
        rendered([sound for one in of for sound in one.sounds], condition.level_dbfs)
        for condition, of in zip(conditions, drawn, strict=True)
    ]
    stimuli, readers = joined(played), {s: _Reader(drawn, session.seed) for s in stages}
    frames = {s: MOMENTS * stacked_frames(encoder.stages[s], encoder.sample_rate) for s in stages}

    def pick(stage: Stage, stimuli: StimulusSet, activations: Tensor, silence: Tensor) -> dict[str, Tensor]:
        return {"frames": _moments(activations[:, 0] - silence)}

    plan = respond(
        session.tiled(TILE_SECONDS), stimuli, stages, pick,
        lambda stage, _rows, values: readers[stage].add(values["frames"]),
        phases=1, frames=frames, tolerance=SETTLED, settling=settling_sounds(encoder.sample_rate),
        label=f"{encoder.name}: {len(stimuli):,} mixtures to read",
    )  # fmt: skip
    by_stage = [readers[s].summary() for s in stages]
    labels = [condition_label(c.kind, c.level_dbfs) for c in conditions]
    extra = {
        "order": np.array(ORDERS), "density": np.array(sorted(TRIED)), "condition": np.array(labels)
    }  # fmt: skip
    about = Played(tuple(conditions), groups, plan, stimuli)
    return answered(session, about, stages, VARIABLES, by_stage, extra)


def _moments(frames: Tensor) -> Tensor:
    """Stack the frames [b, C, F] of every moment: [b, moments, C F / moments]."""
    return frames.float().unflatten(-1, (MOMENTS, -1)).transpose(1, 2).flatten(2)


class _Reader:
    """Collects the frames of one stage, and reads the mixtures of each condition once they are there."""

    def __init__(self, drawn: Sequence[Sequence[Drawn]], seed: int) -> None:
        self._todo, self._seed = iter(drawn), seed
        self._regrouped = Regrouped(sum(len(one.sounds) for one in of) for of in drawn)
        self._found: list[tuple[np.ndarray, np.ndarray]] = []

    def add(self, frames: np.ndarray) -> None:  # [b, moments, D]
        for mixtures in self._regrouped.add(frames):
            with one_thread():
                self._found.append(self._read(next(self._todo), mixtures))

    def _read(self, of: Sequence[Drawn], frames: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        noise = NOISE_SHARE * _total_variance(frames.reshape(-1, frames.shape[-1]))
        parts = zip(np.split(frames, len(of)), of, strict=True)
        read = [read_group(z, one, noise, [self._seed, 36, i]) for i, (z, one) in enumerate(parts)]
        return np.stack([areas for areas, _ in read]), np.stack([areas for _, areas in read])

    def summary(self) -> dict[str, np.ndarray]:
        """Every variable of the stage, conditions first."""
        found, null = zip(*self._found, strict=True)
        by_group = np.stack([np.moveaxis(finite_mean(one), 0, -1) for one in null])
        padded = widened(by_group, GROUPS)
        return {**summarised("auc", found), "auc_null_by_group": padded, "auc_null": by_group.mean(-1)}


def _total_variance(rows: np.ndarray) -> float:
    """Return the variance of [n, D], summed over D; numpy's own takes three times as long."""
    mean = rows.mean(0, dtype=np.float64)
    squares = np.einsum("nd,nd->", rows, rows, dtype=np.float64)
    found = float(squares / len(rows) - mean @ mean)
    return found if found > ROUNDING_SHARE * squares / len(rows) else 0.0


def read_group(
    frames: np.ndarray, drawn: Drawn, noise: float, seed: Sequence[int]
) -> tuple[np.ndarray, np.ndarray]:
    """Fit readouts to some mixtures of a group and try them on the others.

    Parameters
    ----------
    frames : float [n, moments, D]
        Of each mixture, from silence. Those of one mixture are left out together. Single precision is enough:
        noise is a thousandth of all variance.
    drawn : Drawn
    noise : float
        Variance of sensor noise in every direction.
    seed : sequence of int

    Returns
    -------
    auc, auc_null : float64 [orders, densities, N]
        NaN where none of the mixtures says anything of a component.
    """
    generator, moments = np.random.default_rng(seed), frames.shape[1]
    n, train = drawn.present.shape[1], np.flatnonzero(drawn.trained)
    labels = np.concatenate([drawn.present, drawn.present], axis=1).astype(float)
    labels[train, n:] = drawn.present[generator.permutation(train)]
    labels, trained, hidden, density_of = (
        np.repeat(of, moments, axis=0) for of in (labels, drawn.trained, drawn.hidden, drawn.density)
    )
    found = np.full((len(ORDERS), len(TRIED), 2 * n), np.nan)
    for row, order in zip(found, ORDERS, strict=True):
        scores = _scored(frames.reshape(len(labels), -1), labels, trained, noise, order, generator)
        for i, density in enumerate(sorted(TRIED)):
            tried = ~trained & (density_of == density)
            if tried.any():
                row[i] = _areas(scores[tried], labels[tried] > 0, np.tile(hidden[tried], (1, 2)))
    return found[..., :n], found[..., n:]


def _scored(
    frames: np.ndarray,
    labels: np.ndarray,
    trained: np.ndarray,
    noise: float,
    order: str,
    generator: np.random.Generator,
) -> np.ndarray:
    """Fit a readout of an order and score all mixtures, with sensor noise: [n, T]."""
    if order == "linear":
        read, asked = frames, float(trained.sum())
    else:
        read = np.square(frames)
        asked = 4 * float(read[trained].sum(0).max())  # of the loudest channel
    if not noise:  # nothing changes at all
        return np.zeros(labels.shape)
    readout = leave_one_out_readout(read[trained], labels[trained], noise * asked * PENALTIES, MOMENTS)
    through = _noise_through(readout, read, order)
    return readout(read) + np.sqrt(noise * through) * generator.standard_normal(through.shape)


def _noise_through(readout: LinearReadout, read: np.ndarray, order: str) -> np.ndarray:
    """Variance of scores re that of the noise, [n, T]; of squares, those that are read."""
    squared = np.square(readout.weights)
    if order == "linear":
        return np.broadcast_to(squared.sum(0), (len(read), squared.shape[1]))
    return 4 * read @ squared


def _areas(scores: np.ndarray, present: np.ndarray, hidden: np.ndarray) -> np.ndarray:
    """Area under the curve of each component, over the mixtures that say something of it."""
    found = np.full(scores.shape[1], np.nan)
    for i, (score, label, out) in enumerate(zip(scores.T, present.T, hidden.T, strict=True)):
        found[i] = area_under_curve(score[~out], label[~out])
    return found


ACCESS = Probe(
    "access",
    question="Can one readout that knows no phase tell a partial, pitch or chord in other mixtures?",
    variables=VARIABLES,
    measure=measure,
    refuses=refuse_codes_alone,
    asks_baselines=("random", "matched", "permuted"),
    compared=Compared("component", ("auc_profile",)),
    known=of_access(),
)
