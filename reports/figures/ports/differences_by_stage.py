"""Where two encoders part: the difference at every stage, a dot a sound."""

from __future__ import annotations

import numpy as np
import xarray as xr

from ..drawing import RANDOM, TRAINED, Illustration, canvas, hint, one_legend
from ..panels import shortened
from ..tables import Row, table

LOWEST_DB, HIGHEST_DB = -160.0, 20.0  # what lies beyond is drawn at the edge


def differences_by_stage(
    stages: xr.Dataset, tolerance_db: float, names: tuple[str, str], parted: str = ""
) -> Illustration:
    """Draw how far each stage of two encoders differs, sound by sound.

    Parameters
    ----------
    stages : xarray.Dataset
        Group "stages" of `tonotopy.probes.equivalence`.
    tolerance_db : float
    names : (str, str)
        What the two are called.
    parted : str
        Stage at which they first differ, if not by dB then by codes, frames or shapes; "" where they do not.
    """
    values = stages["difference_db"]
    shown = [str(s) for s in stages["stage"].values if np.isfinite(values.sel(stage=s).values).any()]
    rows: list[Row] = []
    with canvas(1.15 + 0.27 * len(shown), "Where they part") as figure:
        axes = figure.subplots()
        for y, stage in zip(range(len(shown), 0, -1), shown, strict=True):
            one = values.sel(stage=stage)
            for sound, db in zip(one["sound"].values, one.values, strict=True):
                if not np.isfinite(db):
                    continue
                differs = db > tolerance_db
                (dot,) = axes.plot(
                    np.clip(db, LOWEST_DB, HIGHEST_DB), y, "s" if differs else "o", ms=5 if differs else 4,
                    color=RANDOM if differs else TRAINED, alpha=0.6,
                    label="a sound, beyond tolerance" if differs else "a sound, within tolerance",
                )  # fmt: skip
                hint(dot, f"{sound}: {db:.0f} dB")
                rows.append({"stage": stage, "sound": str(sound), "difference (dB re response)": float(db)})
        axes.axvline(tolerance_db, color="#777777", lw=1.2, ls="--", label=f"tolerance, {tolerance_db:g} dB")
        axes.set_yticks(range(len(shown), 0, -1), [shortened(stage, 16) for stage in shown])
        axes.set(ylim=(0.4, len(shown) + 0.6), xlim=(LOWEST_DB - 6, HIGHEST_DB + 6), ylabel="stage")
        axes.set_xlabel("difference (dB re response)")
        one_legend(figure)
    beyond = [row["stage"] for row in rows if float(row["difference (dB re response)"]) > tolerance_db]  # type: ignore[arg-type]
    said = f"They part at {parted}." if parted else "No stage differs beyond the tolerance."
    if parted and parted not in beyond:
        said = f"They part at {parted}, not by the level of activations: by codes, frames or shapes."
    return Illustration(
        "differences",
        "Where they part",
        figure,
        f"From which stage on, and on which sounds, does {names[1]} differ from {names[0]}?",
        "A dot is a sound: the power of the difference of the activations over the power of the first's "
        f"deviation from silence. Dots at the left edge are {LOWEST_DB:g} dB or less: equal, or nearly so.",
        f"Dots of the difference in dB at {', '.join(shown)}; tolerance {tolerance_db:g} dB.",
        said,
        table(rows),
    )
