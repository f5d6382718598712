"""Verdicts: what a run says of each hypothesis, beside random networks and beside the source."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from ..probes.hypotheses.deciding import UNDECIDED
from ..probes.hypotheses.hypothesis import REFUTED, SUPPORTED, Hypothesis
from ..probes.hypotheses.registry import registered
from ..probes.hypotheses.verdicts import DASH, NO_VERDICT, UNDECIDABLE, evaluate
from .claims import claim_of
from .runs import Subject
from .selecting import records
from .writing import capitalised, counted, enumerated, in_words

GROUP = "hypotheses"
MOST_NAMED = 3  # claims that one sentence names
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
    """Tabulate the verdicts about an encoder on what was measured of it; none if its run was not judged."""
    found, random = requested(subject), random_verdicts(subject)
    if found is None:
        return []
    others = [{other["hypothesis"]: other for other in records(one, "hypothesis")} for one in random]
    return [
        _row(one, [by_name[one["hypothesis"]] for by_name in others]) for one in records(found, "hypothesis")
    ]


def _row(one: Mapping[str, Any], beside: Sequence[Mapping[str, Any]]) -> VerdictRow:
    effect, low, high = (one[name] for name in ("effect", "low", "high"))
    return VerdictRow(
        name=spelled(one["hypothesis"]),
        stage=one["judged_at"],
        verdict=one["verdict"],
        effect=DASH if not np.isfinite(effect) else f"{effect:z.2f} ({low:z.2f} to {high:z.2f})",
        threshold=sided(one["holds"], one["threshold"]),
        p=written_p(one["p_corrected"]),
        random=_random(beside),
        family=f"{one['family']}, {counted(int(one['family_size']), 'claim')}",
        least_p=written_p(one["least_p"]),
        **{name: one[name] for name in COPIED},
    )


def _random(beside: Sequence[Mapping[str, Any]]) -> str:
    """Say what random networks got, "refuted 3 of 3, 0.01 to 0.02"."""
    if not beside:
        return DASH
    counts = Counter(r["verdict"] for r in beside)
    said = ", ".join(f"{verdict} {count} of {len(beside)}" for verdict, count in counts.most_common())
    effects = [r["effect"] for r in beside if np.isfinite(r["effect"])]
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
    ('> 0.5', 'within ± 0.1')
    """
    return {"above": "> ", "below": "< ", "within": "within ± "}[holds] + f"{threshold:.3g}"


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


def requested(subject: Subject) -> xr.Dataset | None:
    """Return the verdicts about an encoder on what was measured of it; None if there are none.

    A hypothesis that is not the library's always counts as requested.
    """
    found = subject.result(GROUP)
    if found is None:
        return None
    groups = {one.name: one.group for one in registered()}
    names = [str(name) for name in found["hypothesis"].values]
    there = [groups.get(name, "") in ("", *subject.tree.children) for name in names]
    return found.isel(hypothesis=np.flatnonzero(there)) if any(there) else None


def _counts(verdict: np.ndarray) -> str:
    """Count verdicts, those that are not there left out."""
    decided = np.isin(verdict, (SUPPORTED, REFUTED)).sum()
    counts = {
        "decided": int(decided),
        **{name: int((verdict == name).sum()) for name in (UNDECIDED, UNDECIDABLE, NO_VERDICT)},
    }
    words = {"decided": ("is decided", "are decided"), UNDECIDED: ("is undecided", "are undecided"),
             UNDECIDABLE: ("cannot be decided with so few units",) * 2,
             NO_VERDICT: ("has no verdict", "have no verdict")}  # fmt: skip
    there = [f"{n or 'none'} {words[name][n > 1]}" for name, n in counts.items() if n or name == "decided"]
    if len(verdict) == 1:
        only = next(name for name, n in counts.items() if n)
        return f"The one claim that was requested {words[only][0]}."
    return f"Of {counted(len(verdict), 'claim')} {enumerated(there)}."


