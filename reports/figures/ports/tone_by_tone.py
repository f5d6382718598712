"""Tone by tone: level of the one less that of the other over frequency."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..drawing import Illustration, canvas, frequency_axis, hint, one_legend
from ..run.comparison import LOOKS
from ..tables import Row, table


def tone_by_tone(
    name: str,
    title: str,
    question: str,
    tones_hz: np.ndarray,
    curves: Sequence[tuple[str, np.ndarray, str]],
    label: str,
) -> Illustration:
    """Draw levels over the frequency of single tones.

    Parameters
    ----------
    name, title, question : str
    tones_hz : float64 [K]
    curves : sequence of (str, float64 [K], str)
        What each is called, dB at each tone, and what its delay is.
    label : str
        Of the level axis, with its unit.
    """
    rows: list[Row] = []
    with canvas(2.6, title) as figure:
        axes = figure.subplots()
        for (called, gain_db, delay), (color, marker) in zip(curves, LOOKS, strict=False):
            (line,) = axes.plot(tones_hz, gain_db, marker=marker, ms=4, lw=1, color=color, label=called)
            hint(line, f"{called}: {delay}")
            for tone, gain in zip(tones_hz, gain_db, strict=True):
                rows.append({"of": called, "tone (Hz)": float(tone), label: float(gain), "delay": delay})
        axes.axhline(0, color="#777777", lw=0.9)
        low, high = axes.get_ylim()
        axes.set_ylim(min(low, -1.0), max(high, 1.0))  # rounding must not look like a difference
        frequency_axis(axes, "x", float(tones_hz.min()), float(tones_hz.max()), "frequency of the tone (Hz)")
        axes.set_ylabel(label)
        one_legend(figure)
    said = "; ".join(f"{called}: {delay}" for called, _, delay in curves)
    return Illustration(
        name,
        title,
        figure,
        question,
        "Single tones of -20 dBFS; the level is of the tone's own component, so that what is added to it "
        "does not count. The delay is that whose phase over frequency fits best.",
        f"Curves of the level in dB over frequency for {', '.join(c for c, _, _ in curves)}.",
        f"{said}.",
        table(rows),
    )
