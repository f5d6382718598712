"""The check of a port against its original."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ...synth.errors import InputError
from .options import Weights

TOLERANCE_DB = -70.0  # as `equivalence` has it, which is not imported for a help text


def check(
    first: Annotated[
        str, typer.Argument(metavar="A", help="The original, as `tonotopy encoders` lists them.")
    ],
    second: Annotated[
        str,
        typer.Argument(
            metavar="B",
            help="The port: a name, my_codec.py:make, a file of ONNX; A itself if left out, with "
            "--second-weights, --precision, --device or --batch.",
            show_default=False,
        ),
    ] = "",
    out: Annotated[Path, typer.Option("--out", "-o", help="The page.")] = Path("check.html"),
    weights: Weights = "pretrained",
    second_weights: Annotated[
        str, typer.Option(help="Weights of B; those of A if left out.", show_default=False)
    ] = "",
    stages: Annotated[
        str,
        typer.Option(
            help="Stages, apart by commas, as latent=output where B names one otherwise; those that both "
            "name alike if left out.",
            show_default=False,
        ),
    ] = "",
    tolerance: Annotated[float, typer.Option(help="Largest difference, dB re the response.")] = TOLERANCE_DB,
    precision: Annotated[
        str, typer.Option(help="Of B: float16, bfloat16, float32, float64.", show_default=False)
    ] = "",
    device: Annotated[str, typer.Option(help="Of B: cpu, cuda.", show_default=False)] = "",
    batch: Annotated[
        int | None,
        typer.Option(min=1, help="Sounds that B is given at once, A one by one.", show_default=False),
    ] = None,
) -> None:
    """Check whether a port, an export or another precision does what the original does.

    Says where they part first, on which sound and why; exit code 1 where they differ. For example:

        tonotopy check encodec_24khz hf:facebook/encodec_24khz

        tonotopy check encodec_24khz codec.onnx --stages latent

        tonotopy check encodec_24khz --second-weights best.pt

        tonotopy check codec_tiny --precision bfloat16
    """
    from ...encoders.registry import check_known

    if not (second or second_weights or precision or device or batch):
        raise InputError(
            "check: needs B, or one of --second-weights, --precision, --device, --batch to check A with"
        )
    check_known(first)
    if second:
        check_known(second)
    from ..html import check_output

    check_output(out)
    from ...encoders.registry import load, load_for
    from ...encoders.variants import in_batches, moved
    from ...probes.engine.progress import Progress
    from ...probes.ports.equivalence import equivalence
    from ..ports import check_page
    from .console import show_check

    a = load_for("waveform", first, weights)
    name, options = second or first, {}
    if name.endswith(".onnx"):
        options["sample_rate"] = a.sample_rate
    b = load(name, second_weights or weights, **options)
    if precision or device:
        b = moved(b, precision or None, device or None)
    if batch is not None:
        a = in_batches(a, 1)
    found = equivalence(
        a, b, stages=_pairs(stages), tolerance_db=tolerance, batch=batch or 8, progress=Progress()
    )  # fmt: skip
    show_check(found)
    print(check_page(found, out))
    if found.attrs["agrees"] != "yes":
        raise typer.Exit(1)


def _pairs(listed: str) -> dict[str, str] | None:
    """Read stages apart by commas, of the second perhaps by another name."""
    pairs = [one.split("=", 1) for one in (part.strip() for part in listed.split(",")) if one]
    if listed and not pairs:
        raise InputError(f"stages {listed!r}: names none")
    return {pair[0].strip(): pair[-1].strip() for pair in pairs} or None
