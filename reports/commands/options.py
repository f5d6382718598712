"""Options that several commands have, and help that is written only where somebody asks for it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, ClassVar

import typer
from typer.core import TyperCommand

Out = Annotated[Path, typer.Option("--out", "-o", help="Where the result goes.", show_default=False)]
Seed = Annotated[int, typer.Option("--seed", min=0, help="Seeds whatever is drawn.")]
Weights = Annotated[str, typer.Option("--weights", help="'pretrained', 'random', or the path of a file.")]
Stages = Annotated[
    str,
    typer.Option(
        "--stages",
        help="Stages, apart by commas; those of the preset or probe if left out.",
        show_default=False,
    ),
]
Probes = Annotated[
    str,
    typer.Option(
        "--probes", help="What to ask, apart by commas, of the probes below; the preset's if left out.",
        show_default=False,
    ),
]  # fmt: skip
Controls = Annotated[
    bool, typer.Option(help="Measure the controls of which no result is kept; kept ones are used either way.")
]
Name = Annotated[
    str,
    typer.Option(
        "--name", help="What the run is called in reports; as OUT is if left out.", show_default=False
    ),
]
Strict = Annotated[
    bool, typer.Option("--strict", help="Stop at the first recording of a folder that cannot be used.")
]
Own = Annotated[
    Path | None,
    typer.Option(
        "--hypotheses", help="A Python file with hypotheses of your own, to be judged as well.",
        show_default=False,
    ),
]  # fmt: skip


def names(listed: str) -> tuple[str, ...] | None:
    """Read names apart by commas; None for none."""
    return tuple(name.strip() for name in listed.split(",") if name.strip()) or None


def given(**settings: object) -> dict[str, object]:
    """Return the settings that were given on the command line; the others are the probes' own."""
    return {name: value for name, value in settings.items() if value is not None}


def own_hypotheses(file: Path | None) -> tuple[Any, ...]:
    """Return the hypotheses of a file; none without one."""
    from ...probes.hypotheses.from_file import hypotheses_in

    return () if file is None else hypotheses_in(file)


class ProbingCommand(TyperCommand):
    """A command whose help ends with the probes there are, those of plug-ins among them."""

    modality: ClassVar[str] = "waveform"

    def format_help(self, ctx: typer.Context, formatter: Any) -> None:
        """Write the help, with the presets and the names and questions of the probes below it."""
        from ...probes.run.presets import PRESETS

        presets = [f"**--preset {name}**: {preset.use}" for name, preset in PRESETS.items()]
        probes = [f"**{name}**: {question}" for name, question in self.listed().items()]
        self.epilog = "\n\n".join((*(presets if self.modality == "waveform" else ()), *probes))
        super().format_help(ctx, formatter)

    def listed(self) -> dict[str, str]:
        """Return the probes below the help, with their questions."""
        from ...probes.run.registry import questions

        return questions(self.modality)


class MelodyCommand(ProbingCommand):
    """The same for melody models."""

    modality: ClassVar[str] = "melody"
