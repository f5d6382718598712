"""Codes: whether a partial keeps its tokens among other sounds, and how firmly tokens are decided."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
import xarray as xr
from torch import Tensor

from ...encoders.abilities import codebooks_of
from ...encoders.base import Encoder, Stage
from ...encoders.quantization import residual_quantization
from ...synth.contexts import OtherPartials
from ...synth.errors import InputError
from ...synth.partials import partials_at
from ...synth.stimuli import Partial, StimulusSet
from ..engine.grid import partial_grid
from ..engine.known import Known, mean_of
from ..engine.probe import Compared, Probe
from ..engine.respond import Plan, respond
from ..engine.runtime import flushing_denormals, holding_memory
from ..engine.schema import dataset, stage_coordinates
from ..engine.session import Session
from ..engine.stages import check_single, run_attributes
from ..statistics.information import information
from .code_stability import certainty, code_stability, relative_margins
from .reuse import CHOOSING_CONTEXTS, agreements
from .variables import VARIABLES

TILE_SECONDS = 8.0  # held fixed: another batch rounds otherwise, and a narrow decision then falls otherwise
BAND_OCTAVES = 1 / 3  # others nearer than a third octave are in one band with a partial
QUANTILES = (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99)
_AXES = ("delay", "generation", "arithmetic")


def codes(
    session: Session[Encoder],
    components: StimulusSet | None = None,
    *,
    contexts: int = 8,
    density: int = 4,
    phases: int = 8,
    frames: int = 4,
) -> xr.Dataset:
    """Ask of an encoder's tokens whether a partial keeps them among other sounds, and how firm they are.

    Every component is played in every context, at equally spaced phases. The context is the same for all:
    partials half-way between the components' frequencies, as loud as they, at random phases.

    Parameters
    ----------
    session : Session
        Of an encoder with a stage of kind "codes"; the deepest counts.
    components : StimulusSet, optional
        Single partials of one level; by default 16 from 120 to 6000 Hz (0.45 of the sample rate, if
        that is less) at -20 dBFS.
    contexts : int >= 2
        How many contexts.
    density : int > 0
        Partials in each.
    phases : int >= 2
    frames : int > 0
        Steady frames wanted of every sound.

    Returns
    -------
    found : xarray.Dataset
        See `tokens.variables`, "codes". Per component and codebook: the agreement of codes

        - `agreement_same`: the same partial at the same phase in the same frame, among other sounds;
        - `agreement_different`: another partial among other sounds, which is what chance gives;
        - `agreement_context`: another partial in the same context;
        - `agreement_phase`: the same partial in the same context at another phase.

        Their difference is the reuse of a codebook's codes; its p comes from dealing the partials anew
        within every context. Variables named `joint_...` ask of all codebooks up to one at once. `reuse`
        is that of the codebook, or number of codebooks, that suits a partial best, chosen in other
        contexts, of those without another partial within a third octave (see `reuse.reuse`). Then the
        information about which partial sounds, as a decoder trained in other contexts reads it (see
        `information`), the entries in use, the margins of decisions, and their stability (see
        `code_stability`).

    Raises
    ------
    InputError
        If the encoder has no codes, there is but one context, or fewer components than a context needs.

    Examples
    --------
    >>> from tonotopy.encoders import load
    >>> from tonotopy.probes import Session
    >>> found = codes(Session(load("control:texture")), contexts=2, phases=3)
    >>> dict(found.agreement_same.sizes)
    {'stage': 1, 'component': 16, 'codebook': 1}
    """
    encoder, seed = session.encoder, session.seed
    stage = _codes_stage(encoder)
    components = default_components(encoder) if components is None else components
    _check(encoder, components, contexts, density, phases)
    context_sounds = drawn_contexts(components, contexts, density, seed)
    stimuli = components.in_contexts(context_sounds)
    books = _codebooks(encoder)
    stages = ["latent", stage.name] if books else [stage.name]
    record = _Accumulator(len(stimuli), phases, books)
    plan = respond(
        session.tiled(TILE_SECONDS), stimuli, stages, record.reduce, record.write,
        phases=phases, frames=frames,
        label=f"{encoder.name}: {len(stimuli)} partials among others",
    )  # fmt: skip
    n = len(components)
    tokens = record.arrays["code"].reshape(n, contexts, *record.arrays["code"].shape[1:])  # [n, C, K, Q, F]
    tokens = tokens.swapaxes(-1, -2)  # [n, C, K, F, Q]
    alone = _contexts_alone(encoder, stage, context_sounds, components, plan)  # [C, F, Q]
    values = (
        agreements(tokens, seed, _apart(components, context_sounds))
        | _information(tokens, seed)
        | _usage(tokens, books)
    )
    values["change_probability"] = (tokens != alone).mean((1, 2, 3))
    each = stimuli[np.arange(n) * contexts + np.arange(n) % contexts]  # every component in one context
    stability = code_stability(encoder, stage, each, plan, books)
    values |= {name: v for name, v in stability.items() if name not in _AXES}
    values |= _margins(record)
    remark = _remark(encoder, books, "generation" in stability, plan.listening[stage.name].settled, values)
    return dataset(
        VARIABLES["codes"],
        {
            **{name: np.asarray(v)[None] for name, v in values.items()},
            **{name: v for name, v in stability.items() if name in _AXES},
            **_coordinates(encoder, stage, plan),
            "component": components.columns["frequency_hz"],
            "codebook": np.arange(1, tokens.shape[-1] + 1),
            "quantile": np.array(QUANTILES),
            "remark": np.array([remark]),
        },
        {**run_attributes(phases, plan, stimuli), "contexts": contexts, "density": density,
         "information_limit": float(np.log2(n)), "weights_note": encoder.weights.note},
    )  # fmt: skip


def default_components(encoder: Encoder) -> StimulusSet:
    """Return 16 partials from 120 Hz to 6000 Hz, or to 0.45 of the sample rate, at -20 dBFS."""
    return partials_at(partial_grid(encoder.sample_rate))


def drawn_contexts(
    components: StimulusSet, contexts: int, density: int, seed: int
) -> tuple[OtherPartials, ...]:
    """Deal partials half-way (by ratio) between neighbouring components to contexts, as evenly as can be.

    Examples
    --------
    >>> from tonotopy.synth import partials
    >>> first, second = drawn_contexts(partials(100, 1600, per_octave=1), contexts=2, density=2, seed=0)
    >>> sorted(round(p.frequency_hz, 1) for p in (*first.partials, *second.partials))
    [141.4, 282.8, 565.7, 1131.4]
    """
    frequency = np.sort(components.columns["frequency_hz"])
    between = np.sqrt(frequency[1:] * frequency[:-1])
    amplitude = float(components.columns["amplitude"][0])
    generator = np.random.default_rng(seed)
    uses = np.zeros(len(between), dtype=int)
    dealt = []
    for number in range(contexts):
        chosen = np.lexsort((generator.random(len(between)), uses))[:density]
        uses[chosen] += 1
        phase = generator.uniform(0, 2 * np.pi, density)
        others = [Partial(float(between[i]), amplitude, float(p)) for i, p in zip(chosen, phase, strict=True)]
        dealt.append(OtherPartials(tuple(others), f"context {number + 1}"))
    return tuple(dealt)


def _apart(components: StimulusSet, context_sounds: tuple[OtherPartials, ...]) -> np.ndarray:
    """Whether no partial of a context lies in one band with a component, bool [N, C]."""
    own = components.columns["frequency_hz"]
    others = np.array([[p.frequency_hz for p in context.partials] for context in context_sounds])
    octaves = np.abs(np.log2(own[:, None, None] / others))  # [N, C, density]
    return np.asarray((octaves >= BAND_OCTAVES).all(-1))


def _information(tokens: np.ndarray, seed: int) -> dict[str, np.ndarray]:
    """Information of every codebook, and of all up to it: [N, Q] and [Q]."""
    n, contexts, *_, books = tokens.shape
    each, joint = information(tokens.reshape(n, contexts, -1, books), seed)
    values = {}
    for name, one in (("information", each), ("joint_information", joint)):
        values |= {
            name: one.bits,
            f"{name}_null": one.null_bits,
            f"{name}_p": one.p,
            f"{name}_seen": one.seen,
        }
    return values


def _usage(tokens: np.ndarray, codebooks: tuple[Tensor, ...]) -> dict[str, np.ndarray]:
    """Entries there are, entries in use, and perplexity: [Q]."""
    used, perplexity = [], []
    for q in range(tokens.shape[-1]):
        _, counts = np.unique(tokens[..., q], return_counts=True)
        share = counts / counts.sum()
        used.append(len(counts))
        perplexity.append(2.0 ** -(share @ np.log2(share)))
    entries = [len(book) for book in codebooks] or [np.nan] * len(used)
    return {"entries": np.array(entries, float), "used": np.array(used), "perplexity": np.array(perplexity)}


class _Accumulator:
    """Keeps the codes of every tile, and how firmly they were decided where codebooks are known."""

    def __init__(self, n_stimuli: int, phases: int, codebooks: tuple[Tensor, ...]) -> None:
        self.codebooks = codebooks
        self.arrays: dict[str, np.ndarray] = {}
        self._shape = (n_stimuli, phases)

    def reduce(
        self, stage: Stage, stimuli: StimulusSet, activations: Tensor, silence: Tensor
    ) -> dict[str, Tensor]:
        if not stage.has_power:
            return {"code": activations}  # [b, K, Q, F]
        latent = activations.transpose(-1, -2)  # [b, K, F, D]
        made = residual_quantization(latent, self.codebooks)
        return {"margin": relative_margins(made), "narrow": certainty(latent, made) < 1}

    def write(self, stage: str, rows: slice, values: Mapping[str, np.ndarray]) -> None:
        for name, block in values.items():
            if name not in self.arrays:
                self.arrays[name] = np.zeros((*self._shape, *block.shape[2:]), block.dtype)
            self.arrays[name][rows] = block


def _contexts_alone(
    encoder: Encoder,
    stage: Stage,
    context_sounds: tuple[OtherPartials, ...],
    components: StimulusSet,
    plan: Plan,
) -> np.ndarray:
    """Codes of every context by itself, [C, 1, F, Q]."""
    rms = float(components.rms[0])
    sounds = [context.render(plan.n_samples, encoder.sample_rate, rms) for context in context_sounds]
    with flushing_denormals(), holding_memory():
        record = encoder.run(torch.from_numpy(np.stack(sounds)), [stage.name])[stage.name]
    listening = plan.listening[stage.name]
    steady = record[..., listening.first : listening.first + listening.frames]
    return steady.transpose(1, 2).cpu().numpy()[:, None]


def _margins(record: _Accumulator) -> dict[str, np.ndarray]:
    """Quantiles of the margins, [quantile, Q], and the share of decisions that rounding may turn, [Q]."""
    if "margin" not in record.arrays:
        return {}
    margin, narrow = (a.reshape(-1, a.shape[-1]) for a in (record.arrays["margin"], record.arrays["narrow"]))
    return {"margin": np.quantile(margin, QUANTILES, axis=0), "narrow_share": narrow.mean(0)}


def _coordinates(encoder: Encoder, stage: Stage, plan: Plan) -> dict[str, np.ndarray]:
    about = stage_coordinates(encoder, [stage.name], plan)
    return {name: values for name, values in about.items() if name != "channel"}


def _codes_stage(encoder: Encoder) -> Stage:
    found = [stage for stage in encoder.stages.values() if not stage.has_power]
    if not found:
        raise InputError(
            f"codes: {encoder.name} has no stage of kind 'codes'; it has {', '.join(encoder.stages)}"
        )
    return found[-1]


def _codebooks(encoder: Encoder) -> tuple[Tensor, ...]:
    """Return the codebooks that decide on the stage "latent", if the encoder tells them."""
    return codebooks_of(encoder) if "latent" in encoder.stages else ()


def _check(encoder: Encoder, components: StimulusSet, contexts: int, density: int, phases: int) -> None:
    check_single(components, "codes")
    for name, value, least in (("contexts", contexts, 2), ("phases", phases, 2), ("density", density, 1)):
        if value < least:
            raise InputError(f"{name} {value}: codes needs at least {least}")
    if len(components) <= density:
        raise InputError(f"density {density}: codes puts others between components, and {len(components)} "
                         f"leave room for {len(components) - 1}")  # fmt: skip
    if np.ptp(components.columns["amplitude"]) > 0:
        raise InputError("codes: takes components of one level")


def _remark(
    encoder: Encoder,
    codebooks: tuple[Tensor, ...],
    decoded: bool,
    settled: bool,
    values: Mapping[str, np.ndarray],
) -> str:
    said = [encoder.weights.note] if encoder.weights.note else []
    if np.isnan(values["reuse"]).all():
        said.append(
            f"no reuse: to choose among codebooks takes {CHOOSING_CONTEXTS} contexts without a partial near"
        )
    unknown = np.flatnonzero(np.isnan(values["information"]).all(0)) + 1
    if len(unknown):
        numbers = ", ".join(map(str, unknown))
        said.append(f"no information of codebooks {numbers}: their codes hardly recur in other contexts")
    if not codebooks:
        said.append("no margins: its codebooks or its latent are not known")
    if not decoded:
        said.append("no generations: it cannot decode")
    if not settled:
        said.append("no steady state was reached: codes are from the middle of what was measured")
    return "; ".join(said)


def _refuses(session: Session[Encoder], **_: object) -> str | None:
    stages = session.encoder.stages
    if any(stages[name].is_integer for name in session.stages or stages):
        return None
    return (
        f"{session.encoder.name} has no codes: it needs a stage of integers (your own network: "
        "wrap(..., {'codes': SUBMODULE}))"
    )


CODES = Probe(
    "codes",
    question="Does a partial keep its tokens when others sound, and how firm are they?",
    variables=VARIABLES["codes"],
    measure=codes,
    refuses=_refuses,
    compared=Compared("component", ("agreement_same", "agreement_different", "information")),
    known=(
        Known("control:texture", "share of codes that a partial keeps among other sounds", 0, 0.05,
              "at most 0.05", mean_of("agreement_same")),
        Known("control:texture", "reuse of codes", -0.05, 0.05, "0 ± 0.05", mean_of("reuse")),
        Known("control:band_codec", "reuse of codes", 0.9, 1.0, "at least 0.9", mean_of("reuse")),
        Known("control:dominant_codec", "reuse of codes", -0.05, 0.3, "at most 0.3", mean_of("reuse")),
    ),
)  # fmt: skip
