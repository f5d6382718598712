"""The check of two encoders: whether a port or an export does what the original does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
import xarray as xr
from torch import Tensor

from ...encoders.abilities import codebooks_of
from ...encoders.base import Encoder, check_stages
from ...encoders.registry import load_for
from ...synth.errors import InputError
from ..engine.progress import Progress, progress_of
from .codebooks import explained_codes
from .decoding import decoded_stage, decoding
from .differences import Difference, differences
from .explanations import explained
from .findings import Finding
from .playing import Input, Pair, run
from .results import Found, as_tree
from .sounds import sounds_for
from .tokens import Flips, flips, quantizer_steps

TOLERANCE_DB = -70.0  # of float32, double precision differs by -87 behind an LSTM, half precision by -64
FEWEST_FRAMES = 48
TIES = 1e-3  # of frames: as many may differ where no codebooks tell how near a decision was
INPUTS = ("delay", "polarity", "gain", "padding")


def equivalence(
    first: str | Encoder,
    second: str | Encoder,
    *,
    stages: Sequence[str] | Mapping[str, str] | None = None,
    tolerance_db: float = TOLERANCE_DB,
    batch: int = 8,
    progress: Progress | bool | None = None,
) -> xr.DataTree:
    """Compare what two encoders, or codecs, answer to the same sounds, stage by stage.

    Parameters
    ----------
    first, second : str or Encoder
        The original and its port; a name is loaded with its published weights.
    stages : sequence of str, or mapping of str to str, optional
        Stages to compare; or the first's name of a stage -> the second's. By default those that both name
        alike.
    tolerance_db : float < 0
        A stage differs where the power of the difference is larger, re the response (the deviation from the
        answer to silence). Codes differ where one flips that lay farther from a decision than what the latent
        moved accounts for, and rounding.
    batch : int > 0
        Sounds that are played at once.
    progress : Progress or bool, optional

    Returns
    -------
    found : xarray.DataTree
        Groups and variables as in `ports.variables`: "stages", "codes" where both give codes,
        "round_trip" where one decodes, and "findings": the first stage that differs and what explains it,
        of the kinds in `ports.findings.KINDS`. The attribute `agrees` says whether there are none.

    Raises
    ------
    InputError
        If they are of different sample rates, have no stage in common, or one takes no waveforms.

    Notes
    -----
    Delay, polarity and gain come from the phase and level of single tones over frequency, which tells a
    fraction of a sample, and which period of a tone it is. An explanation is not taken from such numbers
    alone: the first is played the sounds later, louder or inverted, or runs with its weights rounded or
    its weight norms left out, and what is left of the difference is stated.

    Examples
    --------
    >>> found = equivalence("filterbank:stft", "filterbank:stft", progress=False)
    >>> found.attrs["agrees"], found["findings"].sizes["finding"]
    ('yes', 0)
    """
    if not -300 < tolerance_db < 0:
        raise InputError(f"tolerance {tolerance_db:g} dB: must lie below 0")
    if not (isinstance(batch, int) and batch > 0):
        raise InputError(f"batch {batch!r}: must be a whole number above 0")
    a, b = load_for("waveform", first), load_for("waveform", second)
    if a.sample_rate != b.sample_rate:
        raise InputError(
            f"check: {a.name} takes {a.sample_rate} Hz, {b.name} {b.sample_rate} Hz; they must take the same"
        )
    paired, left_out = _paired(a, b, stages)
    hops = [one.stages[s].hop for one, names in ((a, paired), (b, paired.values())) for s in names]
    n_samples = max(a.sample_rate // 2, FEWEST_FRAMES * max(hops))
    sounds = sounds_for(a.sample_rate, [1, *hops], n_samples)
    pair = Pair(a, b, paired, sounds, n_samples, batch)
    shown = progress_of(progress)
    with shown.task(f"{a.name} and {b.name}", len(sounds)) as advance:
        found = _found(pair, tolerance_db, advance)
    return as_tree(pair, found, tolerance_db, left_out)


def _paired(
    first: Encoder, second: Encoder, stages: Sequence[str] | Mapping[str, str] | None
) -> tuple[dict[str, str], list[str]]:
    """Return which stages are compared, in the first's order, and what is left out, and why."""
    if stages is None:
        named = {stage: stage for stage in first.stages if stage in second.stages}
        left = [f"{stage}: of {first.name} only" for stage in first.stages if stage not in second.stages]
        left += [f"{stage}: of {second.name} only" for stage in second.stages if stage not in first.stages]
    else:
        named, left = dict(stages) if isinstance(stages, Mapping) else {s: s for s in stages}, []
        check_stages(first, list(named))
        check_stages(second, list(named.values()))
        named = {stage: named[stage] for stage in first.stages if stage in named}
    noises = getattr(first, "noisy", ()), getattr(second, "noisy", ())
    noisy = [stage for stage, other in named.items() if stage in noises[0] or other in noises[1]]
    left += [f"{stage}: has noise of its own" for stage in noisy]
    named = {stage: other for stage, other in named.items() if stage not in noisy}
    if not named:
        raise InputError(
            f"check: no stage to compare: {first.name} has {', '.join(first.stages)}, {second.name} "
            f"{', '.join(second.stages)}" + ("; name pairs, as in latent=output" if not noisy else "; noisy")
        )
    return named, left


