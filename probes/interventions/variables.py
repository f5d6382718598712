"""What is measured of sounds whose latents were changed."""

from __future__ import annotations

from ..engine.variable import STAGE, Groups, Variable

VARIABLES: Groups = {
    "interventions": {
        **STAGE,
        "trial": Variable(("trial",), "1", "trial: the partial that is removed from a mixture"),
        "mixture": Variable(("trial",), "1", "number of the mixture"),
        "removed_frequency": Variable(("trial",), "Hz", "frequency of the partial to remove"),
        "n_partials": Variable(("trial",), "1", "partials of the mixture"),
        "removal": Variable(("removal",), "1", "what is removed from the latent"),
        "dose": Variable(("dose",), "1", "how much of it is removed; 1 is all"),
        "removed_db": Variable(
            ("stage", "removal", "dose", "trial"), "dB", "change of the partial's level in the sound"
        ),
        "neighbours_db": Variable(
            ("stage", "removal", "dose", "trial"), "dB", "mean change of the other partials' levels"
        ),
        "worst_neighbour_db": Variable(
            ("stage", "removal", "dose", "trial"),
            "dB",
            "largest change, up or down, of another partial's level",
        ),
        "rest_db": Variable(
            ("stage", "removal", "dose", "trial"), "dB", "change of the level of everything but the partials"
        ),
        "held": Variable(
            ("stage", "removal", "trial"), "1", "share of the latent's deviation from silence that is removed"
        ),
        "mean_removed_db": Variable(("stage", "removal", "dose"), "dB", "removed_db, mean over mixtures"),
        "mean_removed_low": Variable(("stage", "removal", "dose"), "dB", "lower end of its 95 % interval"),
        "mean_removed_high": Variable(("stage", "removal", "dose"), "dB", "upper end of its 95 % interval"),
        "mean_neighbours_db": Variable(
            ("stage", "removal", "dose"), "dB", "neighbours_db, mean over mixtures"
        ),
        "mean_neighbours_low": Variable(("stage", "removal", "dose"), "dB", "lower end of its 95 % interval"),
        "mean_neighbours_high": Variable(
            ("stage", "removal", "dose"), "dB", "upper end of its 95 % interval"
        ),
        "specific_db": Variable(
            ("stage", "removal", "trial"),
            "dB",
            "how much more the partial falls than its neighbours, at dose 1",
        ),
        "beyond_db": Variable(
            ("stage", "removal", "trial"),
            "dB",
            "specific_db of the partial's own plane less that of random planes of its energy; 0 where the "
            "partial is lost",
        ),
        "specific_p": Variable(
            ("stage", "removal"), "1", "p of beyond_db, of the partial's own planes, being above 0"
        ),
        "lost": Variable(
            ("stage",), "1", "trials without a level: the partial or all its neighbours are not transmitted"
        ),
        "reference_db": Variable(
            ("stage", "trial"), "dB", "level of the partial in the decoded sound re the one played"
        ),
        "ideal_removed_db": Variable(
            ("stage", "trial"), "dB", "change of the partial where the mixture is played without it"
        ),
        "ideal_neighbours_db": Variable(
            ("stage", "trial"), "dB", "mean change of the others where the mixture is played without it"
        ),
        "channels_removed": Variable(("channels_removed",), "1", "channels, most responsive first, silenced"),
        "channels_removed_db": Variable(
            ("stage", "channels_removed", "trial"), "dB", "change of the partial's level"
        ),
        "channels_neighbours_db": Variable(
            ("stage", "channels_removed", "trial"), "dB", "mean change of the other partials' levels"
        ),
        "codebooks": Variable(("codebooks",), "1", "codebooks that quantize the latent after the removal"),
        "quantized_removed_db": Variable(
            ("stage", "codebooks", "trial"),
            "dB",
            "change of the partial's level, own plane among others, dose 1",
        ),
        "quantized_neighbours_db": Variable(
            ("stage", "codebooks", "trial"), "dB", "mean change of the other partials' levels, same"
        ),
        "clip": Variable(("clip",), "1", "what is to be heard"),
        "clip_sample": Variable(("clip_sample",), "samples", "sample of the clips"),
        "sound": Variable(
            ("clip", "clip_sample"), "1", "sounds of the first trial whose partial is transmitted"
        ),
        "remark": Variable(("stage",), "1", "why there are no values, or what to know of them"),
    },
}
