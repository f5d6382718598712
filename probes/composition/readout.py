"""Readouts: whether a linear readout that was trained on sparse mixtures finds partials in dense ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import xarray as xr

from ...encoders.base import Encoder
from ...synth.errors import InputError
from ...synth.partials import amplitude_of
from ...synth.stimuli import COLUMNS, StimulusSet
from ..engine.channel_levels import BASELINES, ChannelLevels, baseline_levels, channel_levels, decibels
from ..engine.grid import HIGH_HZ, HIGHEST_SHARE, LOW_HZ
from ..engine.known import Known, mean_of, near
from ..engine.probe import Compared, Probe
from ..engine.runtime import one_thread
from ..engine.schema import dataset, stage_coordinates
from ..engine.session import Session
from ..engine.stages import readable_stages, refuse_codes_alone, run_attributes
from ..statistics.resampling import bootstrap_interval, permutation_p
from ..statistics.ridge import area_under_curve, chosen_ridge, gram
from .sounding_tasks import SHUFFLES, Task, sounding_tasks, task_scores
from .variables import VARIABLES

TARGETS, BETWEEN = 16, 2  # partials that are listened for, and others between each two
JITTER_DB, QUIETER_DB = 3.0, 12.0
PER_TARGET = 4  # how often each target is dealt to the mixtures of a density
PAIRS = 192  # trained on
DENSITIES = (1, 2, 4, 8, 16, 32)
TILE_SECONDS = 4.0
SUBSETS = 3  # random choices of so many channels
CODES = "codes have no linear readout"


@dataclass(frozen=True)
class Mixtures:
    """What plays: which partials sound in each mixture, and what it is for.

    Parameters
    ----------
    stimuli : StimulusSet
    sounding : bool [n, pool]
        Which partials of the pool sound.
    trained, quieter : bool [n]
        Mixtures that readouts are fitted to; those played more quietly. All others are tried.
    frequency_hz : float64 [pool]
    targets : int [16]
        Which partials of the pool are listened for.
    """

    stimuli: StimulusSet
    sounding: np.ndarray
    trained: np.ndarray
    quieter: np.ndarray
    frequency_hz: np.ndarray
    targets: np.ndarray

    @property
    def present(self) -> np.ndarray:
        """Which targets sound, bool [n, 16]."""
        return self.sounding[:, self.targets]

    def tried(self, density: int) -> np.ndarray:
        """Rows of the mixtures of a density that readouts are tried on."""
        return np.flatnonzero(~self.trained & ~self.quieter & (self.sounding.sum(1) == density))


def readout(
    session: Session[Encoder], *, densities: Sequence[int] = DENSITIES, level_dbfs: float = -30.0
) -> xr.Dataset:
    """Train linear readouts on sparse mixtures of partials and try them on denser ones.

    A readout is a ridge regression from the levels of all channels, in dB, to whether a partial sounds;
    it is fitted to single partials and pairs (see `drawn_mixtures`) and scored, for each partial and
    density, by the chance that it ranks a mixture with the partial above one without (AUC; 0.5 is
    guessing, whatever the share of mixtures that hold it). Mel bands, chroma and the magnitude spectrum
    of the same sounds are read in the same way. Other readouts tell chords and notes in groups held out;
    see `sounding_tasks`.

    Parameters
    ----------
    session : Session
        By default at the canonical stages but codes, and `quantized` of every number of codebooks there is.
    densities : sequence of int, 1 to 40
        How many partials sound in the mixtures that readouts are tried on.
    level_dbfs : float
        Of each partial, and of each note.

    Returns
    -------
    readouts : xarray.Dataset
        See `composition.variables`, "readout". `capacity` is what random subsets of the channels
        allow, at the density in the middle. NaN with a `remark` where a stage holds codes.

    Raises
    ------
    InputError
        If a stage is not there, or no mixture has so many partials.

    Notes
    -----
    Source of the tasks of chords and notes: Wei et al., Do music generation models encode music theory?,
    2024 (SynTheory), whose splits by rows leak root and instrument; here groups are held out.

    Examples
    --------
    >>> from tonotopy.encoders import load
    >>> from tonotopy.probes import Session
    >>> decimator = Session(load("control:decimator"))
    >>> bool(readout(decimator, densities=(8,)).mean_auc.item() < 0.7)
    True
    """
    session = session.tiled(TILE_SECONDS)
    encoder, seed = session.encoder, session.seed
    stages = readable_stages(encoder, session.stages)
    mixtures = drawn_mixtures(encoder.sample_rate, densities, level_dbfs, seed)
    sounds, tasks = sounding_tasks(encoder.sample_rate, level_dbfs, seed)

    settling = mixtures.stimuli[np.flatnonzero(mixtures.trained)]  # the same for all densities

    def measured(what: str, stimuli: StimulusSet) -> ChannelLevels:
        label = f"{encoder.name}: {len(stimuli)} {what}"
        return channel_levels(session, stimuli, stages, settling=settling, label=label)

    of_mixtures, of_sounds = measured("mixtures", mixtures.stimuli), measured("chords and notes", sounds)
    sizes = 2 ** np.arange(int(np.log2(max(encoder.stages[s].channels for s in stages))) + 1)
    table = _Table.empty(len(stages), len(densities), len(tasks), len(sizes))
    with one_thread():
        for i, stage in enumerate(stages):
            if stage in of_mixtures.rms:
                table.fill_mixtures(i, of_mixtures.rms[stage], mixtures, densities, seed)
                table.fill_capacity(i, of_mixtures.rms[stage], mixtures, densities, sizes, seed)
                table.fill_tasks(i, of_sounds.rms[stage], tasks, seed)
        beside = _Table.empty(len(BASELINES), len(densities), len(tasks), len(sizes))
        rms = [baseline_levels(stimuli, encoder.sample_rate) for stimuli in (mixtures.stimuli, sounds)]
        for i, name in enumerate(BASELINES):
            beside.fill_mixtures(i, rms[0][name], mixtures, densities, seed, shuffles=0)
            beside.fill_tasks(i, rms[1][name], tasks, seed, shuffles=0)
    variables = {
        **table.summary(seed),
        **stage_coordinates(encoder, stages, of_mixtures.plan),
        **{f"{name}_baseline": beside.values[name] for name in ("auc", "auc_quieter", "task_score")},
        "remark": np.array(["" if s in of_mixtures.rms else CODES for s in stages]),
        "density": np.array(densities),
        "component": mixtures.frequency_hz[mixtures.targets],
        "baseline": np.array(BASELINES),
        "n_channels_used": sizes,
        "draw": np.arange(SUBSETS),
        "shuffle": np.arange(SHUFFLES),
        "task": np.array([task.name for task in tasks]),
        "held_out": np.array([task.held_out for task in tasks]),
        "task_chance": np.array([task.chance for task in tasks]),
    }
    settings = {
        "seed": seed,
        "readout_level_dbfs": level_dbfs,
        "n_trained": int(mixtures.trained.sum()),
        "capacity_density": _middle(densities),
    }
    return dataset(
        VARIABLES["readout"], variables, {**run_attributes(1, of_mixtures.plan, mixtures.stimuli), **settings}
    )


def drawn_mixtures(
    sample_rate: float, densities: Sequence[int] = DENSITIES, level_dbfs: float = -30.0, seed: int = 0
) -> Mixtures:
    """Draw sparse mixtures to train on and denser ones, of other partials, to try readouts on.

    16 targets lie evenly by ratio from 120 to 6000 Hz (or 0.45 of the sample rate), and 32 other partials
    between them and just outside. Every partial has a random phase, and a level within 3 dB of
    `level_dbfs`. Trained on: every partial alone, targets four times, and 192 pairs that hold a target.
    Tried: per density 64 mixtures in which every target sounds equally often; up to half of the partials
    (at least one, at most eight) are targets. No pair that is tried is trained on. At density 1
    nothing else sounds in training either: only phases and levels are new. 64 more pairs play 12 dB lower
    than all the rest.

    Raises
    ------
    InputError
        If a density is not 1 to 40.

    Examples
    --------
    >>> mixtures = drawn_mixtures(24_000, densities=(2, 8))
    >>> set(mixtures.present[mixtures.tried(8)].sum(0).tolist())
    {16}
    """
    wrong = [d for d in densities if not (d == int(d) and 1 <= d <= TARGETS // 2 + BETWEEN * TARGETS)]
    if wrong or len(set(densities)) < max(1, len(densities)):
        given = f"density {wrong[0]}" if wrong else f"densities {tuple(densities)}"
        most = TARGETS // 2 + BETWEEN * TARGETS
        raise InputError(f"readout: {given}: must be different whole numbers of partials, 1 to {most}")
    ratio = (min(HIGH_HZ, HIGHEST_SHARE * sample_rate) / LOW_HZ) ** (1 / (TARGETS - 1))
    number = np.arange(-1, (BETWEEN + 1) * TARGETS - 1)
    frequency = LOW_HZ * ratio ** (number / (BETWEEN + 1))
    is_target = number % (BETWEEN + 1) == 0
    targets, others = np.flatnonzero(is_target), np.flatnonzero(~is_target)
    generator = np.random.default_rng([seed, 3])
    partners = np.stack([generator.permutation(others) for _ in targets])  # of pairs: [16, 32]
    quiet_pairs = np.column_stack([np.repeat(targets, PER_TARGET), partners[:, :PER_TARGET].ravel()])
    tried_pairs = np.column_stack(
        [np.repeat(targets, PER_TARGET), partners[:, PER_TARGET : 2 * PER_TARGET].ravel()]
    )
    free = [(t, o) for t, row in zip(targets, partners[:, 2 * PER_TARGET :], strict=True) for o in row]
    free += [(t, u) for t in targets for u in targets if t < u]
    train = [*np.repeat(targets, PER_TARGET)[:, None], *others[:, None]]
    train += [np.array(free[i]) for i in generator.permutation(len(free))[:PAIRS]]
    # each density has a generator of its own: what is drawn does not depend on which others are tried
    drawing = {int(d): np.random.default_rng([seed, 3, int(d)]) for d in densities}
    test = [tried_pairs if d == 2 else _dealt(targets, others, d, own) for d, own in drawing.items()]
    blocks = [train, *test, quiet_pairs]
    sounding = np.zeros((sum(map(len, blocks)), len(frequency)), dtype=bool)
    for row, chosen in enumerate(members for block in blocks for members in block):
        sounding[row, chosen] = True
    trained, quieter = (np.zeros(len(sounding), dtype=bool) for _ in range(2))
    trained[: len(train)], quieter[len(sounding) - len(quiet_pairs) :] = True, True
    generators = [generator, *drawing.values(), np.random.default_rng([seed, 3, 0])]
    ends = np.cumsum([len(block) for block in blocks])[:-1]
    drawn = [
        (g.uniform(-JITTER_DB, JITTER_DB, n := int(part.sum())), g.uniform(0, 2 * np.pi, n))
        for part, g in zip(np.split(sounding, ends), generators, strict=True)
    ]
    jitter_db, phase = (np.concatenate(parts) for parts in zip(*drawn, strict=True))
    stimuli = _stimuli(frequency, sounding, level_dbfs - QUIETER_DB * quieter, jitter_db, phase)
    return Mixtures(stimuli, sounding, trained, quieter, frequency, targets)


def _dealt(
    targets: np.ndarray, others: np.ndarray, density: int, generator: np.random.Generator
) -> list[np.ndarray]:
    """Deal targets to 64 mixtures, each as often as any other, and fill up with others."""
    each = min(TARGETS // 2, 2 ** int(np.log2(max(1, density // 2))))  # a divisor of 16
    rounds = [generator.permutation(targets).reshape(-1, each) for _ in range(PER_TARGET * each)]
    filled = [generator.choice(others, density - each, replace=False) for _ in range(PER_TARGET * TARGETS)]
    return [np.concatenate(pair) for pair in zip(np.concatenate(rounds), filled, strict=True)]


def _stimuli(
    frequency: np.ndarray,
    sounding: np.ndarray,
    level_dbfs: np.ndarray,
    jitter_db: np.ndarray,
    phase: np.ndarray,
) -> StimulusSet:
    row, which = np.nonzero(sounding)
    n, amplitude = len(row), amplitude_of(level_dbfs[row] + jitter_db)
    values = (frequency[which], amplitude, phase, np.zeros(n), np.full(n, np.inf), np.zeros(n))
    first = np.concatenate([[0], np.cumsum(sounding.sum(1))])
    columns = {str(name): column for name, column in zip(COLUMNS, values, strict=True)}
    return StimulusSet(columns, first, {"n_partials": sounding.sum(1)})


@dataclass(frozen=True)
class _Table:
    """What is found, by stage or baseline first; NaN where there is nothing."""

    values: Mapping[str, np.ndarray]

    @classmethod
    def empty(cls, rows: int, densities: int, tasks: int, sizes: int) -> _Table:
        shapes = {
            "auc": (densities, TARGETS),
            "auc_quieter": (TARGETS,),
            "auc_null": (densities, SHUFFLES),
            "capacity": (sizes, SUBSETS),
            "task_score": (tasks,),
            "task_leaky": (tasks,),
            "task_null": (tasks, SHUFFLES),
        }
        return cls({name: np.full((rows, *shape), np.nan) for name, shape in shapes.items()})

    def fill_mixtures(
        self,
        row: int,
        rms: np.ndarray,
        mixtures: Mixtures,
        densities: Sequence[int],
        seed: int,
        shuffles: int = SHUFFLES,
    ) -> None:
        features = decibels(rms, rms[mixtures.trained])
        predicted = read_partials(features, mixtures, seed, shuffles)  # [n, 1 + shuffles, 16]
        for i, density in enumerate(densities):
            tried = mixtures.tried(density)
            area = area_under_curve(predicted[tried], mixtures.present[tried][:, None])
            self.values["auc"][row, i] = area[0]
            self.values["auc_null"][row, i, :shuffles] = area[1:].mean(-1)
        quieter = mixtures.quieter
        self.values["auc_quieter"][row] = area_under_curve(predicted[quieter, 0], mixtures.present[quieter])

    def fill_capacity(
        self,
        row: int,
        rms: np.ndarray,
        mixtures: Mixtures,
        densities: Sequence[int],
        sizes: np.ndarray,
        seed: int,
    ) -> None:
        features = decibels(rms, rms[mixtures.trained])
        tried = mixtures.tried(_middle(densities))
        generator = np.random.default_rng([seed, 6])
        for i, size in enumerate(sizes):
            for draw in range(SUBSETS if size <= features.shape[1] else 0):
                chosen = generator.permutation(features.shape[1])[:size]
                predicted = read_partials(features[:, chosen], mixtures, seed)[tried, 0]
                area = area_under_curve(predicted, mixtures.present[tried])
                self.values["capacity"][row, i, draw] = area.mean()

    def fill_tasks(
        self, row: int, rms: np.ndarray, tasks: Sequence[Task], seed: int, shuffles: int = SHUFFLES
    ) -> None:
        for i, task in enumerate(tasks):
            score, null, leaky = task_scores(decibels(rms[task.rows]), task, seed, shuffles)
            self.values["task_score"][row, i], self.values["task_leaky"][row, i] = score, leaky
            self.values["task_null"][row, i, :shuffles] = null

    def summary(self, seed: int) -> dict[str, np.ndarray]:
        """Return all values, the mean AUC over partials with its interval, and p-values."""
        mean = self.values["auc"].mean(-1)
        interval = np.array([[bootstrap_interval(a, seed) for a in one] for one in self.values["auc"]])
        p = {
            f"{name}_p": np.vectorize(permutation_p, signature="(),(n)->()")(observed, null)
            for name, observed, null in (
                ("auc", mean, self.values["auc_null"]),
                ("task", self.values["task_score"], self.values["task_null"]),
            )
        }
        bounds = {"mean_auc_low": interval[..., 0], "mean_auc_high": interval[..., 1]}
        return {**self.values, "mean_auc": mean, **bounds, **p}


def read_partials(features: np.ndarray, mixtures: Mixtures, seed: int = 0, shuffles: int = 0) -> np.ndarray:
    """Fit readouts to the sparse mixtures and let them judge all of them.

    Parameters
    ----------
    features : float [n, D]
    mixtures : Mixtures
    seed : int
    shuffles : int
        Further readouts are fitted to labels dealt to the trained mixtures at random.

    Returns
    -------
    judged : float64 [n, 1 + shuffles, 16]
        NaN for mixtures that were trained on. A quarter of the sets of partials trained on chose the
        penalty, for all targets alike.
    """
    generator = np.random.default_rng([seed, 7])
    trained = np.flatnonzero(mixtures.trained)
    _, groups = np.unique(mixtures.sounding[trained], axis=0, return_inverse=True)
    choosing = np.zeros(len(features), dtype=bool)
    choosing[trained] = generator.permutation(groups.max() + 1)[groups] < (groups.max() + 1) // 4
    targets = np.repeat(mixtures.present[:, None].astype(float), 1 + shuffles, axis=1)
    for k in range(1, 1 + shuffles):
        targets[trained, k] = mixtures.present[generator.permutation(trained)]
    judged = np.full(targets.shape, np.nan)
    flat = targets.reshape(len(targets), -1)
    tried = ~mixtures.trained
    predicted = chosen_ridge(gram(features), flat, mixtures.trained, choosing, tried, together=TARGETS)
    judged[tried] = predicted.reshape(-1, *targets.shape[1:])
    return judged


def _middle(densities: Sequence[int]) -> int:
    return int(densities[len(densities) // 2])


READOUT = Probe(
    "readout",
    question="Can partials, chords and notes be read out linearly, where they were not trained on?",
    variables=VARIABLES["readout"],
    measure=readout,
    refuses=refuse_codes_alone,
    compared=Compared("component", ("auc",)),
    known=(
        Known("filterbank:stft_magnitude", "AUC of partials read in pairs", 0.99, 1.0, "at least 0.99",
              mean_of("mean_auc", "2")),
        *(
            Known(name, "AUC of partials read in pairs", 0.97, 1.0, "at least 0.97", mean_of("mean_auc", "2"))
            for name in ("filterbank:gammatone_envelope", "filterbank:log_tracker", "filterbank:stft_mixed")
        ),
        *(
            Known(name, "AUC of partials read in mixtures", *near(0.5, 0.05, "0.50 ± 0.05"),
                  mean_of("mean_auc"))
            for name in ("control:decimator", "control:patches")
        ),
    ),
)  # fmt: skip
