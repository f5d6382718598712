"""Runs: reading them back, and who belongs to whom in them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import xarray as xr

from ..probes.engine.schema import BY_MODALITY, baseline_kind, run_name, short_hash, subjects
from ..probes.engine.zarr_files import read_tree
from ..probes.run.earlier import up_to_date
from ..probes.run.schema import validate
from ..synth.errors import InputError


@dataclass(frozen=True)
class Subject:
    """An encoder of a run with its baselines, or a control.

    Parameters
    ----------
    node : str
        Its name in the run.
    tree : xarray.DataTree
        What was measured of it, a group a probe.
    baselines : tuple of xarray.DataTree
        The same of its architecture with other weights, in every kind: "random", "matched", "permuted".
    label : str
        What it is called where its encoder's name would not tell it from another.
    """

    node: str
    tree: xr.DataTree
    baselines: tuple[xr.DataTree, ...] = ()
    label: str = ""
    _loaded: dict[tuple[int, str], xr.Dataset | None] = field(default_factory=dict, repr=False, compare=False)

    @property
    def name(self) -> str:
        """What it is called: its label, or else the encoder's name."""
        return self.label or self.encoder

    @property
    def encoder(self) -> str:
        """The encoder's name."""
        return str(self.tree.attrs["encoder"])

    @property
    def modality(self) -> str:
        """What it takes: "waveform", "melody"."""
        return str(self.tree.attrs["modality"])

    @property
    def sample_rate(self) -> int:
        """Samples per second; 0 for what takes no waveforms."""
        return int(self.tree.attrs.get("sample_rate", 0))

    @property
    def layout(self) -> tuple[str, ...]:
        """What it takes and gives, in words: "24,000 samples per second"."""
        words = {"sample_rate": "samples per second"}
        names = BY_MODALITY.get(self.modality, ())
        return tuple(f"{self.tree.attrs[n]:,} {words.get(n, n.replace('_', ' '))}" for n in names)

    def by_kind(self, probe: str) -> dict[str, list[xr.Dataset]]:
        """Return what a probe found of the baselines, by kind: "random", "matched", "permuted"."""
        found: dict[str, list[xr.Dataset]] = {}
        for baseline in self.baselines:
            if (one := self._result(baseline, probe)) is not None:
                found.setdefault(baseline_kind(baseline), []).append(one)
        return found

    def _result(self, tree: xr.DataTree, probe: str) -> xr.Dataset | None:
        """Read what a probe found from where it lies, once: a page asks for it many times."""
        key = id(tree), probe
        if key not in self._loaded:
            self._loaded[key] = tree[probe].to_dataset().load() if probe in tree.children else None
        return self._loaded[key]

    @property
    def refused(self) -> str:
        """Which probes had nothing to measure, and why: "codes: it has no codes"; empty if all had."""
        return str(self.tree.attrs.get("refused", ""))

    def result(self, probe: str) -> xr.Dataset | None:
        """Return what a probe found, or None."""
        return self._result(self.tree, probe)

    @property
    def not_drawn(self) -> str:
        """Which kinds of baselines it has none of, and why; empty if all that were requested are there."""
        return str(self.tree.attrs.get("not_drawn", ""))

    def drawn(self, kind: str = "random") -> list[xr.DataTree]:
        """Return the baselines of a kind."""
        return [one for one in self.baselines if baseline_kind(one) == kind]

    def of_baselines(self, probe: str, kind: str = "random") -> list[xr.Dataset]:
        """Return what a probe found of the baselines of a kind."""
        found = [self._result(baseline, probe) for baseline in self.drawn(kind)]
        return [one for one in found if one is not None]


def read_run(source: str | Path | xr.DataTree) -> xr.DataTree:
    """Open a run and check it against the schema.

    Parameters
    ----------
    source : path or xarray.DataTree

    Raises
    ------
    InputError
        If it is missing, unfinished, no run, of another schema, or holds no encoder, nor a control.
    """
    if isinstance(source, xr.DataTree):
        return _checked(source, "run")
    path = Path(source)
    if path.name.endswith(".partial") or path.parent.name.endswith(".partial"):
        raise InputError(
            f"run {path}: not finished; give the same 'tonotopy probe' again, it goes on from there"
        )
    if not path.exists():
        partial = path.with_name(path.name + ".partial")
        raise InputError(f"run {path}: {'not finished yet' if partial.exists() else 'no such folder'}")
    try:
        tree = read_tree(path)
    except Exception as error:  # the readers behind xarray raise whatever they like
        reason = (str(error).splitlines() or [""])[0] or type(error).__name__
        raise InputError(f"run {path}: cannot be read as a zarr store ({reason[:120]})") from None
    tree.attrs.setdefault("name", path.stem)
    return _checked(tree, f"run {path}")


def _checked(tree: xr.DataTree, origin: str) -> xr.DataTree:
    tree = up_to_date(tree)
    try:
        validate(tree)
    except InputError as error:
        raise InputError(str(error).replace("run", origin, 1)) from None
    if not subjects(tree):
        raise InputError(f"{origin}: holds no encoder")
    return tree


def encoders_of(tree: xr.DataTree) -> list[Subject]:
    """Return the encoders of a run, each with the baselines that are its own."""
    baselines = subjects(tree, "baseline").values()
    return [
        Subject(node, encoder, tuple(b for b in baselines if b.attrs["of"] == node))
        for node, encoder in subjects(tree, "encoder").items()
    ]


def named_apart(trees: Sequence[xr.DataTree]) -> list[Subject]:
    """Return the encoders of several runs, no two of them called the same.

    Those of one name are called as their runs are, or, where that is not theirs alone, by the beginning of
    the weights' SHA-256 as well, and where they have that in common by a number.
    """
    found = [(tree, one) for tree in trees for one in encoders_of(tree)]
    shared = Counter(one.name for _, one in found)
    of_runs = Counter((one.name, run_name(tree)) for tree, one in found)
    called = []
    for tree, one in found:
        alone = run_name(tree) and of_runs[one.name, run_name(tree)] == 1
        apart = run_name(tree) if alone else f"{one.name} {short_hash(one.tree)}"
        called.append(apart if shared[one.name] > 1 else one.name)
    times: Counter[str] = Counter()
    labelled = []
    for name, (_, one) in zip(called, found, strict=True):
        times[name] += 1
        labelled.append(replace(one, label=f"{name} ({times[name]})" if times[name] > 1 else name))
    return labelled


def played_in(tree: xr.DataTree) -> dict[str, xr.Dataset]:
    """Return the stored specifications of what a run played, by kind: partials, then pitches, then chords."""
    if "stimuli" not in tree.children:
        return {}
    order = ("partials", "pitches", "chords")
    found = {str(kind): node.to_dataset() for kind, node in tree["stimuli"].children.items()}
    return {k: found[k] for k in (*order, *(k for k in found if k not in order)) if k in found}


def controls_of(tree: xr.DataTree) -> dict[str, Subject]:
    """Return the controls of a run by node name."""
    return {node: Subject(node, control) for node, control in subjects(tree, "control").items()}
