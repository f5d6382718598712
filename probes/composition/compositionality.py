"""Compositional stability: whether partials, pitches and chords are separable and stable in company."""

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
from ..engine.respond import Plan, respond
from ..engine.runtime import one_thread
from ..engine.schema import dataset, stage_coordinates
from ..engine.session import Session
from ..engine.stages import readable_stages, refuse_codes_alone, run_attributes
from ..statistics.planes import Planes, overlaps, response_planes
from ..statistics.stability import Stability, stability_of
from ..statistics.trees import tree_reconstruction_error
from .blocks import Block, playlist
from .mixtures import Condition, Ensemble, chord_ensemble, joined, partial_ensemble, pitch_ensemble
from .variables import VARIABLES

CONDITIONS = (
    *(Condition("partial", density, -20.0) for density in (1, 2, 4, 8, 16, 32)),
    *(Condition("partial", 4, level) for level in (-35.0, -50.0)),
    Condition("partial", 32, -35.0),  # as loud, all together, as one and its company of one at -20
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
    """Measure whether components leave separable and stable traces in a representation.

    A component p in company c is played at K phases. In every frame its changes,
    ``d(phase) = z(c + p) - z(c)``, span its *response plane*: the leading directions of an uncentred
    singular value decomposition over phases, two for each of its partials and no more than there are
    channels. Two planes *overlap* by the mean cos^2 of their principal angles, averaged over frames.

    - *stability*: overlap of the same component's planes in different company,
    - *confusion*: overlap of different components' planes, over the same pairs of company,
    - *index*: stability less confusion. 1: every component has a place of its own, whatever else sounds;
      0: planes tell nothing of which component it is.
    - *auc*: how often a same pair overlaps more than a different one. The right channels may answer,
      but by other amounts in other company: then the index is middling and the AUC near 1.

    A component that leaves a frame unchanged has no plane there and overlaps with nothing (`unheard`
    says how many). Beside them stand *planarity*, the share of the changes that the plane holds;
    *additivity_error*, ``|z(c+p) - z(c) - z(p) + z(0)|^2 / |z(c+p) - z(0)|^2``; and *tree_error*. Both
    errors are 0 for every linear stage, however useless: additivity is not compositionality.

    Parameters
    ----------
    session : Session
        By default at the canonical stages and those of fewer codebooks; integer codes have no planes.
    conditions : sequence of Condition
        Kind of component, number of others in its company, level of each of them.
    ensembles : sequence of Ensemble, optional
        The components, at most one set of a kind. By default 16 partials, ten pitches whose envelope
        changes with the context, and twelve chords whose inversion and voicing change with it.
    frames : int > 0
        Frames at each stage that are looked at, spread over the steady state.

    Returns
    -------
    result : xarray.Dataset
        See `tonotopy.probes.variables`, group "compositionality".

    Raises
    ------
    InputError
        If a stage is not there or only codes are asked for, a condition has no components or not as much
        company, or as in `respond`.

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
    blocks = list(playlist(conditions, by_kind, seed))
    listeners = {name: _Listener(by_kind, blocks) for name in stages}

    def pick(stage: Stage, stimuli: StimulusSet, activations: Tensor, silence: Tensor) -> dict[str, Tensor]:
        n_frames = activations.shape[-1]
        chosen = torch.linspace(0, n_frames - 1, min(frames, n_frames)).round().long()
        listeners[stage.name].silence = silence[:, chosen].float().cpu()
        return {"heard": activations[:, 0][..., chosen].float()}  # [b, C, F]

    stimuli = joined([block.stimuli for block in blocks])
    plan = respond(
        session.tiled(TILE_SECONDS), stimuli, stages, pick,
        lambda stage, _rows, values: listeners[stage].feed(torch.from_numpy(values["heard"])),
        phases=1, frames=frames, label=f"{encoder.name}: {len(stimuli):,} mixtures",
    )  # fmt: skip
    with one_thread():
        told = [listeners[name].tell(conditions, encoder.stages[name], seed) for name in stages]
    variables = {name: np.stack([one[name] for one in told]) for name in told[0]}
    about = _coordinates(encoder, stages, plan, conditions, by_kind)
    attributes = {**run_attributes(1, plan, stimuli), "contexts": len(_contexts_of(by_kind)), "seed": seed}
    result = dataset(VARIABLES["compositionality"], {**variables, **about}, attributes)
    return result.set_coords(["component_kind", "density", "component_level_dbfs", "n_codebooks"])


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
        raise InputError("compositionality: no condition asked for")
    for condition in conditions:
        if condition.kind not in by_kind:
            raise InputError(f"condition {condition}: no components of that kind; known {', '.join(by_kind)}")
        ensemble = by_kind[condition.kind]
        there = min(len(company) for company in ensemble.company)
        if not 0 <= condition.density <= there:
            raise InputError(f"condition {condition}: density must be 0 to {there}, the company there is")
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
class _Told:
    """What one stage says of one condition, context after context."""

    planes: dict[int, Planes] = field(default_factory=dict)  # those still to be compared
    overlap: dict[tuple[int, int], np.ndarray] = field(default_factory=dict)
    held: list[np.ndarray] = field(default_factory=list)
    additivity: list[np.ndarray] = field(default_factory=list)
    tree: tuple[float, float] = (np.nan, np.nan)


class _Listener:
    """Collects the answers of one stage, block by block, and keeps only planes and numbers."""

    def __init__(self, by_kind: Mapping[str, Ensemble], blocks: Sequence[Block]) -> None:
        self._by_kind, self._todo = by_kind, iter(blocks)
        self._block = next(self._todo)
        self._heard: list[Tensor] = []
        self._alone: Tensor | None = None
        self._told: dict[Condition, _Told] = {}
        self._pairs = context_pairs(len(_contexts_of(by_kind)))
        self.silence = torch.zeros(0)

    def feed(self, heard: Tensor) -> None:  # [b, C, F]
        while len(heard):
            wanted = len(self._block.stimuli) - sum(map(len, self._heard))
            self._heard.append(heard[:wanted])
            heard = heard[wanted:]
            if sum(map(len, self._heard)) == len(self._block.stimuli):
                self._judge(self._block, torch.cat(self._heard))
                self._heard = []
                self._block = next(self._todo, self._block)

    def _judge(self, block: Block, heard: Tensor) -> None:
        if block.parts is not None:
            self._told[block.condition].tree = _tree_errors(block.parts, heard)
            return
        ensemble = self._by_kind[block.kind]
        company = heard[0] if block.density else self.silence
        each = heard[1 if block.density else 0 :].unflatten(0, (-1, ensemble.phases))  # [N, K, C, F]
        if block.density is None:
            self._alone = each
            return
        told = self._told.setdefault(block.condition, _Told())
        planes = response_planes(each - company, ensemble.rank, company.norm(dim=0))
        told.held.append(planes.held.numpy())
        if block.density and self._alone is not None:
            interaction = (each - company - self._alone + self.silence).square().sum((1, 2, 3)).double()
            joint = (each - self.silence).square().sum((1, 2, 3)).double()
            # what leaves silence, in company, as it is (a quantizer may) has no error to share
            told.additivity.append((interaction[joint > 0] / joint[joint > 0]).numpy())
        told.planes[block.context] = planes
        self._compare(told, block.context)

    def _compare(self, told: _Told, context: int) -> None:
        """Compare the newest planes with those before them, and drop what is not needed again."""
        for one, other in self._pairs:
            if other == context:
                told.overlap[one, other] = overlaps(told.planes[one], told.planes[other]).numpy()
        later = {int(one) for one, other in self._pairs if other > context}
        told.planes = {c: planes for c, planes in told.planes.items() if c in later}

    def tell(self, conditions: Sequence[Condition], stage: Stage, seed: int) -> dict[str, np.ndarray]:
        """Every variable of the stage, conditions first."""
        widest = max(len(e.labels) for e in self._by_kind.values())
        # a convolution of few taps has no more dimensions than taps, however many channels
        taps = stage.receptive_field if stage.is_linear else None
        room = min(stage.channels, taps or stage.channels)
        rows = []
        for condition in conditions:
            told = self._told[condition]
            rank = min(self._by_kind[condition.kind].rank, room)
            overlap = np.stack([told.overlap[int(a), int(b)] for a, b in self._pairs], axis=-1)
            judged = stability_of(overlap, self._pairs, seed)
            rows.append(_row(judged, told, overlap, rank, room, widest))
        return {name: np.stack([row[name] for row in rows]) for name in rows[0]}


def _row(
    judged: Stability, told: _Told, overlap: np.ndarray, rank: int, room: int, widest: int
) -> dict[str, np.ndarray]:
    held = np.concatenate(told.held)
    additivity = np.concatenate(told.additivity or [np.zeros(0)])
    missing = widest - len(overlap)
    padded = {
        "overlap": np.pad(overlap, ((0, missing), (0, missing), (0, 0)), constant_values=np.nan),
        "stability": np.pad(judged.stability, (0, missing), constant_values=np.nan),
        "confusion": np.pad(judged.confusion, (0, missing), constant_values=np.nan),
    }
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
        "unheard": np.isnan(held).mean(),
        "additivity_error": np.mean(additivity) if additivity.size else np.nan,
        "tree_error": told.tree[0],
        "tree_error_shuffled": told.tree[1],
    }
    return padded | {name: np.asarray(value, dtype=float) for name, value in numbers.items()}


def _tree_errors(parts: np.ndarray, heard: Tensor) -> tuple[float, float]:
    vectors = heard.flatten(1).numpy()
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
        "condition": np.arange(len(conditions)),
        "component_kind": np.array([c.kind for c in conditions]),
        "density": np.array([c.density for c in conditions]),
        "component_level_dbfs": np.array([c.level_dbfs for c in conditions]),
        "component_frequency": frequency,
        "component_label": label,
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
    question="Does a partial, pitch or chord keep a place of its own when others sound?",
    variables=VARIABLES["compositionality"],
    measure=compositionality,
    refuses=refuse_codes_alone,
    compared=Compared("component", ("index", "stability", "confusion"), _of_components),
    known=(
        Known("filterbank:stft", "index of partials in company", 0.99, 1.0, "at least 0.99",
              mean_of("index", "partial")),
        Known("control:decimator", "index of partials in company", *near(0, 0.01, "0.00 ± 0.01"),
              mean_of("index", "partial")),
        Known("control:decimator", "additivity error of partials in company", 0, 1e-6, "0",
              mean_of("additivity_error", "partial")),
        Known("control:texture", "index of partials in company", -0.05, 0.05, "at most 0.05",
              mean_of("index", "partial")),
        Known("filterbank:stft_magnitude", "index of partials in company", 0.5, 0.75, "0.5 to 0.75",
              mean_of("index", "partial")),
        Known("filterbank:stft_magnitude", "AUC of partials in company", 0.99, 1.0, "at least 0.99",
              mean_of("auc", "partial")),
    ),
)  # fmt: skip
