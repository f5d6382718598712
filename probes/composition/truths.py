"""What truth demands of encoders that are known, question by question; ranges hold over seeds."""

from __future__ import annotations

from ..engine.known import Known, known_ranges
from .questions import SPACINGS, answer_of

LINEAR = (
    "filterbank:stft", "filterbank:stft_mixed", "filterbank:gammatone", "control:patches", "control:waveform",
    "control:patches_mixed",
)  # fmt: skip
MAGNITUDES = ("filterbank:stft_magnitude", "filterbank:stft_magnitude_mixed")
COMPRESSED = ("filterbank:stft_log", "filterbank:gammatone_envelope")
TRACKERS = ("filterbank:log_tracker", "filterbank:divisive_tracker")
HASH, PERMUTED, RECTIFIER = "control:sign_hash", "control:permuted", "control:rectifier"
ONE_FOR_ALL = ("control:decimator", "control:loudness")  # one channel, to which all partials are alike
TEXTURE, TWO_BANDS, DOWNSAMPLER = "control:texture", "control:two_bands", "control:downsampler"
PITCHES = ("filterbank:stft", "filterbank:harmonic_template")
NEIGHBOURS = SPACINGS[-2]
GUESSING = (0.44, 0.56)

Ranges = dict[str, tuple[float, float]]


def _ranges(*each: tuple[str | tuple[str, ...], float, float]) -> Ranges:
    """Give each of several encoders its range."""
    return {
        name: (low, high)
        for names, low, high in each
        for name in ((names,) if isinstance(names, str) else names)
    }


def of_presence() -> tuple[Known, ...]:
    """Say what is there: whatever loses little has all partials, whatever is one number has none."""
    own = _ranges(
        ((*LINEAR, *MAGNITUDES, *COMPRESSED, *TRACKERS, HASH, PERMUTED, RECTIFIER), 0.93, 1),
        (DOWNSAMPLER, 0.7, 0.9),  # partials above its Nyquist frequency, a fifth, are lost
        (ONE_FOR_ALL, 0, 0.12),
        (TEXTURE, 0, 0.3),
        (TWO_BANDS, 0, 0.25),
    )
    transferred = _ranges(
        ((*LINEAR, *MAGNITUDES), 0.95, 1),
        (COMPRESSED, 0.85, 1),
        (TRACKERS, 0.8, 1),
        (HASH, 0.8, 1),
        ((PERMUTED, RECTIFIER, TEXTURE, TWO_BANDS), 0, 0.25),
        (ONE_FOR_ALL, 0, 0.12),
    )
    pitches = _ranges((PITCHES, 0.93, 1), ((*ONE_FOR_ALL, TEXTURE, TWO_BANDS), 0, 0.3))
    return (
        *known_ranges("proportion of partials found", answer_of("proportion"), own),
        *known_ranges("partials found by planes of another context", answer_of("transferable"), transferred),
        *known_ranges("proportion of pitches found", answer_of("proportion", "pitch"), pitches),
    )


def of_stability() -> tuple[Known, ...]:
    """Say what stays the same, everything at linear stages, and what is confused."""
    contained = _ranges(
        ((*LINEAR, *ONE_FOR_ALL), 0.99, 1),
        (MAGNITUDES, 0.95, 1),
        (COMPRESSED, 0.82, 1),
        ("filterbank:log_tracker", 0.85, 1),
        ("filterbank:divisive_tracker", 0.8, 1),  # every level depends on all others, as it is meant to
        (DOWNSAMPLER, 0.9, 1),
        (TWO_BANDS, 0.95, 1),
        (TEXTURE, 0, 0.12),
        (HASH, 0, 0.2),
        ((PERMUTED, RECTIFIER), 0, 0.12),
    )
    confused = _ranges(
        ((*LINEAR, *MAGNITUDES, *TRACKERS), 0, 0.1),
        (COMPRESSED, 0, 0.15),
        ((*ONE_FOR_ALL, TWO_BANDS), 0.85, 1),
        ((TEXTURE, HASH, PERMUTED, RECTIFIER), 0, 0.12),
    )
    pitches = _ranges((PITCHES, 0.6, 1), ((TEXTURE, HASH, PERMUTED), 0, 0.2))
    return (
        *known_ranges("containment of partials", answer_of("containment"), contained),
        *known_ranges(
            "confusion 4.5 semitones apart", answer_of("confusion", spacing_semitones=NEIGHBOURS), confused
        ),
        *known_ranges("containment of pitches", answer_of("containment", "pitch"), pitches),
    )


def of_access() -> tuple[Known, ...]:
    """Say what can be read: magnitudes by all, phases by squares of what is narrow, samples by none."""
    linear = _ranges(
        ((*MAGNITUDES, "filterbank:stft_log", *TRACKERS), 0.97, 1),
        ("filterbank:gammatone_envelope", 0.95, 1),
        ((*LINEAR, RECTIFIER, HASH, *ONE_FOR_ALL, DOWNSAMPLER), *GUESSING),
        (TEXTURE, 0.44, 0.62),
        (PERMUTED, 0.55, 0.8),
        (TWO_BANDS, 0.55, 0.75),
    )
    quadratic = _ranges(
        (("filterbank:stft", "filterbank:stft_magnitude", "filterbank:stft_log", *TRACKERS), 0.97, 1),
        ("filterbank:gammatone", 0.95, 1),
        ("filterbank:stft_mixed", 0.72, 0.95),
        (("control:patches", "control:waveform", HASH, RECTIFIER, *ONE_FOR_ALL), *GUESSING),
        (TEXTURE, 0.44, 0.62),
    )
    dense = _ranges(("filterbank:stft_magnitude", 0.94, 1))
    return (
        *known_ranges("linear access, mixtures of five", answer_of("auc", order="linear", density=5), linear),
        *known_ranges("quadratic access, of five", answer_of("auc", order="quadratic", density=5), quadratic),
        *known_ranges("linear access, of sixteen", answer_of("auc", order="linear", density=16), dense),
    )


def of_place() -> tuple[Known, ...]:
    """Say who answers: few channels in filterbanks, all in rotated ones, others in every context."""
    placed = _ranges(
        (("filterbank:stft", "filterbank:stft_magnitude"), 0.93, 1),
        (COMPRESSED, 0.8, 1),
        ("filterbank:gammatone", 0.8, 1),
        (TRACKERS, 0.8, 1),
        (("filterbank:stft_mixed", "filterbank:stft_magnitude_mixed", "control:patches", "control:waveform",
          "control:patches_mixed", DOWNSAMPLER, TEXTURE, HASH, PERMUTED, RECTIFIER, *ONE_FOR_ALL), 0, 0.1),
        (TWO_BANDS, 0, 0.35),
    )  # fmt: skip
    return known_ranges("place of partials", answer_of("place"), placed)