def _found(pair: Pair, tolerance_db: float, advance: Any) -> Found:
    geometry, findings = _geometry(pair)
    stages = [stage for stage in pair.stages if not _is_of_other_shape(geometry[stage])]
    tokens = _Tokens(pair, stages)
    measured = differences(pair, stages, tolerance_db, each=tokens.add, advance=advance) if stages else {}
    longer = replace(
        pair,
        sounds=pair.sounds[np.flatnonzero(pair.sounds.coordinates["sound"] == "noise")],
        n_samples=pair.n_samples + max(pair.first.stages[s].hop for s in pair.stages) // 2 + 1,
    )
    uneven = differences(longer, stages, tolerance_db) if stages else {}
    counted = tokens.counted()
    finding = _first_that_differs(pair, measured, uneven, longer, counted, tokens, tolerance_db)
    shapes = {one.stage for one in findings}
    if finding is not None and not (shapes and _is_deeper(pair, finding.stage, shapes)):
        findings = [*findings, finding]
    rest_db = _rest(pair, stages, findings, tolerance_db)
    decoded = decoding(pair, (tokens.coded(0), tokens.coded(1)), tolerance_db)
    if decoded.finding is not None:
        findings = [*findings, decoded.finding]
    return Found(
        geometry, measured, uneven, longer.n_samples, counted, rest_db,
        decoded.difference, decoded.trips, findings,
    )  # fmt: skip


def _geometry(pair: Pair) -> tuple[dict[str, dict[str, tuple[int, int]]], list[Finding]]:
    """Return hops, by the frames that further samples add, and channels; and where they differ first."""
    silence = torch.zeros(1, pair.n_samples), torch.zeros(1, 2 * pair.n_samples)
    names = list(pair.stages)
    runs = [(pair.of_first(one, names), pair.of_second(one, names)) for one in silence]
    found, findings = {}, []
    for stage, other in pair.stages.items():
        frames = [(run[0][stage].shape, run[1][stage].shape) for run in runs]
        added = [frames[1][side][2] - frames[0][side][2] for side in (0, 1)]
        declared = pair.first.stages[stage].hop, pair.second.stages[other].hop
        hops = tuple(
            hop if abs(count * hop - pair.n_samples) < hop else round(pair.n_samples / max(count, 1))
            for hop, count in zip(declared, added, strict=True)
        )
        found[stage] = {
            "hop": hops,
            "channels": (frames[0][0][1], frames[0][1][1]),
            "frames": (frames[0][0][2], frames[0][1][2]),
        }
        for what in ("hop", "channels"):
            one, two = found[stage][what]
            if one != two and not findings:
                findings.append(Finding(what, stage, values={"first": one, "second": two}))
    return found, findings


def _is_of_other_shape(about: Mapping[str, tuple[int, int]]) -> bool:
    return any(about[what][0] != about[what][1] for what in ("hop", "channels"))


def _is_deeper(pair: Pair, stage: str, others: set[str]) -> bool:
    order = list(pair.stages)
    return order.index(stage) > min(order.index(one) for one in others)


