"""Plane index: how far planes of components overlap in other contexts, as earlier versions measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations

import numpy as np
import torch
import xarray as xr
from torch import Tensor

from ...encoders.base import Encoder, Stage
from ...synth.errors import InputError
from ...synth.stimuli import StimulusSet
from ..engine.known import Known, mean_of, near
from ..engine.probe import Compared, Probe
from ..engine.respond import Plan, Regrouped, respond
from ..engine.runtime import one_thread
from ..engine.schema import dataset, stage_coordinates
from ..engine.session import Session
from ..engine.stages import readable_stages, refuse_codes_alone, run_attributes
from ..statistics.planes import Planes, overlaps, response_planes
from ..statistics.stability import Stability, stability_of
from ..statistics.trees import tree_reconstruction_error
from .blocks import Block, ordered_blocks
from .mixtures import (
    Condition,
    Ensemble,
    chord_ensemble,
    joined,
    partial_ensemble,
    pitch_ensemble,
    settling_sounds,
)
from .variables import VARIABLES

CONDITIONS = (
    *(Condition("partial", density, -20.0) for density in (1, 2, 4, 8, 16, 32)),
    *(Condition("partial", 4, level) for level in (-35.0, -50.0)),
    Condition("partial", 32, -35.0),  # all together as loud as one among one other at -20
    *(Condition("pitch", density, -20.0) for density in (1, 4)),
    Condition("chord", 0, -20.0),
)
CONTEXTS = 6
TILE_SECONDS = 4.0
GROUP = 8  # contexts that are compared with one another; more than that come in groups, to bound memory


def compositionality(
    session: Session[Encoder],
    *,
    conditions: Sequence[Condition] = CONDITIONS,
    ensembles: Sequence[Ensemble] | None = None,
    frames: int = 4,
) -> xr.Dataset:
    """Measure how far components' response planes overlap from context to context, and whether parts add up.

    The index was the measure of earlier versions and is kept so that their runs compare; no verdict rests on
    it. It counts every direction alike, however faint, and depends on basis and layout: raw samples have 0.99
    as patches and 0 as one channel, an encoder that tells two bands apart 0.53. `presence`, `stability`,
    `access` and `place` ask what it was taken for.

    A component p in a context c is played at K phases. In every frame its changes,
    ``d(phase) = z(c + p) - z(c)``, span its *response plane*: the leading directions of an uncentred
    singular value decomposition over phases, two for each of its partials and no more than there are
    channels. Two planes *overlap* by the mean cos^2 of their principal angles, averaged over frames.

    - *stability*: overlap of the same component's planes in different contexts,
    - *confusion*: overlap of different components' planes, over the same pairs of contexts,
    - *index*: stability less confusion. 1: every plane is its component's own; 0: planes tell nothing of
      which component it is.
    - *auc*: how often a same pair overlaps more than a different one. The right channels may answer,
      but by other amounts among other sounds: then the index is middling and the AUC near 1.

    A component that leaves a frame unchanged has no plane there and overlaps with nothing (`unchanged`
    says how many). Beside them stand *planarity*, the share of the changes that the plane holds;
    *additivity_error*, ``|z(c+p) - z(c) - z(p) + z(0)|^2 / |z(c+p) - z(0)|^2``; and *tree_error*. Both
    errors are 0 for every linear stage, however useless: additivity is not compositionality.

    Parameters
    ----------
    session : Session
        By default at the canonical stages and those of fewer codebooks; integer codes have no planes.
    conditions : sequence of Condition
        Kind of component, number of others beside it, level of each of them.
    ensembles : sequence of Ensemble, optional
        The components, at most one set of a kind. By default 16 partials, ten pitches whose envelope
        changes with the context, and twelve chords whose inversion and voicing change with it.
    frames : int > 0
        Frames at each stage that are looked at, spread over the steady state.

    Returns
    -------
    result : xarray.Dataset
        See `composition.variables`, "compositionality".

    Raises
    ------
    InputError
        If a stage is not there or only codes are requested, a condition has no components or too few
        others, or as in `respond`.

    Notes
    -----
    Source: the definition of separable and stable components in Cosme-Clifford, Machines on Music, 2025,
    in the form of principal angles (Björck & Golub, Mathematics of Computation 27, 1973); additivity
    with the response to silence, which would otherwise count as interaction; `tree_reconstruction_error`.
    An untrained network can look compositional because it is nearly linear: read it beside random
    weights, and over levels.

    Examples
    --------
    >>> from tonotopy.encoders import load
    >>> from tonotopy.probes import Session
    >>> from tonotopy.probes.composition.mixtures import Condition
    >>> decimator = Session(load("control:decimator"))
    >>> result = compositionality(decimator, conditions=[Condition("partial", 2, -20.0)])
    >>> abs(result["index"].item()) < 1e-6, result["additivity_error"].item() < 1e-9
    (True, True)
    """
    encoder, seed = session.encoder, session.seed
    stages = _stages(encoder, session.stages)
    by_kind = (
        {e.kind: e for e in ensembles} if ensembles is not None else _ensembles(encoder, conditions, seed)
    )
    _check(conditions, by_kind)
    blocks = list(ordered_blocks(conditions, by_kind, seed))
    accumulators = {name: _Accumulator(by_kind, blocks) for name in stages}

    def pick(stage: Stage, stimuli: StimulusSet, activations: Tensor, silence: Tensor) -> dict[str, Tensor]:
        n_frames = activations.shape[-1]
        chosen = torch.linspace(0, n_frames - 1, min(frames, n_frames)).round().long()
        frames_seen = activations[:, 0][..., chosen].float()  # [b, C, F]
        return {"frames": frames_seen, "silence": silence[None][..., chosen].float()}

    stimuli = joined([block.stimuli for block in blocks])
    plan = respond(
        session.tiled(TILE_SECONDS), stimuli, stages, pick,
        lambda stage, _rows, values: accumulators[stage].feed(values["frames"], values["silence"][0]),
        phases=1, frames=frames, settling=settling_sounds(encoder.sample_rate),
        label=f"{encoder.name}: {len(stimuli):,} mixtures",
    )  # fmt: skip
    with one_thread():
        record = [accumulators[name].tell(conditions, encoder.stages[name], seed) for name in stages]
    variables = {name: np.stack([one[name] for one in record]) for name in record[0]}
    about = _coordinates(encoder, stages, plan, conditions, by_kind)
    attributes = {**run_attributes(1, plan, stimuli), "contexts": len(_contexts_of(by_kind)), "seed": seed}
    return dataset(VARIABLES["compositionality"], {**variables, **about}, attributes)


def _stages(encoder: Encoder, stages: Sequence[str] | None) -> list[str]:
    kept = [name for name in readable_stages(encoder, stages) if encoder.stages[name].has_power]
    if not kept:
        raise InputError(f"{encoder.name}: compositionality has nothing to say of integer codes alone")
    return kept


def _ensembles(encoder: Encoder, conditions: Sequence[Condition], seed: int) -> dict[str, Ensemble]:
    rate, most = encoder.sample_rate, {c.kind: 0 for c in conditions}
    for condition in conditions:
        most[condition.kind] = max(most[condition.kind], condition.density)
    makers = {
        "partial": lambda: partial_ensemble(rate, CONTEXTS, most["partial"], seed),
        "pitch": lambda: pitch_ensemble(rate, CONTEXTS, most["pitch"], seed),
        "chord": lambda: chord_ensemble(rate),
    }
    return {kind: makers[kind]() for kind in makers if kind in most}


def _check(conditions: Sequence[Condition], by_kind: Mapping[str, Ensemble]) -> None:
    if not conditions:
        raise InputError("compositionality: no condition requested")
    for condition in conditions:
        if condition.kind not in by_kind:
            raise InputError(f"condition {condition}: no components of that kind; known {', '.join(by_kind)}")
        ensemble = by_kind[condition.kind]
        there = min(len(context_alone) for context_alone in ensemble.context_sounds)
        if not 0 <= condition.density <= there:
            raise InputError(f"condition {condition}: density must be 0 to {there}, as many as there are")
    if len({len(e.sounds) for e in by_kind.values()}) > 1:
        raise InputError("compositionality: all kinds of components must have as many contexts")
    if len(_contexts_of(by_kind)) < 2:
        raise InputError("compositionality: needs at least two contexts to compare")


def _contexts_of(by_kind: Mapping[str, Ensemble]) -> range:
    return range(len(next(iter(by_kind.values())).sounds))


def context_pairs(contexts: int) -> np.ndarray:
    """Return which contexts are compared, int [pairs, 2]: all pairs within groups of at most eight.

    The last group takes the one before it along if it would be alone.

    Examples
    --------
    >>> context_pairs(3).tolist(), len(context_pairs(16)), len(context_pairs(17))
    ([[0, 1], [0, 2], [1, 2]], 56, 57)
    """
    starts = list(range(0, contexts, GROUP))
    pairs = [pair for at in starts for pair in combinations(range(at, min(at + GROUP, contexts)), 2)]
    if contexts > GROUP and contexts % GROUP == 1:
        pairs.append((contexts - 2, contexts - 1))
    return np.array(pairs)


@dataclass
class _Record:
    """What one stage says of one condition, context after context."""

    planes: dict[int, Planes] = field(default_factory=dict)  # those still to be compared
    overlap: dict[tuple[int, int], np.ndarray] = field(default_factory=dict)
    held: list[np.ndarray] = field(default_factory=list)
    additivity: list[np.ndarray] = field(default_factory=list)
    tree: tuple[float, float] = (np.nan, np.nan)


class _Accumulator:
    """Collects the answers of one stage, block by block, and keeps only planes and numbers."""

    def __init__(self, by_kind: Mapping[str, Ensemble], blocks: Sequence[Block]) -> None:
        self._by_kind, self._todo = by_kind, iter(blocks)
        self._regrouped = Regrouped(len(block.stimuli) for block in blocks)
        self._alone: Tensor | None = None
        self._records: dict[Condition, _Record] = {}
        self._pairs = context_pairs(len(_contexts_of(by_kind)))
        self.silence = torch.zeros(0)

    def feed(self, frames_seen: np.ndarray, silence: np.ndarray) -> None:  # [b, C, F], [C, F]
        self.silence = torch.from_numpy(silence)
        for each in self._regrouped.add(frames_seen):
            self._judge(next(self._todo), torch.from_numpy(each))

    def _judge(self, block: Block, frames_seen: Tensor) -> None:
        if block.parts is not None:
            self._records[block.condition].tree = _tree_errors(block.parts, frames_seen)
            return
        ensemble = self._by_kind[block.kind]
        context_alone = frames_seen[0] if block.density else self.silence
        each = frames_seen[1 if block.density else 0 :].unflatten(0, (-1, ensemble.phases))  # [N, K, C, F]
        if block.density is None:
            self._alone = each
            return
        record = self._records.setdefault(block.condition, _Record())
        planes = response_planes(each - context_alone, ensemble.rank, context_alone.norm(dim=0))
        record.held.append(planes.held.numpy())
        if block.density and self._alone is not None:
            interaction = (each - context_alone - self._alone + self.silence).square().sum((1, 2, 3)).double()
            joint = (each - self.silence).square().sum((1, 2, 3)).double()
            # what leaves silence, among others, as it is (a quantizer may) has no error to share
            record.additivity.append((interaction[joint > 0] / joint[joint > 0]).numpy())
        record.planes[block.context] = planes
        self._compare(record, block.context)

    def _compare(self, record: _Record, context: int) -> None:
        """Compare the newest planes with those before them, and drop what is not needed again."""
        for one, other in self._pairs:
            if other == context:
                record.overlap[one, other] = overlaps(record.planes[one], record.planes[other]).numpy()
        later = {int(one) for one, other in self._pairs if other > context}
        record.planes = {c: planes for c, planes in record.planes.items() if c in later}

    def tell(self, conditions: Sequence[Condition], stage: Stage, seed: int) -> dict[str, np.ndarray]:
        """Every variable of the stage, conditions first."""
        widest = max(len(e.labels) for e in self._by_kind.values())
        # a convolution of few taps has no more dimensions than taps, however many channels
        taps = stage.receptive_field if stage.is_linear else None
        room = min(stage.channels, taps or stage.channels)
        rows = []
        for condition in conditions:
            record = self._records[condition]
            rank = min(self._by_kind[condition.kind].rank, room)
            overlap = np.stack([record.overlap[int(a), int(b)] for a, b in self._pairs], axis=-1)
            judged = stability_of(overlap, self._pairs, seed)
            rows.append(_row(judged, record, overlap, rank, room, widest))
        return {name: np.stack([row[name] for row in rows]) for name in rows[0]}


def _row(
    judged: Stability, record: _Record, overlap: np.ndarray, rank: int, room: int, widest: int
) -> dict[str, np.ndarray]:
    held = np.concatenate(record.held)
    additivity = np.concatenate(record.additivity or [np.zeros(0)])
    n = len(overlap)
    padded = {
        "overlap": np.full((widest, widest, overlap.shape[2]), np.nan),
        "stability": np.full(widest, np.nan),
        "confusion": np.full(widest, np.nan),
    }
    padded["overlap"][:n, :n] = overlap
    padded["stability"][:n], padded["confusion"][:n] = judged.stability, judged.confusion
    numbers = {
        "rank": rank,
        "index": judged.index,
        "index_low": judged.index_interval[0],
        "index_high": judged.index_interval[1],
        "index_p": judged.index_p,
        "auc": judged.auc,
        "auc_low": judged.auc_interval[0],
        "auc_high": judged.auc_interval[1],
        "chance": rank / room,
        "planarity": np.nanmean(held) if np.isfinite(held).any() else np.nan,
        "unchanged": np.isnan(held).mean(),
        "additivity_error": np.mean(additivity) if additivity.size else np.nan,
        "tree_error": record.tree[0],
        "tree_error_shuffled": record.tree[1],
    }
    return padded | {name: np.asarray(value, dtype=float) for name, value in numbers.items()}


def _tree_errors(parts: np.ndarray, frames_seen: Tensor) -> tuple[float, float]:
    vectors = frames_seen.flatten(1).numpy()
    shuffled = parts[np.random.default_rng(0).permutation(len(parts))]
    return tree_reconstruction_error(parts, vectors), tree_reconstruction_error(shuffled, vectors)


def _coordinates(
    encoder: Encoder,
    stages: Sequence[str],
    plan: Plan,
    conditions: Sequence[Condition],
    by_kind: Mapping[str, Ensemble],
) -> dict[str, np.ndarray]:
    widest = max(len(e.labels) for e in by_kind.values())
    frequency = np.full((len(conditions), widest), np.nan)
    label = np.full((len(conditions), widest), "", dtype="<U32")
    for i, condition in enumerate(conditions):
        ensemble = by_kind[condition.kind]
        frequency[i, : len(ensemble.labels)] = ensemble.frequency_hz
        label[i, : len(ensemble.labels)] = ensemble.labels
    pairs = context_pairs(len(_contexts_of(by_kind)))
    about = stage_coordinates(encoder, stages, plan)
    del about["channel"]
    return {
        **about,
        "condition": np.array([c.label for c in conditions]),
        "component_kind": np.array([c.kind for c in conditions]),
        "density": np.array([c.density for c in conditions]),
        "component_level_dbfs": np.array([c.level_dbfs for c in conditions]),
        "component_frequency": frequency,
        "component_label": label,
        "component": np.arange(widest),
        "component_2": np.arange(widest),
        "context_pair": np.arange(len(pairs)),
        "first_context": pairs[:, 0],
        "second_context": pairs[:, 1],
        "n_codebooks": np.array([encoder.stages[s].codebooks for s in stages]),
    }


def _of_components(result: xr.Dataset, variable: str) -> xr.DataArray | None:
    """Return a value that every component has to itself; the mean of "index" over them is the index.

    Confusion is of two components each: `pseudo_values`, among those there are.
    """
    if "stability" not in result or "confusion" not in result:
        return None
    mean, n = result["confusion"].mean("component"), result["confusion"].count("component")
    confusion = mean + 2 * (n - 1) / (n - 2).clip(1) * (result["confusion"] - mean)
    return {
        "index": result["stability"] - confusion,
        "stability": result["stability"],
        "confusion": confusion,
    }[variable]


COMPOSITIONALITY = Probe(
    "compositionality",
    question="How far do planes of components overlap (as earlier versions asked), and do parts add up?",
    variables=VARIABLES["compositionality"],
    measure=compositionality,
    refuses=refuse_codes_alone,
    compared=Compared("component", ("index", "stability", "confusion"), _of_components),
    known=(
        Known("filterbank:stft", "index of partials among others", 0.99, 1.0, "at least 0.99",
              mean_of("index", "partial")),
        Known("control:decimator", "index of partials among others", *near(0, 0.01, "0.00 ± 0.01"),
              mean_of("index", "partial")),
        Known("control:decimator", "additivity error of partials among others", 0, 1e-6, "0",
              mean_of("additivity_error", "partial")),
        Known("control:texture", "index of partials among others", -0.05, 0.05, "at most 0.05",
              mean_of("index", "partial")),
        Known("filterbank:stft_magnitude", "index of partials among others", 0.5, 0.75, "0.5 to 0.75",
              mean_of("index", "partial")),
        Known("filterbank:stft_magnitude", "AUC of partials among others", 0.99, 1.0, "at least 0.99",
              mean_of("auc", "partial")),
    ),
)  # fmt: skip
