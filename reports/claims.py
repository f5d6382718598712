"""Claims in plain words: what is so if a hypothesis holds, and what if it does not."""

from __future__ import annotations

from dataclasses import dataclass

from ..probes.hypotheses.hypothesis import REFUTED, SUPPORTED


@dataclass(frozen=True)
class Claim:
    """A hypothesis as a clause, affirmed and denied."""

    holds: str
    fails: str

    def said(self, verdict: str) -> str:
        """Return the clause that says a verdict: of a denial, the denial; "" where nothing is decided.

        Examples
        --------
        >>> claim_of("pitch_is_a_stable_direction").said("refuted")
        'pitch is not a stable direction'
        """
        return {SUPPORTED: self.holds, REFUTED: self.fails}.get(verdict, "")


def claim_of(hypothesis: str) -> Claim:
    """Return a hypothesis in words; one that is not the library's by its name.

    Examples
    --------
    >>> claim_of("my_own_claim").fails
    '“my own claim” does not hold'
    """
    own = f"“{hypothesis.replace('_', ' ')}”"
    return CLAIMS.get(hypothesis, Claim(f"{own} holds", f"{own} does not hold"))


CLAIMS = {
    "narrowband_first_layer": Claim(
        "first-layer filters are as narrow as the ear's", "first-layer filters are broader than the ear's"
    ),
    "selective_stack_end": Claim(
        "channels at the end of the stack are narrower than their frame rate allows",
        "channels at the end of the stack are broader than their frame rate allows",
    ),
    "predictable_aliasing": Claim(
        "most of a tone's power comes out where the strides foretell",
        "most of a tone's power comes out elsewhere than the strides foretell",
    ),
    "predictable_representability": Claim(
        "the strides foretell which partials can be read",
        "the strides do not foretell which partials can be read",
    ),
    "alias_collapse": Claim(
        "tones that share a fold become one sound", "tones that share a fold do not become one sound"
    ),
    "uneven_tiling": Claim(
        "first-layer filters share frequency out no more evenly than chance",
        "first-layer filters share frequency out more evenly than chance",
    ),
    "superposition": Claim(
        "first-layer filters are more alike than they need be",
        "first-layer filters are no more alike than they need be",
    ),
    "partials_are_present": Claim("most partials are there", "most partials are not there"),
    "stable_partials_first_layer": Claim(
        "partials keep their trace at the first layer", "partials do not keep their trace at the first layer"
    ),
    "stable_partials_stack_end": Claim(
        "partials keep their trace at the end of the stack",
        "partials do not keep their trace at the end of the stack",
    ),
    "stable_partials_latent": Claim(
        "partials keep their trace at the latent", "partials do not keep their trace at the latent"
    ),
    "stable_partials_quantized": Claim(
        "partials keep their trace once quantized", "partials do not keep their trace once quantized"
    ),
    "partials_have_a_place": Claim("partials have a place", "partials have no clear place"),
    "stability_falls_with_density": Claim(
        "the more sounds, the less a partial keeps its trace",
        "a partial keeps its trace nearly as well among many others as among few",
    ),
    "access_falls_with_density": Claim(
        "the more sounds, the worse a partial can be read",
        "a partial can be read nearly as well among many others as among few",
    ),
    "readable_partials": Claim(
        "partials can be read in dense mixtures", "partials cannot be read in dense mixtures"
    ),
    "pitch_is_a_stable_direction": Claim("pitch is a stable direction", "pitch is not a stable direction"),
    "chords_keep_across_positions": Claim(
        "most chords are found again in another position",
        "most chords are not found again in another position",
    ),
    "architectural": Claim(
        "partials cannot be read, and random weights fail alike",
        "partials can be read, or random weights differ",
    ),
    "same_across_encoders": Claim(
        "partials cannot be read, in all encoders alike", "partials can be read, or encoders differ"
    ),
    "chords_are_sums_of_pitches": Claim(
        "a chord is the sum of its notes", "a chord is not the sum of its notes"
    ),
    "codes_are_reused": Claim(
        "tokens of a partial are used again in other contexts",
        "tokens of a partial are not used again in other contexts",
    ),
    "waveform_shape_over_spectrum": Claim(
        "frames follow waveform shape beyond its spectrum",
        "frames do not follow waveform shape beyond its spectrum",
    ),
    "removable_partials": Claim(
        "a partial can be taken out of the latent", "a partial cannot be taken out of the latent"
    ),
    "discovered_features": Claim(
        "training makes features that a dictionary finds",
        "a dictionary finds no more features than in random weights",
    ),
    "interpretable_features": Claim(
        "features mean more than those of random weights",
        "features mean no more than those of random weights",
    ),
    "steering_features": Claim("features steer what is generated", "features do not steer what is generated"),
    "steering_beyond_means": Claim(
        "features steer more than differences of means", "features steer no more than differences of means"
    ),
    "depth_orders_features": Claim(
        "layers further apart hold features of more different meaning",
        "layers further apart do not hold features of more different meaning",
    ),
}
