"""What the measures of latents say: numbers for a table, sentences, and the control's known answers."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import xarray as xr

from ..encoders.musicvae.control import CELLS, truncated_normal
from ..probes.latents.correlation import GROUPS
from ..probes.statistics.resampling import ALPHA
from .known_answers import Check
from .runs import Heard

PLANTED_SIGMA = np.array([truncated_normal(cells)[1].mean() for cells in CELLS.values()])
Probe = Callable[[str], xr.Dataset | None]

COLUMNS = (
    ("Dimensions", "of the latent"),
    ("Music neurons", "dimensions whose mean sigma lies below the threshold, on the model's own samples"),
    ("By variance", "dimensions whose mu varies by more than 0.01"),
    ("By divergence", "dimensions that diverge from the prior by more than 0.01 nats"),
    (
        "Information",
        "mean divergence of a melody's posterior from the prior, in nats, all dimensions together",
    ),
    (
        "Fills prior",
        "median over music neurons of variance of mu plus mean squared sigma; 1 if posteriors fill the prior",
    ),
    ("Accuracy", "steps right, greedy and free-running, from the posterior's mean"),
    ("Teacher-forced", "steps right with the true step before each given"),
    ("Onsets", "notes that begin where they should at their pitch, free-running"),
    ("Rest zeroed", "change of accuracy, in percentage points, when all but the music neurons are zeroed"),
    *(
        (f"phik {group}", f"largest phik of the most relevant dimension with a {group} feature")
        for group in GROUPS
    ),
)


def numbers_of(probe: Probe) -> list[str]:
    """Return the cells of a model's row; a dash for what was not measured."""
    latents, kept, features = (probe(name) for name in ("latents", "reconstruction", "features"))
    cells = []
    if latents is None:
        cells += ["–"] * 6
    else:
        own = latents.isel(material=0)
        counts = own["is_music"].sum("dimension").values
        cells += [str(own.sizes["dimension"]), *(str(int(count)) for count in counts)]
        cells.append(f"{float(own['divergence'].sum()):.1f}")
        music = own["total_variance"].values[own["is_music"].values[0]]
        cells.append(f"{np.median(music):.2f}" if music.size else "–")
    if kept is None:
        cells += ["–"] * 4
    else:
        every = kept["accuracy"].sel(order="relevance").isel(kept=-1)
        cells += [_percent(every.sel(measure=m)) for m in kept["measure"].values]
        cells.append(f"{-100 * float(_rest_zeroed(kept)['loss_to_all']):+z.2f}")
    if features is None:
        cells += ["–"] * len(GROUPS)
    else:
        cells += [_largest(features, group) for group in GROUPS]
    return cells


def findings(heard: Heard) -> list[str]:
    """Say what was found of a model, beside its random networks."""
    return [
        *_neurons(heard),
        *_kept(heard.probe("reconstruction")),
        *_meaning(heard),
        *_moved(heard.probe("traversals")),
        *_excited(heard.probe("activation")),
    ]


def _neurons(heard: Heard) -> Iterator[str]:
    found = heard.probe("latents")
    if found is None:
        return
    own = found.isel(material=0)
    music = own["is_music"].values
    counts, size = music.sum(1), music.shape[1]
    threshold = 1 - float(found.attrs["sigma_threshold"])
    sentence = (
        f"{counts[0]} of {size} dimensions ({100 * counts[0] / size:.0f} %) are music neurons, by a mean "
        f"sigma below {threshold:g}; by variance of mu there are {counts[1]}, by divergence {counts[2]}."
    )
    if counts[0] or counts[1]:
        sentence += (
            f" Sigma and variance share {100 * float(own['agreement'][0, 1]):.0f} % of what either names."
        )
    at_tenth = own["count"].sel(threshold=0.1, method="nearest").values
    sentence += f" With 0.1 for each they are {', '.join(map(str, at_tenth))}."
    for random in heard.random("latents"):
        others = random.isel(material=0)["is_music"].sum("dimension").values
        sentence += f" A random network has {others[0]}, {others[1]} and {others[2]}."
    yield sentence
    total = own["total_variance"].values
    if counts[0]:
        yield (
            f"Variance of mu and mean squared sigma add up to {np.median(total[music[0]]):.2f} (median) over "
            f"music neurons, from {total[music[0]].min():.2f} to {total[music[0]].max():.2f}"
            + (f", and to {np.median(total[~music[0]]):.2f} over the others" if counts[0] < size else "")
            + "; 1 means that posteriors fill the prior."
        )


def _kept(found: xr.Dataset | None) -> Iterator[str]:
    if found is None:
        return
    rest = _rest_zeroed(found)
    loss, low, high = (100 * float(rest[name]) for name in ("loss_to_all", "loss_low", "loss_high"))
    every = found.sel(order="relevance").isel(kept=-1)["accuracy"]
    said = ", ".join(f"{_percent(every.sel(measure=m))} {m}" for m in found["measure"].values)
    yield (
        f"With all dimensions {said} ({found.attrs['n_melodies']} {found.attrs['material']}); with all but "
        f"the {found.attrs['music_neurons']} music neurons zeroed it loses {loss:z.2f} percentage points"
        f"{_between(low, high, 'z.2f')}."
    )


