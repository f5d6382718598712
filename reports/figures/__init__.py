"""Figures: one module per figure, each from xarray to an `Illustration`."""

from .bandwidth import bandwidth_by_frequency
from .best_frequency import best_frequency_by_rank
from .chord_tuning import chord_shares
from .codes import code_changes
from .drawing import Illustration
from .pitch_tuning import pitch_map, pitch_shares
from .tonotopic_map import control_maps, tonotopic_map
from .tuning_curves import tuning_curves

__all__ = [
    "Illustration",
    "bandwidth_by_frequency",
    "best_frequency_by_rank",
    "chord_shares",
    "code_changes",
    "control_maps",
    "pitch_map",
    "pitch_shares",
    "tonotopic_map",
    "tuning_curves",
]
