"""Latents of many melodies: encoded, featured and correlated, with the null, in a process of its own."""

from .table import Row
from .watched import watched

FEW, MANY = 10_000, 100_000
NEURONS = 37  # as many as the source finds
TASK = """
from tonotopy.probes.latents import feature_set
from tonotopy.probes.latents.correlation import correlate
from tonotopy.probes.latents.materials import prior_material
from tonotopy.encoders.musicvae.posterior import encode
from tonotopy.probes.progress import Progress
model = load("musicvae_tiny")
rolls = prior_material(model, count, 0, Progress(show=False)).rolls
watcher.start()
times = [time.perf_counter()]
heard = encode(model, rolls)
times.append(time.perf_counter())
values, about = feature_set.values(rolls), feature_set.labels()
times.append(time.perf_counter())
mu = heard.mu[:, heard.posterior.order[:{neurons}]]
correlate(mu, values, about.names, about.groups, permutations=199)
times.append(time.perf_counter())
told += [b - a for a, b in zip(times[:-1], times[1:])]
"""


def rows() -> list[Row]:
    """Time 100,000 melodies, and weigh them against 10,000."""
    task = TASK.replace("{neurons}", str(NEURONS))
    few, _ = watched(task, FEW)
    many, seconds = watched(task, MANY)
    parts = ", ".join(f"{s:.0f}" for s in seconds)
    return [
        Row(
            f"latents: {MANY:,} melodies encoded, featured, correlated", f"{sum(seconds):.0f} s ({parts})",
            "300 s", sum(seconds) / 300, 1, at_most=True,
        ),
        Row(
            f"  peak memory, {MANY:,} melodies over {FEW:,}", f"{many:.0f} MiB", f"{few:.0f} MiB",
            many / few, 2, at_most=True,
        ),
    ]  # fmt: skip


if __name__ == "__main__":
    for row in rows():
        print(row)
