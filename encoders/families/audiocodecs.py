"""Codecs with the methods of the audiocodecs collection, whatever is behind them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from ...synth.errors import InputError
from ..base import ModuleEncoder
from ..decoding import let_decode
from ..functions import answers_sha256
from ..layouts import Layout
from ..measuring import noise_for
from ..quantization import residual_quantization
from ..resuming import ResumableEncoder
from ..weights import tensors_in
from ..wrapping import wrap

METHODS = {"latent": "sig_to_feats", "quantized": "sig_to_qfeats", "codes": "sig_to_toks"}
AGREE = 0.95  # of the codes that residual quantization by its codebooks has to give: ties may fall otherwise
CLOSE = 1e-4


def from_audiocodecs(
    codec: Any, name: str | None = None, make: Callable[[], Any] | None = None
) -> ModuleEncoder:
    """Make an encoder of an object with the methods of the audiocodecs collection.

    Parameters
    ----------
    codec : object
        With ``sample_rate``, and as many as it has of ``sig_to_feats(sig)`` [B, T] -> [B, N, H],
        ``sig_to_qfeats(sig)``, ``sig_to_toks(sig)`` -> [B, N, K], ``feats_to_sig(feats)`` -> [B, T] and
        ``embs()`` -> [K, C, H]. A torch module usually, as those of the collection are.
    name : str, optional
        By default the codec's class.
    make : callable, optional
        Returns another one, untrained, where nothing else says how something is drawn; see `wrap`.

    Returns
    -------
    ModuleEncoder
        With the stages ``latent`` (feats), ``quantized`` (qfeats) and ``codes`` (toks), as far as the codec
        has them, at its ``sample_rate``; where that is not ``orig_sample_rate``, it resamples by itself. It
        decodes where there is ``feats_to_sig``. It has ``codebooks`` where ``embs()`` quantizes its feats
        step by step to its own tokens.

    Raises
    ------
    InputError
        If it has none of these methods or no rate, was made for decoding only, or `wrap` refuses it.

    Examples
    --------
    >>> class Codec(nn.Module):
    ...     sample_rate = 8000
    ...     def __init__(self):
    ...         super().__init__()
    ...         self.encoder = nn.Conv1d(1, 4, 80, stride=80)
    ...     def sig_to_feats(self, sig, length=None):
    ...         return self.encoder(sig[:, None]).mT
    >>> encoder = from_audiocodecs(Codec())
    >>> encoder.stages["latent"].hop
    80
    """
    name = name or type(codec).__name__
    mode, rate = getattr(codec, "mode", None), getattr(codec, "sample_rate", None)
    if mode == "decode":
        raise InputError(f"{name}: mode 'decode' has no encoder; make it with mode='encode' or 'reconstruct'")
    if not isinstance(rate, int | float) or rate < 4:
        raise InputError(f"{name}: sample_rate {rate!r}; must be the samples per second that it is played")
    offered = {stage: method for stage, method in METHODS.items() if _offers(codec, method)}
    if not offered:
        raise InputError(f"{name}: has none of the methods {', '.join(METHODS.values())}")
    encoder = wrap(
        _Played(codec, offered),
        rate,  # type: ignore[arg-type]
        {stage: f"outputs.{stage}" for stage in offered},
        name,
        _as_they_are,
        make=None if make is None else lambda: _Played(make(), offered),
    )
    if "codes" in encoder.stages:
        steps = encoder.stages["codes"].channels
        late = next(iter(encoder.stages.values())).latency  # integers hide what they depend on
        encoder.stages["codes"] = replace(encoder.stages["codes"], latency=late)
        if "quantized" in encoder.stages:
            encoder.stages["quantized"] = replace(encoder.stages["quantized"], codebooks=steps)
    if not tensors_in(encoder.module):
        encoder.weights = replace(encoder.weights, sha256=answers_sha256(encoder))
    return _with_abilities(encoder, _has_codebooks(encoder))


class _Played(nn.Module):
    """Plays waveforms to each of a codec's methods, and hands what they give to a submodule of its own."""

    def __init__(self, codec: Any, methods: Mapping[str, str]) -> None:
        super().__init__()
        self.codec, self.methods = codec, dict(methods)
        self.outputs = nn.ModuleDict({stage: nn.Identity() for stage in methods})

    def forward(self, waveforms: Tensor) -> None:  # [B, T]
        for stage, method in self.methods.items():
            self.outputs[stage](getattr(self.codec, method)(waveforms))


