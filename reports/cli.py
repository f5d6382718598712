"""The entry of the command line: which commands there are, and how errors end."""

from __future__ import annotations

import os
import sys
import warnings
from typing import Annotated

import typer

from ..synth.errors import InputError
from .commands.checking import check
from .commands.controls import controls
from .commands.dictionaries import sae
from .commands.judging import compare, export, hypotheses
from .commands.listing import encoders, probes
from .commands.options import MelodyCommand, ProbingCommand
from .commands.playing import activations, stimuli
from .commands.probing import demo, latents, probe, report
from .commands.training import corpus, train

app = typer.Typer(
    add_completion=False,
    rich_markup_mode="markdown",
    pretty_exceptions_enable=False,
    help="Play sounds of known content to neural audio encoders and measure what they keep. "
    "Begin with `tonotopy demo`.",
)
app.command()(demo)
app.command(cls=ProbingCommand)(probe)
app.command(cls=MelodyCommand)(latents)
app.add_typer(train, name="train")
app.add_typer(sae, name="sae")
for command in (
    report, export, hypotheses, controls, compare, check, encoders, probes, stimuli, activations, corpus,
):  # fmt: skip
    app.command()(command)


def main() -> None:
    """Run the command line: bad input is one line on stderr and exit code 2, Ctrl-C one line and 130."""
    # Idle threads of a parallel region spin before they sleep. On a busy machine they spin against the very
    # work they wait for, and a small network takes four times as long; sleep at once. Before torch loads.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    warnings.showwarning = lambda message, *_: print(f"warning: {message}", file=sys.stderr)
    try:
        code = app(standalone_mode=False)
    except KeyboardInterrupt:
        code = 130
    except BrokenPipeError:  # the reader (head, less) has gone
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 1
    except InputError as error:
        code = _refuse(str(error))
    except OSError as error:
        code = _refuse(f"{error.filename}: {error.strerror}" if error.filename else str(error))
    except Exception as error:
        if not hasattr(error, "format_message"):  # what typer raises for unusable arguments has one
            raise
        code = _refuse(error.format_message())  # type: ignore[attr-defined]
    if code == 130:
        print("interrupted", file=sys.stderr)
    sys.exit(code if isinstance(code, int) else 0)


def _refuse(message: str) -> int:
    print("error: " + " ".join(message.split()), file=sys.stderr)
    return 2


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        print(f"tonotopy {version('tonotopy')}")
        raise typer.Exit


@app.callback(invoke_without_command=True)
def _options(
    context: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    if context.invoked_subcommand is None:
        print(context.get_help())


if __name__ == "__main__":
    main()