class _Tokens:
    """Keeps latents and codes of both until it can be told why codes differ."""

    def __init__(self, pair: Pair, stages: Sequence[str]) -> None:
        self.pair = pair
        self.coded_stages = decoded_stage(pair.first), decoded_stage(pair.second)
        names = {"latent", "codes", *self.coded_stages}
        self.kept = [stage for stage in stages if stage in names or pair.stages[stage] in names]
        self.parts: dict[tuple[str, int], list[Tensor]] = {}

    def add(self, rows: slice, first: Mapping[str, Tensor], second: Mapping[str, Tensor]) -> None:
        for stage in self.kept:
            for side, found in enumerate((first, second)):
                self.parts.setdefault((stage, side), []).append(found[stage])

    def of(self, stage: str, side: int) -> Tensor | None:
        parts = self.parts.get((stage, side))
        return None if parts is None else torch.cat(parts)

    def coded(self, side: int) -> Tensor | None:
        """Return what one of them decodes, of all sounds; None where it does not decode."""
        encoder = (self.pair.first, self.pair.second)[side]
        wanted = self.coded_stages[side]
        if wanted is None:
            return None
        for mine, theirs in self.pair.stages.items():
            if (mine, theirs)[side] == wanted and (found := self.of(mine, side)) is not None:
                return found
        parts = [
            run(encoder, self.pair.waveforms(rows), [wanted])[wanted].cpu() for rows in self.pair.batches()
        ]
        return torch.cat(parts)

    @property
    def codebooks(self) -> tuple[tuple[Tensor, ...], tuple[Tensor, ...]]:
        return codebooks_of(self.pair.first), codebooks_of(self.pair.second)

    def counted(self) -> Flips | None:
        """Count the codes that differ; None where one of them gives none."""
        codes = [self.of("codes", side) for side in (0, 1)]
        if codes[0] is None or codes[1] is None:
            return None
        latents = self.of("latent", 0), self.of("latent", 1)
        mine, theirs = self.codebooks
        if not mine and theirs:
            return flips(codes[1], codes[0], latents[1], latents[0], theirs)
        return flips(codes[0], codes[1], *latents, mine)


def _first_that_differs(
    pair: Pair,
    measured: Mapping[str, Difference],
    uneven: Mapping[str, Difference],
    longer: Pair,
    counted: Flips | None,
    tokens: _Tokens,
    tolerance_db: float,
) -> Finding | None:
    """Return the first stage that differs, with what explains it; None where none does."""
    before = ""
    for stage, one in measured.items():
        about = pair.first.stages[stage]
        for other in (one, uneven[stage]):
            if other.not_finite:
                which, sound = other.not_finite[0]
                return Finding("not finite", stage, sound, values={"which": which})
        if quantizer_steps(about, 1):
            finding = _codes_finding(pair, stage, one, counted, tokens)
            if finding is not None:
                return finding
        if not about.is_integer and one.db.max() > tolerance_db:
            return explained(pair, one, before, tolerance_db)
        for other, samples in ((one, pair.n_samples), (uneven[stage], longer.n_samples)):
            if other.frames[0] != other.frames[1]:
                values = {"first": other.frames[0], "second": other.frames[1], "samples": samples}
                return Finding("frames", stage, values=values)
        if about.is_integer:
            continue
        if (db := float(uneven[stage].db.max())) > tolerance_db:
            ends = {"leading": uneven[stage].leading, "trailing": uneven[stage].trailing}
            return Finding("length", stage, "noise", db, values={**ends, "samples": longer.n_samples})
        before = stage
    return None


def _codes_finding(
    pair: Pair, stage: str, one: Difference, counted: Flips | None, tokens: _Tokens
) -> Finding | None:
    """Return why codes differ beyond margin by as many steps as a stage has; None where they do not."""
    if counted is None:
        if one.moved.mean() <= TIES:
            return None
        return Finding("decisions", stage, values={"share": float(one.moved.mean())})
    about = pair.first.stages[stage]
    if not about.is_integer and one.moved.max() == 0:
        return None  # other codes, of the same entries
    steps = quantizer_steps(about, len(counted.beyond))
    beyond = int(counted.beyond[:steps].sum())
    if beyond == 0 or (not counted.has_margins and beyond <= max(1, TIES * counted.frames)):
        return None
    codes = [tokens.of("codes", side) for side in (0, 1)]
    assert codes[0] is not None
    assert codes[1] is not None
    return explained_codes(stage, counted, codes[0], codes[1], tokens.of("latent", 0), tokens.codebooks)


def _rest(
    pair: Pair, stages: Sequence[str], findings: Sequence[Finding], tolerance_db: float
) -> dict[str, float]:
    """Return what is left at every stage where the first is played what an explanation by its input says."""
    found = next((one for one in findings if one.kind in INPUTS and "delay" in one.values), None)
    if found is None:
        return {}
    deeper = stages[stages.index(found.stage) :]
    wanted = [s for s in deeper if not quantizer_steps(pair.first.stages[s], 1)]
    left = differences(pair, wanted, tolerance_db, _input_of(found))
    return {stage: float(one.inside_db[:-2].max()) for stage, one in left.items()}  # not burst and silence


def _input_of(one: Finding) -> Input:
    gain = float(one.values["polarity"]) * 10 ** (float(one.values["gain_db"]) / 20)
    return Input(float(one.values["delay"]), gain)
