"""Records the verdicts of a run for the site: `python docs/record.py machines.zarr machines_on_music`.

Writes `docs/recorded/NAME.csv`, whose first line is the command that made the run.
"""

import csv
import sys
from pathlib import Path

from tonotopy.probes.engine.schema import subjects
from tonotopy.reports.runs import read_run

COLUMNS = ("hypothesis", "verdict", "effect", "low", "high", "p_corrected")
RECORDED = Path(__file__).parent / "recorded"


def record(path: str, name: str) -> Path:
    """Write the verdicts on every encoder and random network of a run."""
    run = read_run(path)
    RECORDED.mkdir(exist_ok=True)
    out = RECORDED / f"{name}.csv"
    with out.open("w", newline="", encoding="utf-8") as file:
        file.write(f"# {run.attrs['command']}\n")
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(("subject", "of", "kind", *COLUMNS))
        for node, subject in subjects(run).items():
            if "hypotheses" not in subject.children:
                continue
            judged = subject["hypotheses"].to_dataset()
            about = (node, subject.attrs["of"] or node, subject.attrs.get("baseline", ""))
            for i in range(judged.sizes["hypothesis"]):
                values = (judged[column].values[i] for column in COLUMNS)
                rows.writerow((*about, *(f"{v:.4g}" if isinstance(v, float) else v for v in values)))
    return out


if __name__ == "__main__":
    print(record(*sys.argv[1:]))
