"""How numbers and lists are written, in tables, sentences and figures alike."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

DASH = "–"


def written(value: float, unit: str) -> str:
    """Write a number in its unit; a dash where there is none.

    Examples
    --------
    >>> written(0.5, "share"), written(1234.0, "Hz"), written(float("nan"), "1")
    ('50 %', '1.23 kHz', '–')
    """
    if not np.isfinite(value):
        return DASH
    if unit == "Hz":
        return hertz(value)
    return FORMS.get(unit, FORMS["1"])(value)


FORMS = {
    "1": lambda value: f"{value:z.2f}",
    "number": lambda value: f"{value:.3g}",  # of any size
    "count": lambda value: f"{value:.0f}" if value == round(value) else f"{value:.3g}",
    "share": lambda value: f"{100 * value:.0f} %",
    "percent": lambda value: f"{100 * value:.1f} %",  # a share, to a tenth of a percent
    "points": lambda value: f"{100 * value:+z.2f}",  # a change of a share, in percentage points
    "nats": lambda value: f"{value:.1f}",
    "dB": lambda value: f"{value:.1g} dB",
    "level": lambda value: f"{value:z.1f} dB",
    "times": lambda value: f"{value:.2g} times",
    "gain": lambda value: f"{value:.2g}",
}


def hertz(frequency_hz: float) -> str:
    """Write a frequency with its unit.

    Examples
    --------
    >>> hertz(82.4), hertz(1234.0)
    ('82.4 Hz', '1.23 kHz')
    """
    if not np.isfinite(frequency_hz):
        return "unknown"
    if frequency_hz < 999.5:
        return f"{frequency_hz:.3g} Hz"
    return f"{frequency_hz / 1000:.3g} kHz"


def interval(seeds: Sequence[float], unit: str) -> str:
    """Write the range of finite values, the unit once where both share it.

    Examples
    --------
    >>> interval([80.0, 105.0, float("nan")], "Hz")
    '80 to 105 Hz'
    """
    finite = [s for s in seeds if np.isfinite(s)]
    if not finite:
        return DASH
    low, high = written(min(finite), unit), written(max(finite), unit)
    if low == high:
        return low
    if low.split(" ")[1:] == high.split(" ")[1:]:
        low = low.split(" ")[0]
    return f"{low} to {high}"


def among_seeds(values: Sequence[float], places: int = 2) -> str:
    """Write the range of what random networks give, nothing without any.

    Examples
    --------
    >>> among_seeds([0.1, 0.3, float("nan")]), among_seeds([])
    (' (random 0.10 to 0.30)', '')
    """
    finite = [v for v in values if np.isfinite(v)]
    if not finite:
        return ""
    low, high = f"{min(finite):z.{places}f}", f"{max(finite):z.{places}f}"
    return f" (random {low if low == high else f'{low} to {high}'})"


def counted(number: int, noun: str, several: str = "") -> str:
    """Write how many there are of something.

    Examples
    --------
    >>> counted(1, "seed"), counted(1200, "seed"), counted(2, "index", "indices")
    ('1 seed', '1,200 seeds', '2 indices')
    """
    return f"{number:,} {noun if number == 1 else several or noun + 's'}"


def in_words(number: int) -> str:
    """Write a small number as a word.

    Examples
    --------
    >>> in_words(4), in_words(12)
    ('four', '12')
    """
    words = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
    return words[number] if 0 <= number < len(words) else f"{number:,}"


def capitalised(text: str) -> str:
    """Begin a sentence with a capital letter, and leave the rest as it is.

    Examples
    --------
    >>> capitalised("the STFT")
    'The STFT'
    """
    return text[:1].upper() + text[1:]


def listed(parts: Sequence[str]) -> str:
    """Join what was found at several stages into one sentence's end."""
    return "; ".join(parts)


def enumerated(words: Sequence[str]) -> str:
    """Join words with commas, the last with "and".

    Examples
    --------
    >>> enumerated(["a", "b", "c"]), enumerated([])
    ('a, b and c', '')
    """
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def spelled(name: str) -> str:
    """Write a name in words, as a title.

    Examples
    --------
    >>> spelled("waveform_shape")
    'Waveform shape'
    """
    return name.capitalize().replace("_", " ")
