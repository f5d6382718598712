"""Verdicts: what a run says of each hypothesis, beside random networks and beside the source."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import xarray as xr

from ..probes.hypotheses.deciding import UNDECIDED
from ..probes.hypotheses.hypothesis import REFUTED, SUPPORTED, Hypothesis
from ..probes.hypotheses.verdicts import DASH, NO_VERDICT, UNDECIDABLE, evaluate
from .runs import Subject
from .writing import counted, enumerated

GROUP = "hypotheses"
COPIED = ("source_expects", "agrees", "claim", "statement", "justification", "null", "method", "controls",
          "alternative", "needs", "remark")  # fmt: skip


@dataclass(frozen=True)
class VerdictRow:
    """A line of the table of verdicts, as it is read: every number with what it is held against.

    Parameters
    ----------
    name, stage, verdict, source_expects, agrees : str
    effect : str
        With its interval.
    threshold : str
        With the side on which the hypothesis holds.
    p : str
        Corrected over the family.
    random : str
        Verdicts and effects of the random networks.
    claim, statement, justification, null, method, controls, alternative, needs, remark : str
        What stands behind it.
    family, least_p : str
        What p is corrected over, with its size; the least corrected p that as many units could reach.
    """

    name: str
    stage: str
    verdict: str
    effect: str
    threshold: str
    p: str
    random: str
    source_expects: str
    agrees: str
    claim: str
    statement: str
    justification: str
    null: str
    method: str
    controls: str
    alternative: str
    needs: str
    remark: str
    family: str
    least_p: str


def judged(run: xr.DataTree, hypotheses: Sequence[Hypothesis], seed: int = 0) -> xr.DataTree:
    """Return a run with the verdicts that it gives about some hypotheses, whatever it held before."""
    run = run.copy()
    for node, verdicts in evaluate(run, hypotheses, seed).items():
        run[f"{node}/{GROUP}"] = xr.DataTree(verdicts)
    return run


def verdict_rows(subject: Subject) -> list[VerdictRow]:
    """Tabulate the verdicts about an encoder; none if its run was not judged."""
    found, random = subject.result(GROUP), subject.of_baselines(GROUP)
    if found is None:
        return []
    return [_row(found.isel(hypothesis=i), random) for i in range(found.sizes["hypothesis"])]


def _row(one: xr.Dataset, random: Sequence[xr.Dataset]) -> VerdictRow:
    def text(name: str) -> str:
        return str(one[name].item())

    effect, low, high = (float(one[name]) for name in ("effect", "low", "high"))
    beside = [r.sel(hypothesis=one["hypothesis"].item()) for r in random]
    return VerdictRow(
        name=spelled(text("hypothesis")),
        stage=text("judged_at"),
        verdict=text("verdict"),
        effect=DASH if not np.isfinite(effect) else f"{effect:z.2f} ({low:z.2f} to {high:z.2f})",
        threshold=sided(text("holds"), float(one["threshold"])),
        p=written_p(float(one["p_corrected"])),
        random=_random(beside),
        family=f"{text('family')}, {counted(int(one['family_size']), 'claim')}",
        least_p=written_p(float(one["least_p"])),
        **{name: text(name) for name in COPIED},
    )


def _random(beside: Sequence[xr.Dataset]) -> str:
    """Say what random networks got, "refuted 3 of 3, 0.01 to 0.02"."""
    if not beside:
        return DASH
    counts = Counter(str(r["verdict"].item()) for r in beside)
    said = ", ".join(f"{verdict} {count} of {len(beside)}" for verdict, count in counts.most_common())
    effects = [e for r in beside if np.isfinite(e := float(r["effect"]))]
    if not effects:
        return said
    low, high = f"{min(effects):z.2f}", f"{max(effects):z.2f}"
    return f"{said}; {low if low == high else f'{low} to {high}'}"


def spelled(name: str) -> str:
    """Write a hypothesis's name in words.

    Examples
    --------
    >>> spelled("alias_collapse")
    'alias collapse'
    """
    return name.replace("_", " ")


def sided(holds: str, threshold: float) -> str:
    """Write a threshold with the side on which the hypothesis holds.

    Examples
    --------
    >>> sided("above", 0.5), sided("within", 0.1)
    ('> 0.5', '± 0.1')
    """
    return {"above": "> ", "below": "< ", "within": "± "}[holds] + f"{threshold:.3g}"


def written_p(p: float) -> str:
    """Write a p-value with as many digits as say something.

    Examples
    --------
    >>> written_p(0.0004), written_p(0.032), written_p(0.6), written_p(float("nan"))
    ('< 0.001', '0.032', '0.60', '–')
    """
    if not np.isfinite(p):
        return DASH
    return "< 0.001" if p < 0.001 else f"{p:.3f}" if p < 0.1 else f"{p:.2f}"


def explained(row: VerdictRow) -> str:
    """Say what stands behind a verdict, what it cannot exclude, and what it needs to be decided."""
    parts = [
        f"“{row.claim}” Measured: {row.statement}" if row.claim else f"Measured: {row.statement}",
        f"Threshold {row.threshold}: {row.justification}",
        f"Null: {row.null}",
        f"p and interval: {row.method}" if row.method else "",
        f"Family: {row.family}"
        + (f"; least p that can be reached {row.least_p}" if row.least_p != DASH else ""),
        f"Not excluded: {row.alternative}" if row.alternative else "",
        f"To be decided it needs {row.needs}" if row.needs else "",
        f"Controls: {row.controls}" if row.controls else "",
    ]
    return ". ".join(part for part in parts if part) + "."


def _counts(verdict: np.ndarray, n_decided: int) -> str:
    """Count verdicts, those that are not there left out."""
    counts = {
        "decided": n_decided,
        **{name: int((verdict == name).sum()) for name in (UNDECIDED, UNDECIDABLE, NO_VERDICT)},
    }
    words = {"decided": ("is decided", "are decided"), UNDECIDED: ("is undecided", "are undecided"),
             UNDECIDABLE: ("cannot be decided with so few units",) * 2,
             NO_VERDICT: ("has no verdict", "have no verdict")}  # fmt: skip
    there = [f"{n} {words[name][n != 1]}" for name, n in counts.items() if n or name == "decided"]
    return f"Of {counted(len(verdict), 'hypothesis', 'hypotheses')} {enumerated(there)}."


def verdict_sentences(subject: Subject) -> list[str]:
    """Say in sentences where an encoder agrees with the source, where not, and what random networks share."""
    found = subject.result(GROUP)
    if found is None:
        return []
    names = np.array([spelled(str(n)) for n in found["hypothesis"].values])
    verdict, agrees = (found[v].values.astype(str) for v in ("verdict", "agrees"))
    decided = np.isin(verdict, (SUPPORTED, REFUTED))
    said = [_counts(verdict, int(decided.sum()))]
    for answer, text in (("yes", "It agrees with the source on"), ("no", "It goes against the source on")):
        if (agrees == answer).any():
            said.append(f"{text} {', '.join(names[agrees == answer])}.")
    is_open = np.isin(verdict, (UNDECIDED, UNDECIDABLE))
    if is_open.any():
        needs = found["needs"].values.astype(str)
        each = [f"{name} needs {what}" for name, what in zip(names[is_open], needs[is_open], strict=True)]
        said.append(f"To be decided, {enumerated(each)}.")
    random = subject.of_baselines(GROUP)
    if random and decided.any():
        alike = np.mean([r["verdict"].values.astype(str) == verdict for r in random], axis=0) == 1
        apart = names[decided & ~alike]
        who = f"All {len(random)} random networks get" if len(random) > 1 else "The random network gets"
        said.append(
            f"{who} the same verdict in {(decided & alike).sum()} of {decided.sum()} decided"
            + (f"; not in {', '.join(apart)}." if len(apart) else ": training changed none of them.")
        )
    return said
