"""Claims about the encoders: one of waveforms, one of melodies."""

import xarray as xr

from tonotopy.probes import Control, Hypothesis, PerUnit, measured


def blindness(run: xr.DataTree, node: str, stage: str) -> PerUnit:
    """Channel by channel."""
    return PerUnit(measured(run, node, "polarity", "blindness", stage), bounds=(0, 1))


def idleness(run: xr.DataTree, node: str, stage: str) -> PerUnit:
    """Mean deviation of the posterior, dimension by dimension, over the model's own samples."""
    return PerUnit(measured(run, node, "latents", "mean_sigma").isel(material=0), bounds=(0, 2))


CLAIMS = (
    Hypothesis(
        "example_upright",
        claim="a first layer keeps the sign of what it is given",
        source_expects="supported",
        statement="blindness of channels to polarity",
        group="polarity",
        stage="first_layer",
        holds="below",
        threshold=0.5,
        justification="half way between a linear stage and a rectifier",
        null="signs about the threshold",
        controls=(Control("control:decimator", high=0.01), Control("control:rectifier", low=0.99)),
        evidence=blindness,
    ),
    Hypothesis(
        "example_idle",
        claim="most latents carry nothing",
        source_expects="supported",
        statement="mean deviation of the posterior of a latent",
        group="latents",
        stage="",
        holds="above",
        threshold=0.25,
        justification="a quarter of the prior's",
        null="signs about the threshold",
        controls=(Control("control:planted", low=0.7),),
        evidence=idleness,
        modality="melody",
    ),
)
