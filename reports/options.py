"""Options that several commands have."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Out = Annotated[Path, typer.Option("--out", "-o", help="Where the result goes.", show_default=False)]
Seed = Annotated[int, typer.Option("--seed", min=0, help="Seeds whatever is drawn.")]
