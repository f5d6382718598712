"""Processor time of `tonotopy demo` by part: imports, every subject and probe, hypotheses, report.

python -m tests.benchmarks.bench_demo           in a process of its own, which pays for the imports too
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from unittest.mock import patch

from .table import Row

LIMIT_S = 100.0


def parts(out: Path) -> list[tuple[str, float]]:
    """Run the demo in this process: (part, seconds of processor time), all of it at the end."""
    began = time.process_time()
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # as the command line does before torch loads
    from tonotopy.probes.engine.checkpoint import Work
    from tonotopy.probes.run import runner  # noqa: F401 - imports all that measures
    from tonotopy.reports import html
    from tonotopy.reports.cli import main

    found = [("import", time.process_time() - began)]

    def timed(name: str, step, *arguments, **more):
        started = time.process_time()
        result = step(*arguments, **more)
        found.append((name, time.process_time() - started))
        return result

    take, write = Work.do, html.report
    with (
        patch.object(Work, "do", lambda work, name, step: timed(name, take, work, name, step)),
        patch.object(html, "report", lambda *arguments, **more: timed("report", write, *arguments, **more)),
        patch.object(sys, "argv", ["tonotopy", "demo", "--out", str(out)]),
        suppress(SystemExit),
    ):
        main()
    whole = time.process_time() - began
    rest = whole - sum(seconds for _, seconds in found)
    return [*found, ("networks drawn, weights read", rest), ("all", whole)]


def summary(found: list[tuple[str, float]]) -> list[tuple[str, float]]:
    """Bring single steps together: a line for each encoder and probe, one for all controls."""
    lines: dict[str, float] = {}
    for name, seconds in found:
        subject, _, probe = name.partition("/")
        if subject.startswith(("control.", "filterbank.")):
            name = "controls"
        elif "." in subject:
            name = f"{subject.rstrip('0123456789')} {probe}"
        lines[name] = lines.get(name, 0.0) + seconds
    return list(lines.items())


def rows() -> list[Row]:
    """Hold the demo's processor time, in a fresh process, against its limit."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.benchmarks.bench_demo"], capture_output=True, text=True, check=True
    )
    seconds = float(done.stdout.split()[-1])
    return [
        Row(
            "demo, processor time", f"{seconds:.0f} s", f"{LIMIT_S:.0f} s", seconds / LIMIT_S, 1, at_most=True
        )
    ]


def main() -> None:
    """Print the table."""
    with TemporaryDirectory() as folder:
        for name, seconds in summary(parts(Path(folder))):
            print(f"{name:40} {seconds:8.2f}")


if __name__ == "__main__":
    main()
