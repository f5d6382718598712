"""Does a stage tell a sound from the same sound turned upside down?"""

import numpy as np
import torch
import xarray as xr

from tonotopy.encoders import Encoder
from tonotopy.probes import Compared, Known, Probe, Session
from tonotopy.probes.engine.known import mean_of, near
from tonotopy.probes.engine.schema import dataset
from tonotopy.probes.engine.stages import readable_stages, refuse_codes_alone
from tonotopy.probes.engine.variable import STAGE, Variable

VARIABLES = {
    **STAGE,
    "blindness": Variable(
        ("stage", "channel"), "1", "blindness to polarity: 1 where both answers are the same"
    ),
}


def polarity(session: Session[Encoder], sounds: int = 4, seconds: float = 0.25) -> xr.Dataset:
    """Play noise and its negative to the stages, and compare how each channel departs from silence."""
    encoder = session.encoder
    stages = [s for s in readable_stages(encoder, session.stages) if encoder.stages[s].has_power]
    length = int(seconds * encoder.sample_rate)
    noise = 0.1 * np.random.default_rng(session.seed).standard_normal((sounds, length))
    waveforms = torch.from_numpy(np.concatenate([noise, -noise, 0 * noise[:1]]).astype(np.float32))
    channels = [encoder.stages[stage].channels for stage in stages]
    blindness = np.full((len(stages), max(channels)), np.nan)
    for i, found in enumerate(encoder.run(waveforms, stages).values()):
        departure = (found[:-1] - found[-1:]).double()  # [2 n, C, F]
        upright, inverted = departure.unflatten(0, (2, sounds))  # [n, C, F] each
        apart = (upright - inverted).square().sum((0, 2))
        both = upright.square().sum((0, 2)) + inverted.square().sum((0, 2))
        blindness[i, : channels[i]] = (1 - apart / (2 * both)).cpu()  # NaN where nothing departs
    return dataset(
        VARIABLES,
        {"stage": np.array(stages), "channel": np.arange(max(channels)), "n_channels": np.array(channels),
         "blindness": blindness},
        {"sounds": sounds, "seconds": seconds},
    )  # fmt: skip


POLARITY = Probe(
    "polarity",
    question="Does a stage tell a sound from the same sound turned upside down?",
    variables=VARIABLES,
    measure=polarity,
    refuses=refuse_codes_alone,
    compared=Compared("channel", ("blindness",)),
    known=(
        Known("control:decimator", "blindness of a linear stage", *near(0, 1e-9, "0"), mean_of("blindness")),
        Known("control:rectifier", "blindness of magnitudes", *near(1, 1e-9, "1"), mean_of("blindness")),
    ),
)
