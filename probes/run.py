"""The main job: probe encoders beside their baselines and controls, and keep the result."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
import xarray as xr
import zarr

from ..encoders.base import Encoder
from ..encoders.registry import hears_melodies, load
from ..synth.errors import InputError
from ..synth.stimuli import StimulusSet
from .battery import Settings, measures, played
from .claims import registered
from .coherence import coherent_partials
from .hypotheses import evaluate
from .progress import Progress
from .schema import SCHEMA_VERSION, stimuli_dataset, subject_attributes
from .selectivity import chosen_stages
from .signals import representability_signals
from .store import ZARR_FORMAT, fresh

CONTROLS = (
    "filterbank:stft",
    "filterbank:stft_magnitude",
    "filterbank:gammatone",
    "control:decimator",
    "control:texture",
    "control:rectifier",
)
VERSIONED = ("tonotopy", "torch", "numpy", "scipy", "numba", "librosa", "encodec", "xarray", "zarr")


@dataclass(frozen=True)
class Subject:
    """Somebody who is heard: an encoder, a random baseline of one, or a control."""

    node: str
    role: str
    of: str
    encoder: Encoder
    stages: tuple[str, ...] | None


def probe(
    encoders: Sequence[str | Encoder],
    out: str | Path,
    settings: Settings | None = None,
    *,
    weights: str = "pretrained",
    progress: Progress | None = None,
) -> Path:
    """Probe encoders with partials, pitches and chords, beside random baselines and controls.

    Parameters
    ----------
    encoders : sequence of str or Encoder
        Names that `load` knows, or encoders at hand (from `wrap`, say).
    out : path
        Folder for the result, a zarr store that ``xarray.open_datatree`` reads; it must not exist.
        Work in progress lies in ``<out>.partial``; the same call takes it up where it stopped.
    settings : Settings, optional
    weights : {"pretrained", "random"} or path
        Passed to `load` for encoders given by name.
    progress : Progress, optional

    Returns
    -------
    out : Path

    Raises
    ------
    InputError
        If an encoder or a stage is not there, the grid is not playable, or `out` exists.
    """
    settings = settings or Settings()
    out = fresh(out)
    if not encoders:
        raise InputError("encoders: none given")
    for name in encoders:
        if isinstance(name, str) and hears_melodies(name):
            raise InputError(
                f"encoder {name!r}: hears melodies, not waveforms: ask `tonotopy latents {name}`"
            )
    stimuli = played(settings)
    heard = [
        (e if not isinstance(e, str) else load(e, weights=weights, seed=settings.seed)) for e in encoders
    ]
    twins = [_twins(origin, encoder) for origin, encoder in zip(encoders, heard, strict=True)]
    _check(heard, twins, settings)
    work = _Work(out, settings, stimuli, heard)
    work.do("stimuli", lambda: _keep_stimuli(work.store, stimuli, provenance(settings, heard)))
    for subject in subjects_to_hear(heard, twins, settings):
        about = subject_attributes(subject.encoder, subject.role, subject.of)
        _set_attributes(work.store / subject.node, about)
        where = work.store / subject.node
        asked = measures(subject.encoder, subject.stages, stimuli, settings, where, progress)
        for name, measure in asked.items():
            work.do(f"{subject.node}/{name}", measure)
    work.do("hypotheses", lambda: _judge(work.store, settings.seed))
    zarr.consolidate_metadata(str(work.store), zarr_format=ZARR_FORMAT)
    os.replace(work.store, out)
    shutil.rmtree(work.folder)
    return out


def _check(
    heard: Sequence[Encoder], twins: Sequence[Callable[[int], Encoder] | None], settings: Settings
) -> None:
    """Refuse what could not be run to its end, before anything is written."""
    nodes = [_node(encoder.name) for encoder in heard]
    for encoder, twin, node in zip(heard, twins, nodes, strict=True):
        if nodes.count(node) > 1:
            raise InputError(f"encoder {encoder.name!r}: given twice")
        if node == "stimuli":
            raise InputError("encoder 'stimuli': the name is taken in every run; give it another")
        stages = chosen_stages(encoder, settings.stages)
        powerless = [p for p in ("tiling", "compositionality", "readout") if p in settings.probes]
        if powerless and all(encoder.stages[s].kind == "codes" for s in stages):
            raise InputError(
                f"{powerless[0]}: {', '.join(stages)} of {encoder.name} holds codes, which have no response; "
                "leave it out of the probes"
            )
        if "aliasing" in settings.probes:
            coherent_partials(encoder, stages, low_hz=settings.low_hz, high_hz=settings.high_hz)
            representability_signals(encoder.sample_rate, settings.recordings, settings.seed)
        if settings.baselines and twin is None and encoder.weights.source != "none":
            raise InputError(f"encoder {encoder.name!r}: has no random baseline; ask for baselines=0")
        if settings.high_hz >= encoder.sample_rate / 2:
            raise InputError(
                f"high_hz {settings.high_hz:g}: must lie below {encoder.sample_rate / 2:g} Hz, "
                f"the Nyquist frequency of {encoder.name}"
            )


def subjects_to_hear(
    heard: Sequence[Encoder], twins: Sequence[Callable[[int], Encoder] | None], settings: Settings
) -> Iterator[Subject]:
    """Yield the encoders, each followed by its random baselines, then the controls."""
    for encoder, twin in zip(heard, twins, strict=True):
        node = _node(encoder.name)
        yield Subject(node, "encoder", "", encoder, settings.stages)
        if twin is not None:
            for i, baseline in enumerate(_others(encoder, twin, settings)):
                yield Subject(f"{node}.random{i}", "baseline", node, baseline, settings.stages)
    rates = sorted({encoder.sample_rate for encoder in heard})
    for rate in rates if settings.controls else ():
        for name in CONTROLS:
            if any(encoder.name == name and encoder.sample_rate == rate for encoder in heard):
                continue  # it is heard already, as an encoder
            suffix = f".{rate}" if len(rates) > 1 else ""
            control = load(name, seed=settings.seed, sample_rate=rate)
            yield Subject(_node(name) + suffix, "control", "", control, None)


def _twins(origin: str | Encoder, encoder: Encoder) -> Callable[[int], Encoder] | None:
    """Return what draws an encoder's architecture anew from a seed; None for what has no weights to draw."""
    if encoder.weights.source == "none":
        return None
    own = getattr(encoder, "randomised", None)
    if own is None and isinstance(origin, str):
        return lambda seed: load(origin, weights="random", seed=seed)
    return own


