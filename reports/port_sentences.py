"""What a check of two encoders found, in sentences."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import xarray as xr

from .writing import counted, enumerated

DECODE = "decode"
ENDS = (("first", "leading"), ("last", "trailing"))
GONE_DB = -120.0  # re a tone
NOTHING_DB = -250.0  # equal, to the bit or nearly
ONE_DELAY_DEG = 45.0  # of phase that is left, RMS, beyond which no one delay fits


def names_of(found: xr.DataTree) -> tuple[str, str]:
    """Return what the two are called, apart where they have one name."""
    first, second = str(found.attrs["first"]), str(found.attrs["second"])
    return (first, second) if first != second else (f"{first} (A)", f"{second} (B)")


def sentences(found: xr.DataTree) -> list[str]:
    """Return what a check found, in sentences.

    Examples
    --------
    >>> from tonotopy.probes import equivalence
    >>> sentences(equivalence("filterbank:stft", "filterbank:stft", progress=False))[0]
    'filterbank:stft (B) does what filterbank:stft (A) does: nothing differs at first_layer.'
    """
    names = names_of(found)
    findings = list(findings_of(found))
    said = [_verdict(found, names, findings)]
    said += [_explained(one, names, found) for one in findings]
    rest = found["stages"].to_dataset()["rest_db"].dropna("stage")
    if rest.size:
        worst = str(rest["stage"].values[int(rest.values.argmax())])
        where = f"down to {rest['stage'].values[-1]}"
        largest = float(rest.max())
        said.append(
            f"Given that, nothing differs {where}."
            if largest <= NOTHING_DB
            else f"Given that, what is left {where} is at most {_db(largest)}, most at {worst}."
        )
    said += _of_codes(found)
    said += _of_round_trips(found, names)
    said += [f"Not compared: {line}." for line in str(found.attrs["left_out"]).splitlines()]
    return said


def findings_of(found: xr.DataTree) -> Iterator[Mapping[str, Any]]:
    """Yield what differs, each with its details by name."""
    group = found["findings"].to_dataset()
    for i in range(group.sizes["finding"]):
        one = {str(name): group[str(name)].values[i] for name in group.variables}
        yield {**one, "details": json.loads(str(one["details"]))}


def _verdict(found: xr.DataTree, names: tuple[str, str], findings: list[Mapping[str, Any]]) -> str:
    group = found["stages"].to_dataset()
    stages = [str(s) for s in group["stage"].values]
    where = stages[0] if len(stages) == 1 else f"{stages[0]} to {stages[-1]}"
    if findings:
        first = findings[0]
        size = float(first["size_db"])
        how = f" ({_db(size)})" if np.isfinite(size) else ""
        on = f", most on {first['on_sound']}{how}" if first["on_sound"] and not size <= NOTHING_DB else ""
        return f"{names[1]} does not do what {names[0]} does: they first differ at {first['at_stage']}{on}."
    largest = float(group["difference_db"].max().fillna(-300))
    by = "nothing differs" if largest <= NOTHING_DB else f"the largest difference is {_db(largest)}"
    said = f"{names[1]} does what {names[0]} does: {by} at {where}"
    if largest > NOTHING_DB:
        said += f", within the tolerance of {found.attrs['tolerance_db']:g} dB"
    return said + "."


def _db(value: float) -> str:
    return f"{value:z.0f} dB re the response"


def _left(value: float) -> str:
    """Say what an explanation leaves of a difference; nothing where that is not known."""
    if not np.isfinite(value):
        return ""
    return "; nothing is left" if value <= NOTHING_DB else f"; what is left is {_db(value)}"


def _explained(one: Mapping[str, Any], names: tuple[str, str], found: xr.DataTree) -> str:
    """Say what explains a difference."""
    values, stage, kind = one["details"], one["at_stage"], str(one["kind"])
    a, b = names
    faulty, other = (a, b) if values.get("which") == "first" else (b, a)
    left = _left(float(one["left_db"]))
    at = "Of one latent, decode:" if stage == DECODE else f"At {stage}"
    said = {
        "hop": "a frame lasts {first} samples in {a} and {second} in {b}",
        "channels": "{a} has {first} channels and {b} {second}",
        "frames": "{a} gives {first} frames of the same sound and {b} {second}",
        "precision": "{faulty} computes in {dtype}: all that it gives are numbers of that type, unlike what "
        "{other} gives",
        "rounded weights": "{faulty} does what {other} does with its weights rounded to {dtype}",
        "bias": "each channel of {b} is off by a constant, at most {largest:.2g} times the response",
        "channel gains": "each channel of {b} has a level of its own, {lowest_db:.1f} to {highest_db:.1f} dB "
        "re that of {a}, as where a scale of weights or a norm was left out",
        "codebook order": "codebooks of {b} are in another order (by number: {order} of {a})",
        "codebook": "{books} of {b} holds other entries than that of {a}",
        "renumbered codes": "codebook {step} of {b} holds the entries of {a}'s under other numbers",
        "silent": "{faulty} gives nothing but zeros",
        "not finite": "{faulty} gives NaN or Inf",
        "length": "they differ where a sound is no whole number of frames ({samples} samples), and on no "
        "other: its end is padded or cut in another way",
        "unexplained": "no delay, polarity, gain, padding, precision, weight norm or offset that was tried "
        "explains it",
    }.get(kind)
    if kind == "unexplained" and stage == DECODE:
        return f"{at} no delay, polarity, gain or half precision explains what differs."
    if kind == "frames" and stage == DECODE:
        return f"{at} {a} gives {values['first']:,} samples and {b} {values['second']:,}."
    if said is not None and not values.get("inverted"):
        text = said.format(a=a, b=b, faulty=faulty, other=other, **values)
        return f"{at} {text}{left}."
    if kind == "edges":
        ends = [f"the {end} {_count(values[which])}" for end, which in ENDS if values[which]]
        return f"{at} only {enumerated(ends)} differ, as where layers are padded with something else{left}."
    if kind == "weight norm":
        where = f"of {values['layer']} " if values["layer"] else ""
        return (
            f"{at} {faulty} does what {other} does with the weight norm {where}not folded, "
            f"its direction taken for the weight{left}."
        )
    if kind == "decisions":
        return f"{at} {_decisions(values)}."
    if values.get("inverted"):
        channels, inverted = int(values["channels"]), int(values["inverted"])
        which = "all channels" if channels == inverted else f"{inverted} of {channels} channels"
        levels = f"{values['lowest_db']:+z.1f} to {values['highest_db']:+z.1f} dB"
        by = "" if kind == "polarity" else f", and their levels are {levels} re those of {a}"
        return f"{at} {which} of {b} are inverted{by}{left}."
    if "later" in values:
        return f"{at} {_reach(values, kind, b, a, found)}."
    return f"{at} {b} does what {a} does with {_input(values, kind, stage, found)}{left}."


def _decisions(values: Mapping[str, Any]) -> str:
    if "share" in values:
        return f"another entry was chosen in {100 * values['share']:.2g} % of frames"
    said = f"{int(values['beyond']):,} of {counted(int(values['frames']), 'frame')} got another code"
    near = ", near no decision" if values["margins"] == "known" else ""
    return f"{said}{near}, first at step {values['step']}"


def _reach(values: Mapping[str, Any], kind: str, b: str, a: str, found: xr.DataTree) -> str:
    later = int(values["later"])
    frames = _in_frames(abs(later), str(values["before"]), found)
    if not later:
        earliest = int(values["earliest"])
        side = "later" if earliest > 0 else "earlier"
        return (
            f"frames of {b} see samples from {counted(abs(earliest), 'sample')} {side} on than those of {a}, "
            "as of another kernel, dilation or filter"
        )
    why = "a layer there is padded on the other side, by all or some of it"
    if kind == "receptive field":
        earliest = int(values["earliest"])
        side = "later" if earliest > 0 else "earlier"
        why = f"from {counted(abs(earliest), 'sample')} {side} on, as of another kernel, dilation or filter"
    return (
        f"frames of {b} see samples up to {counted(abs(later), 'sample')} "
        f"{'later' if later > 0 else 'earlier'} than those of {a}{frames}: {why}"
    )


def _in_frames(samples: float, stage: str, found: xr.DataTree) -> str:
    if not stage:
        return ""
    hop = float(found["stages"].to_dataset()["hop"].sel(side="first", stage=stage))
    return f", {_count(samples / hop)} of {stage}" if hop > 1 and samples % hop == 0 else ""


def _count(frames: float) -> str:
    return counted(round(frames), "frame")


def _input(values: Mapping[str, Any], kind: str, stage: str, found: xr.DataTree) -> str:
    """Say what has to be done to the sounds of the one for both to answer alike."""
    delay, gain_db = float(values["delay"]), float(values["gain_db"])
    said = []
    if delay:
        size = f"{abs(delay):.0f}" if delay == round(delay) else f"{abs(delay):.2f}"
        frames = _in_frames(abs(delay), str(values.get("before", "")), found)
        plural = "sample" if size == "1" else "samples"
        said.append(f"the sound {size} {plural} {'later' if delay > 0 else 'earlier'}{frames}")
    if values["polarity"] < 0:
        said.append("the polarity inverted")
    if abs(gain_db) > 0.005:
        said.append(f"the sound {abs(gain_db):.2f} dB {'louder' if gain_db > 0 else 'softer'}")
    text = enumerated(said)
    hops = found["stages"].to_dataset()["hop"].sel(side="first")
    own = float(hops.sel(stage=stage)) if stage in hops["stage"].values else 1.0
    if kind != "padding":
        deepest = str(hops["stage"].values[int(hops.values.argmax())])
        return (
            text + ("" if values.get("before") else _in_frames(abs(delay), deepest, found)) if delay else text
        )
    text += ": a layer is padded on the other side, by all or some of it"
    text += ", or frames are counted from another on" if own > 1 and delay % own == 0 else ""
    return text if values.get("before") else f"{text}, or the sounds come so much apart"


def _of_codes(found: xr.DataTree) -> list[str]:
    if "codes" not in found.children:
        return []
    group = found["codes"].to_dataset()
    near, beyond = int(group["near"].sum()), int(group["beyond"].sum())
    frames = f"Of {counted(int(group.attrs['frames']), 'frame')} of codes"
    if not near + beyond:
        return [f"{frames} none differs."]
    if group.attrs["margins"] == "unknown":
        return [
            f"{frames} {near + beyond:,} differ; how near a decision they lay is not known without codebooks."
        ]
    latents = found["stages"].to_dataset()["difference_db"].sel(stage="latent")
    if float(latents.max()) > float(found.attrs["tolerance_db"]):
        near_one = "are accounted for by what the latent moved"
        return [f"{frames} {near + beyond:,} differ: {near:,} {near_one}, {beyond:,} are not."]
    return [f"{frames} {near + beyond:,} differ: {near:,} lay near a decision, {beyond:,} did not."]


def _of_round_trips(found: xr.DataTree, names: tuple[str, str]) -> list[str]:
    if "round_trip" not in found.children:
        return []
    group = found["round_trip"].to_dataset()
    said = []
    for side in (str(s) for s in group["side"].values):
        one = group.sel(side=side)
        name = names[0] if side == "first" else names[1]
        inverted = ", inverted" if "no one" not in delay_of(one) and float(one["polarity"]) < 0 else ""
        if not np.isfinite(one["gain_db"].values).any():
            said.append(f"through {name} no tone comes")
            continue
        low, middle, high = np.nanpercentile(one["gain_db"].values, [0, 50, 100])
        said.append(
            f"through {name} tones come {delay_of(one)}{inverted}, at {middle:+.1f} dB "
            f"({_gain(low)} to {_gain(high)} dB)"
        )
    return [f"Encoded and decoded, {'; '.join(said)}."]


def _gain(db: float) -> str:
    """Write a level; where a tone is gone, its level is that of rounding."""
    return "gone" if db < GONE_DB else f"{db:+.1f}"


def delay_of(one: xr.Dataset) -> str:
    """Say how late tones come, of a stage or a side."""
    if float(one["phase_left_deg"]) > ONE_DELAY_DEG:
        return "at no one delay"
    return _delay(float(one["delay"]))


def _delay(samples: float) -> str:
    if not np.isfinite(samples):
        return "at no delay that could be found"
    if abs(samples) < 0.005:
        return "without delay"
    return f"{abs(samples):.2f} samples {'later' if samples > 0 else 'earlier'}"