def by_source(found: xr.Dataset, agrees: str) -> dict[str, list[str]]:
    """Return what was found where it agrees with a source ("yes"), or not ("no"), or there is none ("–").

    By source: what is so as this run says it, of a denial the denial; only what is decided.
    """
    said: dict[str, list[str]] = {}
    for one in records(found, "hypothesis"):
        text = claim_of(one["hypothesis"]).said(one["verdict"])
        if text and one["agrees"] == agrees:
            said.setdefault(one["family"], []).append(text)
    return said


def verdict_sentences(subject: Subject) -> list[str]:
    """Say where an encoder is as a source says, where not, what is open, and what random networks share."""
    found = requested(subject)
    if found is None:
        return []
    verdict = found["verdict"].values.astype(str)
    decided = np.isin(verdict, (SUPPORTED, REFUTED))
    said = [_counts(verdict)]
    said += [f"As {source} says: {'; '.join(all_)}." for source, all_ in by_source(found, "yes").items()]
    said += [
        f"Other than {source} says: {'; '.join(all_)}." for source, all_ in by_source(found, "no").items()
    ]
    said += [f"{capitalised('; '.join(all_))}." for all_ in by_source(found, DASH).values()]
    is_open = np.isin(verdict, (UNDECIDED, UNDECIDABLE))
    if is_open.any():
        names = [spelled(str(n)) for n in found["hypothesis"].values[is_open]]
        needs = found["needs"].values.astype(str)[is_open]
        each = [f"{name} needs {what}" for name, what in zip(names, needs, strict=True) if what]
        said += [f"To be decided, {enumerated(each)}."] if each else []
    return [*said, *_shared_by_random(found, decided, subject)]


def random_verdicts(subject: Subject) -> list[xr.Dataset]:
    """Return what the claims came to for random networks: of the trained scale if those were judged."""
    for kind in ("matched", "random"):
        found = subject.of_baselines(GROUP, kind)
        if any((one["verdict"].values.astype(str) != NO_VERDICT).any() for one in found):
            return found
    return subject.of_baselines(GROUP)


def _shared_by_random(found: xr.Dataset, decided: np.ndarray, subject: Subject) -> list[str]:
    """Say in how many claims random networks get the same, and in which not."""
    names, verdict = found["hypothesis"].values, found["verdict"].values.astype(str)
    others = [seed.sel(hypothesis=names)["verdict"].values.astype(str) for seed in random_verdicts(subject)]
    for other in others:
        decided = decided & (other != NO_VERDICT)  # what was not asked of random networks says nothing
    if not others or not decided.any():
        return []
    alike = np.all([other == verdict for other in others], axis=0)
    shared, n = int((decided & alike).sum()), int(decided.sum())
    who = f"All {len(others)} random networks say" if len(others) > 1 else "The random network says"
    if n == 1:
        return [f"{who} {'the same' if shared else 'otherwise'} of the one that is decided."]
    apart = [spelled(str(name)) for name in names[decided & ~alike]]
    if not apart:
        return [f"{who} the same in all {n} that are decided: training changed none of them."]
    return [f"{who} the same in {shared or 'none'} of {n} that are decided; not in {enumerated(apart)}."]


def claims_sentence(subject: Subject) -> str:
    """Say in one sentence how far a source is borne out; "" where nothing of one is decided."""
    found = requested(subject)
    if found is None:
        return ""
    yes, no = by_source(found, "yes"), by_source(found, "no")
    said = []
    for source in dict.fromkeys((*yes, *no)):
        borne_out, against = len(yes.get(source, ())), no.get(source, [])
        total = borne_out + len(against)
        is_so = "is borne out" if borne_out or total > 1 else "is not borne out"
        of = f"{borne_out or 'none'} of the {total} claims" if total > 1 else "the one claim"
        news = f"; other than it says: {'; '.join(against[:MOST_NAMED])}" if against else ""
        more = len(against) - MOST_NAMED
        news += f"; and {in_words(more)} more" if more > 0 else ""
        said.append(f"{source} {is_so} in {of} that this run decides{news}.")
    return " ".join(said)
