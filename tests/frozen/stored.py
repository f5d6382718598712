"""What was measured before, by variable: its bytes' SHA-256, and some of its values.

Bytes are compared where the arithmetic is that of the recording (processor and versions of the libraries);
elsewhere the values that were kept, within `RELATIVE` of the largest of them.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Collection
from importlib.metadata import version
from pathlib import Path

import numpy as np
import torch

from .runs import measurements

FOLDER = Path(__file__).parent / "recorded"
KEPT = 16  # values of each variable, evenly spaced
RELATIVE = 1e-3
ZERO = 1e-12  # the error of something exact is rounding alone
SWITCHES = ("ONEDNN_MAX_CPU_ISA", "ATEN_CPU_CAPABILITY", "NUMBA_CPU_NAME", "OPENBLAS_CORETYPE")
LIBRARIES = ("torch", "numpy", "scipy", "numba", "librosa", "encodec")
# What measures rounding itself is another number on another processor.
OF_ROUNDING = ("closed_form_error", "arithmetic_distance", "arithmetic_margin", "arithmetic_certainty",
               "arithmetic_changed", "narrow_share", "linearisation_error")  # fmt: skip


def arithmetic() -> dict[str, str]:
    """Say what the last digits depend on."""
    lines = Path("/proc/cpuinfo").read_text().split("\n\n")[0].splitlines()
    about = {name.strip(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    flags = hashlib.sha256(" ".join(sorted(about.get("flags", "").split())).encode()).hexdigest()[:16]
    return {
        **{name: about.get(name, "") for name in ("model name", "cpu family", "model", "stepping")},
        "flags": flags,
        "capability": torch.backends.cpu.get_cpu_capability(),
        **{name: os.environ.get(name, "") for name in SWITCHES},
        **{name: version(name) for name in LIBRARIES},
    }


def same_arithmetic() -> bool:
    return json.loads((FOLDER / "arithmetic.json").read_text()) == arithmetic()


def described(values: np.ndarray) -> dict[str, object]:
    """Keep what tells an array from another: type, shape, digest, and a few values."""
    text = values.dtype.kind in "OUS"
    plain = values.astype(str) if text else np.ascontiguousarray(values)
    digest = hashlib.sha256("\0".join(plain.ravel()).encode() if text else plain.tobytes()).hexdigest()
    flat = plain.ravel()
    some = flat[np.linspace(0, flat.size - 1, min(KEPT, flat.size)).round().astype(int)].tolist()
    kind = "text" if text else str(values.dtype)
    return {"dtype": kind, "shape": list(values.shape), "sha256": digest, "some": some}


def measured(name: str, groups: Collection[str] | None = None) -> dict[str, dict[str, object]]:
    found = {}
    for group, result in measurements(name, groups):
        for variable, values in result.variables.items():
            found[f"{group}/{variable}"] = described(values.values)
    return found


def record(name: str) -> int:
    """Store what is measured now in place of what is stored."""
    FOLDER.mkdir(exist_ok=True)
    (FOLDER / "arithmetic.json").write_text(json.dumps(arithmetic(), indent=1) + "\n")
    return _write(name, measured(name))


def reword(name: str) -> int:
    """Store the words that are written now, and leave every number as it was recorded."""
    before, now = read(name), measured(name)
    return _write(name, {k: now[k] if v["dtype"] == "text" and k in now else v for k, v in before.items()})


def amend(name: str, groups: Collection[str] | None = None) -> int:
    """Store what differs, and leave the rest as it was recorded.

    What is stored so is compared within rounding on every processor: it may not be the recording's.
    """
    before = read(name)
    now = measured(name, groups)
    other = {line.split(":")[0] for line in differences(name, groups, exactly=False, now=now)}
    kept = {key: value for key, value in before.items() if key not in other}
    _write(name, kept | {key: now[key] | {"rounded": True} for key in now if key in other})
    return len(other)


def _write(name: str, found: dict[str, dict[str, object]]) -> int:
    lines = ",\n".join(f"{json.dumps(key)}: {json.dumps(value)}" for key, value in found.items())
    _place(name).write_text(f"{{\n{lines}\n}}\n")
    return len(found)


def read(name: str) -> dict[str, dict[str, object]]:
    return json.loads(_place(name).read_text())


def differences(
    name: str,
    groups: Collection[str] | None = None,
    exactly: bool | None = None,
    now: dict[str, dict] | None = None,
) -> list[str]:
    """Name every variable of some groups, or of all, that is not what was recorded, and say how."""
    exactly = same_arithmetic() if exactly is None else exactly
    before = {k: v for k, v in read(name).items() if groups is None or k.split("/")[0] in groups}
    now = measured(name, groups) if now is None else now
    found = [f"{key}: {'gone' if key in before else 'new'}" for key in sorted(before.keys() ^ now.keys())]
    for key in sorted(before.keys() & now.keys()):
        if before[key]["sha256"] == now[key]["sha256"] and before[key]["dtype"] == now[key]["dtype"]:
            continue
        to_the_bit = exactly and not before[key].get("rounded")
        if not to_the_bit and key.split("/")[1] in OF_ROUNDING:
            continue
        if to_the_bit or not _close(before[key], now[key]):
            found.append(f"{key}: {_short(before[key])} was recorded, {_short(now[key])} measured")
    return found


def _close(before: dict, now: dict) -> bool:
    if before["dtype"] != now["dtype"] or before["shape"] != now["shape"] or before["dtype"] == "text":
        return False
    one, other = np.array(before["some"], float), np.array(now["some"], float)
    finite = np.isfinite(one)
    if not (finite == np.isfinite(other)).all():
        return False
    scale = np.abs(one[finite]).max(initial=0.0)
    return bool((np.abs(one - other)[finite] <= RELATIVE * scale + ZERO).all())


def _short(value: dict) -> str:
    return f"{value['dtype']}{value['shape']} {value['some'][:3]}"


def _place(name: str) -> Path:
    return FOLDER / f"{name.replace(':', '.')}.json"
