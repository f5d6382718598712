"""Published models, as `tonotopy encoders` lists them."""

from io import StringIO

from rich.console import Console

from tonotopy.encoders.families.known import KNOWN, STAGES, bundles
from tonotopy.reports.commands.listing import print_published


def test_published_models_fit_a_hundred_columns_and_names_are_whole():
    shown = StringIO()
    print_published(Console(width=100, file=shown))
    lines = shown.getvalue().splitlines()
    assert max(map(len, lines)) <= 100
    for row in KNOWN:
        (line,) = [line for line in lines if line.split(" ")[0] == row.name]
        assert f"{row.sample_rate} / {row.hop}" in line
        assert row.licence.split()[0] in line
    for family, stages in STAGES.items():
        assert f"{family}: {stages}" in lines
    words = shown.getvalue().replace(",", "").split()
    assert all(name in words or f"torchaudio:{name}" in words for name in bundles())
