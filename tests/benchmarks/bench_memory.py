"""Peak memory of probing much over that of probing little, each in a process of its own."""

from .table import Row
from .watched import watched

PARTIALS = """
encoder = load("samplecnn_tiny")
from tonotopy.probes.selectivity import selectivity
from tonotopy.synth import partials
watcher.start()
tones = partials(60, 10_000, count=count)
selectivity(encoder, tones, ["first_layer", "block3"], out=out, tile_seconds=8.0)
"""
CONTEXTS = """
encoder = load("samplecnn_tiny")
from tonotopy.probes.compositionality import compositionality
from tonotopy.probes.composition.mixtures import Condition, partial_ensemble
watcher.start()
company = partial_ensemble(encoder.sample_rate, contexts=count, most=4)
conditions = [Condition("partial", 4, -20.0)]
compositionality(encoder, conditions=conditions, ensembles=[company], tile_seconds=8.0)
"""


def rows() -> list[Row]:
    """Compare 20,000 partials streamed to disk with 200, and 64 contexts of compositionality with 8."""
    found = []
    for what, task, few, many in (("partials", PARTIALS, 200, 20_000), ("contexts", CONTEXTS, 8, 64)):
        little, much = watched(task, few)[0], watched(task, many)[0]
        name = f"peak memory, {many:,} {what} / {few}"
        found.append(Row(name, f"{much:.0f} MiB", f"{little:.0f} MiB", much / little, 1.1, True))
    return found


if __name__ == "__main__":
    for row in rows():
        print(row)
