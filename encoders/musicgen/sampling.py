"""Generation: columns one after another, with an explicit cache, guidance and edits."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from ...synth.errors import InputError
from .decoder import logits_of
from .delay import delayed, undelayed

if TYPE_CHECKING:
    from .model import Edit, MusicGen


def generate(
    model: MusicGen,
    frames: int,
    *,
    seeds: Sequence[int] = (0,),
    condition: Any = None,
    prompt: Tensor | None = None,
    guidance: float = 3.0,
    temperature: float = 1.0,
    top_k: int = 0,
    edit: Edit | None = None,
    cached: bool = True,
    advance: Callable[[int], None] = lambda frames: None,
) -> Tensor:
    """Make codes up, one column after another.

    Parameters
    ----------
    model : MusicGen
    frames : int > 0
        How many, those of the prompt among them.
    seeds : sequence of int
        One for each sequence: what is drawn for it follows from its seed alone, so that sequences of the same
        seed differ by condition and edit only.
    condition : mapping, str, or a sequence of them, optional
        Values of factors, or a text; see `MusicGen.tokens`.
    prompt : int64 [B or 1, K, P], optional
        Codes to go on from.
    guidance : float
        With a condition, logits are ``u + guidance (c - u)``, c and u with and without it. At 1 nothing runs
        unconditionally.
    temperature : float >= 0
        At 0 the likeliest code is taken.
    top_k : int >= 0
        Codes that are drawn from; 0: all.
    edit : Edit, optional
        Changes the residual stream at every column, those of the prompt among them.
    cached : bool
        Keep keys and values of earlier columns. Without, every step runs all of them again, as a check.
    advance : callable
        Called with the number of frames done.

    Returns
    -------
    codes : int64 [B, K, frames]

    Raises
    ------
    InputError
        If a number is out of range, or prompt, condition or edit do not fit the model.

    Notes
    -----
    Source: guidance as in Copet et al., arXiv 2306.05284; draws by the Gumbel-max trick.
    """
    batch = len(seeds)
    _check(frames, batch, guidance, temperature, top_k)
    columns = _begun(model, frames, batch, prompt)  # [B, K, S]
    known = 0 if prompt is None else prompt.shape[2]
    tokens = model.tokens(condition, batch)
    doubled = tokens is not None and guidance != 1
    if doubled:
        tokens = torch.cat([tokens, torch.zeros_like(tokens)])  # type: ignore[arg-type]
    generators = [torch.Generator().manual_seed(seed) for seed in seeds]
    cache, heard = _empty_cache(model) if cached else None, 0
    with torch.inference_mode(), model.editing(edit, batch if doubled else None):
        for column in range(1, columns.shape[2]):
            free = [q for q in range(columns.shape[1]) if known <= column - 1 - q < frames]
            if not free:
                continue
            given = columns[..., heard:column]
            heard = column if cached else 0
            said = logits_of(model.decoder, given.repeat(2, 1, 1) if doubled else given, tokens, cache)
            logits = said[:, :, -1].float()  # [R, K, entries]
            if doubled:
                with_condition, without = logits.chunk(2)
                logits = without + guidance * (with_condition - without)
            chosen = _chosen(logits, temperature, top_k, generators)
            columns[:, free, column] = chosen[:, free]
            advance(max(0, column + 1 - columns.shape[1]))
    return undelayed(columns).cpu()


def _check(frames: int, batch: int, guidance: float, temperature: float, top_k: int) -> None:
    if frames < 1 or batch < 1:
        raise InputError(f"{frames} frames of {batch} sequences: must be at least 1 of each")
    if not (0 <= temperature < float("inf") and top_k >= 0 and abs(guidance) < float("inf")):
        raise InputError(
            f"temperature {temperature}, top_k {top_k}, guidance {guidance}: must be finite, and the first "
            "two not negative"
        )


def _begun(model: MusicGen, frames: int, batch: int, prompt: Tensor | None) -> Tensor:
    """Return the columns, with the prompt's codes where they belong."""
    codes = torch.full((batch, model.n_codebooks, frames), model.special)
    if prompt is not None:
        model.check_codes(prompt)
        if len(prompt) not in (1, batch) or prompt.shape[2] >= frames:
            raise InputError(
                f"prompt of shape {tuple(prompt.shape)}: must be 1 or {batch} sequences of fewer than "
                f"{frames} frames"
            )
        codes[..., : prompt.shape[2]] = prompt.cpu()
    return delayed(codes, model.special).to(model.device)


def _chosen(logits: Tensor, temperature: float, top_k: int, generators: Sequence[torch.Generator]) -> Tensor:
    """Return a code for every codebook, int64 [B, K], of logits [B, K, entries]."""
    if temperature == 0:
        return logits.argmax(-1)
    if 0 < top_k < logits.shape[-1]:
        least = logits.topk(top_k, dim=-1).values[..., -1:]
        logits = logits.masked_fill(logits < least, -torch.inf)
    uniform = torch.stack([torch.rand(logits.shape[1:], generator=one) for one in generators])
    gumbel = -(-uniform.clamp(min=1e-20).log()).log()
    return (logits / temperature + gumbel.to(logits)).argmax(-1)


def _empty_cache(model: MusicGen) -> Any:
    from transformers.cache_utils import DynamicCache, EncoderDecoderCache

    about: Any = model.decoder
    return EncoderDecoderCache(DynamicCache(config=about.config), DynamicCache(config=about.config))
