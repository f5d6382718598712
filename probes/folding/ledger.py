"""The ledger: output power of coherent tones, booked to what theory predicts and to the rest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from ...encoders.base import Encoder, Stage
from ...synth.stimuli import StimulusSet
from ..engine.respond import Plan, respond
from ..engine.session import Session
from .coherence import Coherence
from .collapse import Patterns
from .folding import components, predicted_lines

FLOOR_DB = -80.0  # re the stage's strongest channel, its activation in silence added to its response
FAINTEST_DB = -100.0  # of a tone re the stage's strongest tone: below that, float32 rounding has its share
UNANSWERED_DB = -30.0  # of a tone re the mean over tones: below that it is lost in the noise of a reader
SETTLED = 5e-4  # relative change that counts as steady: what has not settled would be booked as "rest"


class Books:
    """The ledger of one stage, filled tile by tile.

    Parameters
    ----------
    stage : Stage
    cycles : sequence of int64 [1 or 2]
        Whole cycles of each stimulus's partials in the window.
    n_frames : int
        Frames in the window.

    Attributes
    ----------
    components : tuple of str
    bins : int64 [n, n_lines]
        Predicted output bins.
    coincident : bool [n, n_components]
        Whether a bin of a component belongs to an earlier one.
    share : float32 [n, C, n_components]
        NaN where the channel's response is below the floor, and for tones that are not `audible`.
    response : float32 [n, C]
        RMS deviation from silence re the stimulus's RMS.
    bank : float64 [n, n_frames // 2 + 1]
        Power at each output bin, added up over channels; 0 for tones that are not `audible`.
    audible : bool [n]
        False where no channel's response is above the floor, or the bank's is below `FAINTEST_DB`.
    patterns : Patterns
    change_probability : float32 [n, C]
        Of codes, which have no power: share of frames that differ from silence's.
    """

    def __init__(self, stage: Stage, cycles: Sequence[np.ndarray], n_frames: int) -> None:
        lines = [predicted_lines(one, n_frames) for one in cycles]
        n, self.stage, self.components = len(cycles), stage, components(max(map(len, cycles)))
        self.bins = np.stack([line.bins for line in lines])
        self._coincident = np.stack([line.coincident for line in lines])
        self._belongs = np.zeros((self.bins.shape[1], len(self.components) - 1), dtype=np.float32)
        self._belongs[np.arange(len(self._belongs)), lines[0].component] = 1
        self.coincident = np.zeros((n, len(self.components)), dtype=bool)
        self.coincident[:, :-1] = self._coincident @ self._belongs > 0
        self.share = np.full((n, stage.channels, len(self.components)), np.nan, dtype=np.float32)
        self.response, self.change_probability = np.full((2, n, stage.channels), np.nan, dtype=np.float32)
        self.bank = np.zeros((n, n_frames // 2 + 1))
        self.audible = np.zeros(n, dtype=bool)
        self.patterns = Patterns()
        self._from = 0

    def reduce(self, stimuli: StimulusSet, activations: Tensor, silence: Tensor) -> dict[str, Tensor]:
        """Book a tile: activations [b, 1, C, F] of the next b stimuli, silence [C, F]."""
        rows = slice(self._from, self._from + len(stimuli))
        if not self.stage.has_power:
            return {"change_probability": (activations[:, 0] != silence).float().mean(-1)}
        spectrum = _spectrum(activations[:, 0].float() - silence.float())  # [b, C, bins]
        power = spectrum.real.square().addcmul_(spectrum.imag, spectrum.imag)
        total = power.sum(-1, keepdim=True)  # [b, C, 1]
        strongest = (total[..., 0] + silence.float().square().mean(-1)).amax(-1)[:, None, None]
        loud = total > 10 ** (FLOOR_DB / 10) * strongest
        bins = torch.from_numpy(self.bins[rows]).to(power.device)[:, None].expand(-1, power.shape[1], -1)
        counted = torch.from_numpy(~self._coincident[rows]).to(power.device)[:, None]  # [b, 1, lines]
        lines = power.gather(-1, bins) * counted
        known = lines @ torch.from_numpy(self._belongs).to(power.device)  # [b, C, components - 1]
        rest = (total - lines.sum(-1, keepdim=True)).clamp_min(0.0)
        share = torch.cat([known, rest], -1) / total
        rms = torch.as_tensor(stimuli.rms, dtype=torch.float32, device=power.device)
        return {
            "share": torch.where(loud, share, 0.0),
            "loud": loud[..., 0],
            "response": total[..., 0].sqrt() / rms[:, None],
            "bank": power.sum(1),
            "spectrum": spectrum,
        }

    def write(self, rows: slice, values: Mapping[str, np.ndarray]) -> None:
        """Keep what `reduce` returned for stimuli `rows`."""
        self._from = rows.stop
        if "change_probability" in values:
            self.change_probability[rows] = values["change_probability"]
            return
        self.share[rows] = np.where(values["loud"][..., None], values["share"], np.nan)
        self.response[rows] = values["response"]
        self.bank[rows] = values["bank"]
        self.audible[rows] = values["loud"].any(1)
        self.patterns.add(values["spectrum"])

    def close(self) -> None:
        """Strike out the tones that are not audible, once all are written."""
        power = self.bank.sum(1)
        self.audible &= power > 10 ** (FAINTEST_DB / 10) * power.max()
        self.share[~self.audible], self.bank[~self.audible] = np.nan, 0.0

    def similarity(self, aligned: bool = False) -> np.ndarray:
        """How alike the patterns of every two tones are, float64 [n, n]; NaN where one is not `answered`.

        As if all tones had their fold, shift and harmonics at the same output frequencies, if `aligned`.
        """
        alike = self.patterns.similarity(self.bins if aligned else None)
        return np.where(np.outer(self.answered, self.answered), alike, np.nan)

    @property
    def answered(self) -> np.ndarray:
        """Tones with at least a thousandth of the mean power over tones, bool [n]: others are rejected."""
        power = self.bank.sum(1)
        return power > 10 ** (UNANSWERED_DB / 10) * power.mean()

    @property
    def bank_share(self) -> np.ndarray:
        """The ledger of all channels together, [n, n_components]; NaN without any power."""
        rows = np.arange(len(self.bank))[:, None]
        lines = np.where(self._coincident, 0.0, self.bank[rows, self.bins])
        known = lines @ self._belongs
        left = self.bank.copy()
        left[rows, self.bins] = 0.0
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.column_stack([known, left.sum(1)]) / self.bank.sum(1, keepdims=True)


def keep_ledger(
    session: Session[Encoder], stimuli: StimulusSet, window: Coherence, stages: Sequence[str], label: str = ""
) -> tuple[dict[str, Books], Plan]:
    """Play coherent tones and keep the ledger of every stage.

    Raises
    ------
    InputError
        If a tone has no whole number of cycles in the window, and what `respond` raises.
    """
    books = {
        name: Books(session.encoder.stages[name], window.cycles(stimuli, name), window.frames[name])
        for name in stages
    }
    plan = respond(
        session,
        stimuli,
        stages,
        lambda stage, stimuli, activations, silence: books[stage.name].reduce(stimuli, activations, silence),
        lambda stage, rows, values: books[stage].write(rows, values),
        phases=1,
        frames=window.frames,
        tolerance=SETTLED,
        label=label,
    )
    for book in books.values():
        book.close()
    return books, plan


def _spectrum(deviation: Tensor) -> Tensor:
    """One-sided spectrum of root mean squares: float32 [..., F] -> complex64 [..., F // 2 + 1]."""
    n_frames = deviation.shape[-1]
    spectrum = torch.fft.rfft(deviation, norm="forward")
    spectrum[..., 1 : (n_frames + 1) // 2] *= 2**0.5
    return spectrum