class _WithCodebooks(ResumableEncoder):
    """A codec whose own codebooks quantize its latent step by step."""

    def __init__(self, wrapped: ModuleEncoder) -> None:
        vars(self).update(vars(wrapped))

    @property
    def codebooks(self) -> tuple[Tensor, ...]:
        """The codebooks, float32 [entries, D] each, in the order of the residual steps."""
        return tuple(_books(self.module).detach().float())


def _books(played: Any) -> Tensor:  # [K, C, H]
    books = played.codec.embs()
    return books[None] if books.ndim == 2 else books  # some have one and say so by leaving the axis out


def _with_abilities(encoder: ModuleEncoder, has_codebooks: bool) -> ModuleEncoder:
    """Give an encoder, and its baselines, what its codec can do besides."""
    if _decodes(encoder):
        hop = next(iter(encoder.stages.values())).hop
        axes = dict.fromkeys(encoder.stages, Layout(batch=0, time=1))
        length = max(encoder.sample_rate // 4, 4 * hop)
        let_decode(encoder, lambda played, feats: _decoded(played, feats, hop), axes, length)
    found = _WithCodebooks(encoder) if has_codebooks else encoder
    if hasattr(encoder, "randomised"):
        draw: Any = encoder.randomised
        found.randomised = lambda seed, kind="random": _with_abilities(draw(seed, kind), has_codebooks)
    return found


def _decodes(encoder: ModuleEncoder) -> bool:
    codec: Any = encoder.module.codec
    has_feats = {"latent", "quantized"} & set(encoder.stages)
    return bool(has_feats) and getattr(codec, "mode", None) != "encode" and _offers(codec, "feats_to_sig")


def _decoded(played: Any, feats: Tensor, hop: int) -> Tensor:
    """Return the sound of feats [B, N, H]; what is lacking of the last frame, or too much, is at the end."""
    sound = played.codec.feats_to_sig(feats)
    lacking = feats.shape[1] * hop - sound.shape[-1]
    return functional.pad(sound, (0, lacking)) if abs(lacking) < hop else sound


def _has_codebooks(encoder: ModuleEncoder) -> bool:
    """Whether a codec's entries quantize its feats, step by step, to its tokens, and add up to its qfeats."""
    if set(METHODS) - set(encoder.stages):
        return False
    length = max(encoder.sample_rate, 8 * encoder.stages["latent"].hop)
    with torch.inference_mode():
        found = encoder.run(noise_for(encoder, 2, length), list(METHODS))
        latent, quantized, codes = (found[stage].mT for stage in METHODS)  # [B, N, H or K]
        try:
            own = residual_quantization(latent, tuple(_books(encoder.module).float()))
        except Exception:  # there are none, or of another shape
            return False
    if own.codes.shape != codes.shape or (own.codes == codes).double().mean() < AGREE:
        return False
    same = (own.codes == codes).all(dim=-1)
    far = (own.vectors[..., -1, :] - quantized)[same].norm()
    return bool(far <= CLOSE * quantized[same].norm())


def _as_they_are(waveforms: Tensor) -> Tensor:
    return waveforms


def _offers(codec: Any, method: str) -> bool:
    """Whether a codec has a method; what only raises `NotImplementedError` is none."""
    if not callable(getattr(codec, method, None)):
        return False
    try:
        with torch.no_grad():
            getattr(codec, method)(torch.zeros(1, int(codec.sample_rate) // 4))
    except NotImplementedError:
        return False
    except Exception:  # of what it does not take; `wrap` finds that out
        return True
    return True
