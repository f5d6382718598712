"""Objects with the methods of the audiocodecs collection."""

from typing import Any

import pytest
import torch
from torch import nn

from tonotopy.encoders import InputError, check, from_audiocodecs

HOP, SIZE, STEPS, ENTRIES = 80, 6, 2, 12


class Codec(nn.Module):
    """Frames, projected, and quantized in steps."""

    def __init__(self, sample_rate=8000, mode="reconstruct", lacks=3):
        super().__init__()
        self.sample_rate, self.orig_sample_rate, self.mode, self.lacks = sample_rate, sample_rate, mode, lacks
        self.encoder = nn.Conv1d(1, SIZE, HOP, stride=HOP)
        self.decoder = nn.ConvTranspose1d(SIZE, 1, HOP, stride=HOP)
        self.entries = nn.ParameterList(nn.Parameter(0.05 * torch.randn(ENTRIES, SIZE)) for _ in range(STEPS))

    def sig_to_feats(self, sig, length=None):  # [B, T] -> [B, N, H]
        return self.encoder(sig[:, None]).mT

    def _steps(self, sig):
        left, codes = self.sig_to_feats(sig), []
        for book in self.entries:
            codes.append(torch.cdist(left, book[None].expand(len(left), -1, -1)).argmin(dim=-1))
            left = left - book[codes[-1]]
        return torch.stack(codes, dim=-1)

    def sig_to_toks(self, sig, length=None):  # [B, N, K]
        return self._steps(sig)

    def sig_to_qfeats(self, sig, length=None):
        toks = self._steps(sig)
        return sum(book[toks[..., k]] for k, book in enumerate(self.entries))

    def feats_to_sig(self, feats, length=None):
        return self.decoder(feats.mT)[:, 0, : feats.shape[1] * HOP - self.lacks]

    def embs(self):  # [K, C, H]
        return torch.stack(list(self.entries))


class FeatsOnly(Codec):
    sig_to_toks: Any = None
    sig_to_qfeats: Any = None
    feats_to_sig: Any = None
    embs: Any = None


class Unfinished(Codec):
    def sig_to_qfeats(self, sig, length=None):
        raise NotImplementedError


class Turned(Codec):
    """Whose entries are not what it quantizes by."""

    def embs(self):
        return super().embs().flip(1)


@pytest.fixture
def made():
    def make(kind=Codec, **options) -> Any:
        with torch.random.fork_rng():
            torch.manual_seed(0)
            return kind(**options)

    return make


def fresh():
    return Codec()


def test_a_codec_has_its_stages_and_conforms(made, noise):
    codec = made()
    encoder: Any = from_audiocodecs(codec, make=fresh)
    assert encoder.name == "Codec"
    about = {s.name: (s.channels, s.hop, s.receptive_field, s.codebooks) for s in encoder.stages.values()}
    assert about["latent"] == (SIZE, HOP, HOP, 0)
    assert about["quantized"][3] == STEPS
    assert about["codes"][:2] == (STEPS, HOP)
    waveforms = noise(2, 2000)
    found = encoder.run(waveforms, ["latent", "quantized", "codes"])
    assert torch.equal(found["latent"], codec.sig_to_feats(waveforms).mT)
    assert torch.equal(found["codes"], codec.sig_to_toks(waveforms).mT)
    assert torch.equal(found["quantized"], codec.sig_to_qfeats(waveforms).mT)
    check(encoder)


def test_it_decodes_by_its_own_and_zeros_fill_the_last_frame(made, noise):
    codec = made()
    encoder: Any = from_audiocodecs(codec, make=fresh)
    feats = encoder.run(noise(2, 2000), ["latent"])["latent"].clone()
    sound = encoder.decode(feats)
    assert sound.shape == (2, feats.shape[2] * HOP)
    with torch.inference_mode():
        assert torch.equal(sound[:, :-3], codec.feats_to_sig(feats.mT))
    assert not sound[:, -3:].any()


def test_codebooks_are_there_where_they_are_what_it_quantizes_by(made):
    encoder: Any = from_audiocodecs(made(), make=fresh)
    assert torch.equal(torch.stack(encoder.codebooks), made().embs())
    twin = encoder.randomised(1)
    assert not torch.equal(twin.codebooks[0], encoder.codebooks[0])
    assert torch.equal(twin.codebooks[0], twin.module.codec.entries[0])
    assert not hasattr(from_audiocodecs(made(Turned), make=fresh), "codebooks")


@pytest.mark.parametrize(
    ("kind", "options", "stages", "decodes"),
    [
        (FeatsOnly, {}, ["latent"], False),
        (Unfinished, {}, ["latent", "codes"], True),
        (Codec, {"mode": "encode"}, ["latent", "quantized", "codes"], False),
    ],
)
def test_what_a_codec_lacks_is_left_out(made, kind, options, stages, decodes):
    encoder = from_audiocodecs(made(kind, **options), "mine", make=lambda: kind(**options))
    assert list(encoder.stages) == stages
    assert hasattr(encoder, "decode") == decodes
    check(encoder)


def test_what_is_no_such_codec(made):
    with pytest.raises(InputError, match="mode 'decode' has no encoder"):
        from_audiocodecs(made(mode="decode"))
    with pytest.raises(InputError, match="sample_rate None"):
        from_audiocodecs(made(sample_rate=None))
    with pytest.raises(InputError, match="Linear: sample_rate None"):
        from_audiocodecs(nn.Linear(2, 2))
    other = nn.Linear(2, 2)
    other.sample_rate = 8000  # type: ignore[assignment]
    with pytest.raises(InputError, match="none of the methods sig_to_feats, sig_to_qfeats, sig_to_toks"):
        from_audiocodecs(other)
    with pytest.raises(InputError, match=r"decode: gives \(2, \d+\) of \d+ frames of latent"):
        from_audiocodecs(made(lacks=HOP), make=fresh)
