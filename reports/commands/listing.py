"""What there is to probe, and to probe with."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...synth.errors import InputError

if TYPE_CHECKING:
    from rich.console import Console

    from ...encoders.base import Encoder

COLUMNS = (
    "encoder",
    "rate (Hz)",
    "stage: channels / hop / receptive field (samples)",
    "weights",
)

PUBLISHED = {"encoder": 44, "Hz / hop": 12, "licence": 17, "from, and arXiv": 24}  # widths: 100 columns

TABLE = Path(__file__).with_name("encoders.json")  # `python -m tests.reports.listed` writes it anew


def encoders() -> None:
    """List what can be probed: stages, hops, receptive fields, where the weights are."""
    from rich.table import Table

    from ...encoders.registry import available
    from .terminal import wide_console

    console = wide_console()
    table, known = Table(*COLUMNS), tabled()
    for name in available():
        rate, stages, source = known.get(name) or described(name)
        table.add_row(name, rate, stages, _whereabouts(name, source), end_section=True)
    console.print(table)
    print_published(console)


def print_published(console: Console) -> None:
    """Print published models by family: names, rates, and the licence of their weights; nothing is built."""
    from rich.table import Table

    from ...encoders.families.known import KNOWN, OTHER_BUNDLES, STAGES

    console.print(
        "\nPublished models; hops are of the latent, licences of the weights, which loading fetches:\n"
    )
    for number, (family, stages) in enumerate(STAGES.items()):
        console.print(f"[bold]{family}[/bold]: {stages}")
        table = Table(box=None, padding=(0, 1, 0, 0), show_header=number == 0)
        for heading, width in PUBLISHED.items():
            table.add_column(heading, width=width, overflow="fold")
        for row in (row for row in KNOWN if row.family == family):
            source = row.source.replace("arXiv ", "")
            table.add_row(row.name, f"{row.sample_rate} / {row.hop}", row.licence, source)
        console.print(table)
    console.print(f"and of torchaudio, built as wav2vec 2.0 is: {', '.join(OTHER_BUNDLES)}")


def tabled() -> dict[str, tuple[str, str, str]]:
    """Return what `described` says of the library's encoders, written down: to build all takes long."""
    return {name: tuple(about) for name, about in json.loads(TABLE.read_text(encoding="utf-8")).items()}


def described(name: str) -> tuple[str, str, str]:
    """Build an encoder; return sample rate, stages, and its weights' source, or why it cannot be had."""
    from ...encoders.musicgen.published import SIZES
    from ...encoders.registry import load

    if name in SIZES:
        return _described_published(name)
    try:
        encoder = load(name, weights="random")
        melodic = encoder.modality == "melody"
        rate, about = _described_melodic(encoder) if melodic else _described_stages(encoder)
    except InputError as error:
        return "–", "–", str(error)
    except Exception as error:  # a plug-in may fail in any way; the others are listed all the same
        return "–", "–", f"cannot be loaded: {type(error).__name__}"
    return rate, about, encoder.weights.source


def _described_melodic(model: Any) -> tuple[str, str]:
    from ...synth.melodies import STEPS_PER_BAR

    bars = f"{model.steps / STEPS_PER_BAR:g} bars"
    return "melodies", f"latent: {model.latent_dimensions} for {bars}; ask `tonotopy latents`"


def _described_published(name: str) -> tuple[str, str, str]:
    """Describe a published MusicGen by its size: to build the large one takes 13 gigabytes."""
    from ...encoders.musicgen.published import SIZES

    about = SIZES[name]
    stages = (
        f"layer_0 to layer_{about.layers - 1}: {about.dimension} / 640 / unbounded\nand those of its codec"
    )
    return "32000", stages, f"{about.repository} on the hub, or a folder"


def _described_stages(encoder: Encoder) -> tuple[str, str]:
    from ...encoders.base import canonical_stages

    named = canonical_stages(encoder) or list(encoder.stages)
    lines = []
    for stage in named:
        about = encoder.stages[stage]
        field = "unbounded" if about.receptive_field is None else about.receptive_field
        lines.append(f"{stage}: {about.channels} / {about.hop} / {field}")
    if more := [stage for stage in encoder.stages if stage not in named]:
        lines.append(f"and {len(more)} more: {', '.join(more)}")
    return str(encoder.sample_rate), "\n".join(lines)


def _whereabouts(name: str, source: str) -> str:
    """Where pretrained weights are, without fetching any; a source of several words says it itself."""
    from importlib.resources import files

    if source == "none" or " " in source:
        return "needs none" if source == "none" else source
    if (files("tonotopy.encoders.zoo") / f"{name}.safetensors").is_file():
        return "in the box"
    found = sorted((_torch_home() / "hub" / "checkpoints").glob(f"{name}-*"))
    return str(found[0]) if found else "not on this machine; loading fetches them or says how to get them"


def _torch_home() -> Path:
    """Return where torch keeps what it downloads, as `torch.hub.get_dir` has it."""
    cache = os.environ.get("XDG_CACHE_HOME", "~/.cache")
    return Path(os.environ.get("TORCH_HOME", f"{cache}/torch")).expanduser()


def probes() -> None:
    """List the probes: questions, settings, and the controls whose answers are known."""
    from rich.table import Table

    from ...probes.run.registry import registered
    from .terminal import wide_console

    table = Table("probe", "of", "question", "settings", "known answers of")
    for probe in registered():
        controls = dict.fromkeys(known.control for known in probe.known)
        settings = ", ".join(sorted(probe.takes))
        table.add_row(
            probe.name, probe.modality, probe.question, settings, "\n".join(controls), end_section=True
        )
    wide_console().print(table)
