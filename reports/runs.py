"""Runs: reading them back, and who belongs to whom in them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import xarray as xr

from ..probes.engine.schema import subjects
from ..probes.run.schema import validate
from ..synth.errors import InputError


@dataclass(frozen=True)
class Heard:
    """An encoder of a run with its random baselines."""

    node: str
    encoder: xr.DataTree
    baselines: tuple[xr.DataTree, ...]

    @property
    def name(self) -> str:
        """What the encoder is called."""
        return str(self.encoder.attrs["encoder"])

    def probe(self, name: str) -> xr.Dataset | None:
        """Return what a probe found for the encoder, or None."""
        return _probe(self.encoder, name)

    def random(self, name: str) -> list[xr.Dataset]:
        """Return what a probe found for the baselines."""
        found = [_probe(baseline, name) for baseline in self.baselines]
        return [one for one in found if one is not None]


def _probe(subject: xr.DataTree, name: str) -> xr.Dataset | None:
    return subject[name].to_dataset().load() if name in subject.children else None


def read_run(source: str | Path | xr.DataTree) -> xr.DataTree:
    """Open a run and check it against the schema.

    Parameters
    ----------
    source : path or xarray.DataTree

    Raises
    ------
    InputError
        If it is missing, unfinished, no run, of another schema, or holds no encoder.
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
        tree = xr.open_datatree(path, engine="zarr", chunks=None)
    except Exception as error:  # the readers behind xarray raise whatever they like
        reason = (str(error).splitlines() or [""])[0] or type(error).__name__
        raise InputError(f"run {path}: cannot be read as a zarr store ({reason[:120]})") from None
    return _checked(tree, f"run {path}")


def _checked(tree: xr.DataTree, origin: str) -> xr.DataTree:
    try:
        validate(tree)
    except InputError as error:
        raise InputError(str(error).replace("run", origin, 1)) from None
    if not subjects(tree, "encoder"):
        raise InputError(f"{origin}: holds no encoder")
    return tree


def encoders_of(tree: xr.DataTree) -> list[Heard]:
    """Return the encoders of a run, each with the baselines that are its own."""
    baselines = subjects(tree, "baseline").values()
    return [
        Heard(node, encoder, tuple(b for b in baselines if b.attrs["of"] == node))
        for node, encoder in subjects(tree, "encoder").items()
    ]


def played_in(tree: xr.DataTree) -> dict[str, xr.Dataset]:
    """Return the stored specifications of what a run played, by kind: partials, then pitches, then chords."""
    if "stimuli" not in tree.children:
        return {}
    order = ("partials", "pitches", "chords")
    found = {str(kind): node.to_dataset() for kind, node in tree["stimuli"].children.items()}
    return {k: found[k] for k in (*order, *(k for k in found if k not in order)) if k in found}


def controls_of(tree: xr.DataTree) -> dict[str, Heard]:
    """Return the controls of a run by node name."""
    return {node: Heard(node, control, ()) for node, control in subjects(tree, "control").items()}