def _meaning(heard: Heard) -> Iterator[str]:
    found = heard.probe("features")
    if found is None:
        return
    random = heard.random("features")
    for neuron in range(min(2, found.sizes["neuron"])):
        row = found.isel(neuron=neuron)
        if not row["phik"].notnull().any():
            continue
        best = row.isel(feature=int(np.nanargmax(row["phik"].values)))
        others = [float(one["phik"].isel(neuron=neuron).max()) for one in random]
        beside = f"; a random network's reaches {max(others):.2f}" if others else ""
        yield (
            f"Dimension {neuron + 1} in the order of relevance goes with {best['feature'].values} "
            f"({best['feature_group'].values}; phik {float(best['phik']):.2f}, corrected p "
            f"{float(best['p_corrected']):.3f}){beside}. By group: "
            + ", ".join(f"{group} {_largest(found, group, neuron)}" for group in GROUPS)
            + "."
        )


def _moved(found: xr.Dataset | None) -> Iterator[str]:
    if found is None:
        return
    is_unused = found["is_unused"].values
    verdicts = found["verdict"].values[~is_unused]
    told = {name: int((verdicts == name).sum()) for name in ("confirmed", "contradicted")}
    sentence = (
        f"Moved one at a time, {verdicts.shape[0]} dimensions confirm {told['confirmed']} of their "
        f"{sum(told.values())} correlations with the feature they go with most in each group, and contradict "
        f"{told['contradicted']}."
        if sum(told.values())
        else f"Of {verdicts.shape[0]} dimensions that were moved none has a correlation to confirm."
    )
    for unused in (found.isel(neuron=i) for i in np.flatnonzero(is_unused)):
        stirred = int((unused["p_corrected"].values <= ALPHA).sum())
        sentence += (
            f" The least relevant dimension moves {stirred} of {found.sizes['feature']} features and changes "
            f"{100 * float(unused['changed'].max()):.1f} % of steps at most."
        )
    yield sentence


def _excited(found: xr.Dataset | None) -> Iterator[str]:
    if found is None or not found.attrs["music_neurons"]:
        return
    at_one = found.sel(activity=1.0, method="nearest")
    told = []
    for name in found["material"].values:
        ends = (float(at_one[end].sel(material=name)) for end in ("active", "active_low", "active_high"))
        mean, low, high = ends
        told.append(f"{name} {mean:.1f}{_between(low, high, '.1f')}")
    count = found.attrs["music_neurons"]
    yield f"Of {count} music neurons, those further than 1 from 0 in one melody: {', '.join(told)}."


def latent_checks(control: Heard) -> list[Check]:
    """Hold the planted control's known answers against what was measured."""
    checks = []
    latents, kept = control.probe("latents"), control.probe("reconstruction")
    features, moved = control.probe("features"), control.probe("traversals")

    def check(what: str, expected: str, measured: str, holds: bool) -> None:
        checks.append(Check(control.name, what, expected, measured, bool(holds)))

    if latents is not None:
        own = latents.isel(material=0)
        counts = own["is_music"].sum("dimension").values.tolist()
        known = [int((1 - latents.attrs["sigma_threshold"] > PLANTED_SIGMA).sum()), 3, 3]
        check("music neurons, by each criterion", ", ".join(map(str, known)), ", ".join(map(str, counts)),
              counts == known)  # fmt: skip
        total = own["total_variance"].values
        within = max(0.05, 4 * np.sqrt(2 / float(own["n_melodies"])))  # four deviations of a variance
        check("variance of mu + mean squared sigma", f"1.00 ± {within:.2f}",
              f"{total.min():.3f} to {total.max():.3f}", abs(total - 1).max() < within)  # fmt: skip
    if kept is not None and kept.attrs["music_neurons"] == len(PLANTED_SIGMA):
        loss = float(_rest_zeroed(kept)["loss_to_all"])
        check(
            "accuracy lost when all but the music neurons are zeroed", "0", f"{loss:.4f}", abs(loss) < 1e-12
        )
    if features is not None:
        best = float(features["phik"].max())
        check("largest phik", "1", f"{best:.3f}", best > 0.99)
    if moved is not None:
        unused = moved.isel(neuron=-1)
        check("steps that the unused dimension changes", "0", f"{float(unused['changed'].max()):g}",
              float(unused["changed"].max()) == 0)  # fmt: skip
        planted = moved.isel(neuron=np.flatnonzero(~moved["is_unused"].values)[:3])
        least = float(planted["concordance"].max("feature").min())
        check("largest concordance of each planted dimension", "1.00 ± 0.02", f"{least:.3f}", least > 0.98)
    return checks


def _percent(share: xr.DataArray) -> str:
    """Write a share; a dash where there is none, as of the onsets of melodies without notes."""
    return f"{100 * float(share):.1f} %" if np.isfinite(share) else "–"


def _between(low: float, high: float, form: str) -> str:
    """Write an interval in brackets; nothing where there is none, as over one piece."""
    return f" ({low:{form}} to {high:{form}})" if np.isfinite(low) else ""


def _rest_zeroed(kept: xr.Dataset) -> xr.Dataset:
    return kept.sel(order="relevance", measure="free-running", kept=kept.attrs["music_neurons"])


def _largest(features: xr.Dataset, group: str, neuron: int = 0) -> str:
    values = features["phik"].isel(neuron=neuron).values[features["feature_group"].values == group]
    values = values[np.isfinite(values)]
    return f"{values.max():.2f}" if values.size else "–"
