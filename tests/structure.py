"""Count the house: rooms, arrows among them, long modules, and the words that are not the field's.

python -m tests.structure
"""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent
ROOMS = ("synth", "encoders", "probes", "reports")
GROUND = ("statistics", "features", "engine")  # import no room of probes/
MEASURES = (
    "filters",
    "folding",
    "composition",
    "tokens",
    "interventions",
    "latents",
    "dictionaries",
    "ports",
)  # import the ground only
FLOORS = {
    **dict.fromkeys(GROUND, 0), **dict.fromkeys(MEASURES, 1), "hypotheses": 2, "run": 3
}  # fmt: skip
MOST_LINES = 400
WORDS = ("heard", "told", "asked", "company", "companies", "playlist", "battery", "listener")


def modules() -> Iterator[Path]:
    """Yield the modules of the library."""
    for room in ROOMS:
        yield from sorted((ROOT / room).rglob("*.py"))


def place(path: Path) -> tuple[str, ...]:
    """Return the room of a module, and the sub-room if it has one."""
    return path.relative_to(ROOT).parts[:-1]


def imported(path: Path) -> Iterator[tuple[str, ...]]:
    """Yield the folders that a module imports from, as parts below the root."""
    here = path.relative_to(ROOT).parts[:-1]
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.level:
            base = here[: len(here) - node.level + 1]
            target = (*base, *(node.module.split(".") if node.module else ()))
            for one in {target, *((*target, alias.name) for alias in node.names)}:
                while not ROOT.joinpath(*one).is_dir():
                    one = one[:-1]
                yield one


def arrows() -> Counter[tuple[str, str]]:
    """Count, for every pair of rooms of probes/, the imports that lead from one to the other."""
    found: Counter[tuple[str, str]] = Counter()
    for path in sorted((ROOT / "probes").rglob("*.py")):
        own = place(path)[1:2]
        rooms = {target[1] for target in imported(path) if target[:1] == ("probes",) and target[1:2]}
        for room in rooms - set(own) if own else ():
            found[own[0], room] += 1
    return found


def forbidden(pair: tuple[str, str]) -> bool:
    """Whether an arrow leads upward, or to a sibling."""
    return FLOORS[pair[0]] <= FLOORS[pair[1]]


def long_modules() -> list[tuple[str, int]]:
    """Return the modules of more than 400 lines."""
    lengths = [(str(p.relative_to(ROOT)), len(p.read_text().splitlines())) for p in modules()]
    return [one for one in lengths if one[1] > MOST_LINES]


def public_names() -> Iterator[tuple[str, str]]:
    """Yield module and name of every public function, class, method, parameter, field and constant."""
    for path in modules():
        name = str(path.relative_to(ROOT))
        if any(part.startswith("_") and part != "__init__.py" for part in path.relative_to(ROOT).parts):
            continue
        yield name, path.stem
        yield from ((name, one) for one in _names(ast.parse(path.read_text())))


def _names(body: ast.AST) -> Iterator[str]:
    for node in ast.iter_child_nodes(body):
        own = getattr(node, "name", "")
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and not own.startswith("_"):
            yield own
            if isinstance(node, ast.FunctionDef):
                yield from (a.arg for a in (*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs))
            else:
                yield from _names(node)
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            yield from (t.id for t in targets if isinstance(t, ast.Name) and not t.id.startswith("_"))
        if isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None:  # keys of the schema
            yield from (
                key.value
                for table in ast.walk(node.value)
                if isinstance(table, ast.Dict)
                for key in table.keys
                if isinstance(key, ast.Constant) and isinstance(key.value, str)
            )


def private_words() -> list[tuple[str, str]]:
    """Return the public names that use a word which is not the field's, with their modules."""
    pattern = re.compile(rf"(?:^|_)({'|'.join(WORDS)})(?:$|_)", re.IGNORECASE)
    return [one for one in public_names() if pattern.search(re.sub(r"(?<=[a-z])(?=[A-Z])", "_", one[1]))]


def main() -> None:
    """Print the counts."""
    counted = arrows()
    rooms = sorted({place(p) for p in modules() if len(place(p)) > 1})
    print(f"{sum(1 for _ in modules())} modules in {len(ROOMS)} rooms and {len(rooms)} sub-rooms")
    print(f"probes/: {len(FLOORS)} rooms, {len(counted)} arrows among them, "
          f"{sum(map(forbidden, counted))} upward or to a sibling")  # fmt: skip
    for (one, other), count in sorted(counted.items(), key=lambda a: (FLOORS[a[0][0]], a)):
        print(f"  {one} -> {other}: {count} modules" + ("   FORBIDDEN" if forbidden((one, other)) else ""))
    print(f"modules over {MOST_LINES} lines: {long_modules() or 'none'}")
    words = private_words()
    print(f"public names with private words: {len(words)}")
    for module, name in words:
        print(f"  {module}: {name}")


if __name__ == "__main__":
    main()
