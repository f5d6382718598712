"""What is measured of tokens."""

from __future__ import annotations

from ..engine.variable import STAGE, Groups, Variable

_SKQ = ("stage", "component", "codebook")
_SK = ("stage", "component")
_SQ = ("stage", "codebook")

VARIABLES: Groups = {
    "codes": {
        **STAGE,
        "component": Variable(("component",), "Hz", "frequency of the partial"),
        "codebook": Variable(("codebook",), "1", "number of the codebook, from 1"),
        "agreement_same": Variable(_SKQ, "1", "share of codes alike: same partial and phase, other context"),
        "agreement_different": Variable(_SKQ, "1", "share of codes alike: another partial, other context"),
        "agreement_context": Variable(_SKQ, "1", "share of codes alike: another partial, same context"),
        "agreement_phase": Variable(_SKQ, "1", "share of codes alike: same partial and context, other phase"),
        "reuse_p": Variable(_SQ, "1", "p of agreement_same against partials dealt anew in every context"),
        "reuse": Variable(
            _SK,
            "1",
            "share of codes that a partial has in other contexts, too, less that of other partials, of the "
            "codebook or number of codebooks for which this is largest in those contexts",
        ),
        "reuse_chance": Variable(_SK, "1", "what is taken off: the codes are there without the partial"),
        "joint_same": Variable(_SKQ, "1", "agreement_same of all codebooks up to this one at once"),
        "joint_different": Variable(_SKQ, "1", "agreement_different of all codebooks up to this one at once"),
        "joint_phase": Variable(_SKQ, "1", "agreement_phase of all codebooks up to this one at once"),
        "change_probability": Variable(
            _SKQ, "1", "share of codes that differ from those of the context alone"
        ),
        "information": Variable(
            _SKQ, "bit", "what a code tells of which partial sounds, read by other contexts"
        ),
        "information_null": Variable(
            _SQ, "bit", "the same of partials dealt anew in every context, taken off"
        ),
        "information_seen": Variable(_SQ, "1", "share of codes that occur in other contexts as well"),
        "information_p": Variable(_SQ, "1", "p of the information against the same"),
        "joint_information": Variable(_SKQ, "bit", "information of all codebooks up to this one at once"),
        "joint_information_null": Variable(_SQ, "bit", "information_null of all codebooks up to this one"),
        "joint_information_seen": Variable(_SQ, "1", "information_seen of any codebook up to this one"),
        "joint_information_p": Variable(_SQ, "1", "information_p of all codebooks up to this one"),
        "entries": Variable(_SQ, "1", "entries of the codebook; NaN where they are not known"),
        "used": Variable(_SQ, "1", "entries that what was played uses"),
        "perplexity": Variable(_SQ, "1", "2 ^ entropy of the codes of what was played"),
        "quantile": Variable(("quantile",), "1", "share of decisions with at most this margin"),
        "margin": Variable(
            ("stage", "quantile", "codebook"),
            "1",
            "distance to the runner-up less that to the nearest, re the distance between the two",
        ),
        "narrow_share": Variable(_SQ, "1", "share of decisions so narrow that rounding may turn them"),
        "generation": Variable(("generation",), "1", "how often the sound was decoded and encoded again"),
        "reencoded_same": Variable(
            ("stage", "generation", "component", "codebook"), "1", "share of codes still as at first"
        ),
        "reencoded_step": Variable(
            ("stage", "generation", "component", "codebook"), "1", "share of codes as one generation before"
        ),
        "delay": Variable(("delay",), "hops", "how much later the encoder begins to hear the same sound"),
        "shifted_same": Variable(
            ("stage", "delay", "component", "codebook"), "1", "share of codes that stay when the start moves"
        ),
        "unrelated_same": Variable(
            _SKQ, "1", "share of codes alike between sounds that share neither partial nor context"
        ),
        "arithmetic": Variable(("arithmetic",), "1", "how the same sum was done another way"),
        "arithmetic_changed": Variable(
            ("stage", "arithmetic", "codebook"), "1", "share of codes that another order of sums changes"
        ),
        "arithmetic_margin": Variable(
            ("stage", "arithmetic"), "1", "largest margin at which a frame's first changed code changed"
        ),
        "arithmetic_certainty": Variable(
            ("stage", "arithmetic"), "1", "the same re what rounding can turn: at most 1 if it explains all"
        ),
        "arithmetic_distance": Variable(
            ("stage", "arithmetic"), "1", "largest change of a latent, re its norm"
        ),
        "remark": Variable(("stage",), "1", "why there are no values, or what to know of them"),
    },
}