def _others(encoder: Encoder, twin: Callable[[int], Encoder], settings: Settings) -> Iterator[Encoder]:
    """Draw the baselines; a draw that happens to be the encoder itself is none."""
    found, seed = 0, settings.seed
    while found < settings.baselines:
        baseline, seed = twin(seed), seed + 1
        if baseline.weights.sha256 != encoder.weights.sha256:
            found += 1
            yield baseline
        elif seed > settings.seed + settings.baselines + 1:
            raise InputError(f"encoder {encoder.name!r}: its random baseline does not depend on the seed")


class _Work:
    """Work in progress in ``<out>.partial``: the store to be, and beside it the list of what is done."""

    def __init__(
        self, out: Path, settings: Settings, stimuli: dict[str, StimulusSet], heard: Sequence[Encoder]
    ) -> None:
        self.folder = out.with_name(out.name + ".partial")
        self.store, self._marker = self.folder / "store", self.folder / "finished.json"
        told = [SCHEMA_VERSION, *(f"{name} {version(name)}" for name in VERSIONED), repr(settings)]
        told += [s.sha256 for s in stimuli.values()]
        for encoder in heard:
            told += [encoder.name, encoder.weights.sha256, str(encoder.sample_rate), repr(encoder.stages)]
            told += [repr(getattr(encoder, "taps", ""))]
        self._fingerprint = hashlib.sha256("\n".join(told).encode()).hexdigest()
        self._done: list[str] = []
        left = self._left()
        if left.get("fingerprint") == self._fingerprint:
            self._done = [name for name in left["done"] if (self.store / name).exists()]
            return
        if left:
            shutil.rmtree(self.folder)  # of other settings, weights or versions
        elif self.folder.exists() and any(self.folder.iterdir()):
            raise InputError(
                f"output {self.folder}: exists and is not an unfinished run; remove it or choose another"
            )
        self.folder.mkdir(parents=True, exist_ok=True)
        self._note()

    def _left(self) -> dict[str, Any]:
        try:
            left = json.loads(self._marker.read_text())
        except (OSError, ValueError):
            return {}
        return left if isinstance(left, dict) and isinstance(left.get("done"), list) else {}

    def do(self, name: str, step: Callable[[], object]) -> None:
        """Take the step that fills group `name`, unless it was taken before."""
        if name not in self._done:
            shutil.rmtree(self.store / name, ignore_errors=True)  # what a killed step left of it
            step()
            self._done.append(name)
            self._note()

    def _note(self) -> None:
        # outside the folder until it is whole, so that a half-written list is never found
        beside = self.folder.with_name(self.folder.name + ".json")
        beside.write_text(json.dumps({"fingerprint": self._fingerprint, "done": self._done}))
        os.replace(beside, self._marker)


def _keep_stimuli(store: Path, stimuli: dict[str, StimulusSet], attributes: Mapping[str, Any]) -> None:
    _set_attributes(store, attributes)
    _set_attributes(store / "stimuli", {})
    for kind, played_set in stimuli.items():
        stimuli_dataset(played_set).to_zarr(
            str(store / "stimuli" / kind), mode="w", zarr_format=ZARR_FORMAT, consolidated=False
        )


def _judge(store: Path, seed: int) -> None:
    """Give the verdicts that what was measured allows, a group of each encoder and baseline."""
    with xr.open_datatree(store, engine="zarr", chunks=None, consolidated=False) as run:
        for node, verdicts in evaluate(run, registered(), seed).items():
            verdicts.to_zarr(
                str(store / node / "hypotheses"), mode="w", zarr_format=ZARR_FORMAT, consolidated=False
            )


def provenance(settings: Settings, heard: Sequence[Encoder]) -> dict[str, object]:
    """Say where a run came from: the root's attributes."""
    versions = {name: version(name) for name in VERSIONED} | {"python": platform.python_version()}
    return {
        "schema_version": SCHEMA_VERSION,
        "created_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "versions": json.dumps(versions),
        "device": ", ".join(sorted({str(encoder.device) for encoder in heard})),
        "precision": "float32",
        "seed": settings.seed,
        "settings": repr(settings),
        "command": " ".join([Path(sys.argv[0]).name, *sys.argv[1:]]),
        "platform": f"{platform.system()} {platform.machine()}, {torch.get_num_threads()} threads",
        "encoders": ", ".join(encoder.name for encoder in heard),
        "weights_sha256": ", ".join(encoder.weights.sha256 for encoder in heard),
    }


def _set_attributes(path: Path, attributes: Mapping[str, Any]) -> None:
    zarr.open_group(str(path), mode="a", zarr_format=ZARR_FORMAT).attrs.update(dict(attributes))


def _node(name: str) -> str:
    return name.replace(":", ".").replace("/", ".")
