"""Published models that people use: how to name them, what they are, and under which licence.

Everything here is data, so that they can be listed without a network and without torch. Licences are those of
the weights, as the model's card or its authors' page states them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ...synth.errors import InputError, near

NOT_STATED = "not stated"  # by the card
NOT_VERIFIED = "not verified"  # here

STAGES = {
    "DAC": "first_layer, block_0 …, stack_end, latent, quantized_1 …, quantized, codes",
    "EnCodec": "first_layer, residual1, downsample1 …, stack_end, lstm, latent, quantized_1 …, codes",
    "Mimi": "first_layer, residual1, downsample1 …, stack_end, layer_0 …, latent, quantized_1 …, codes",
    "WavTokenizer": "first_layer, residual1, downsample1 …, stack_end, lstm, latent, quantized, codes",
    "X-Codec": "first_layer, block_0 …, stack_end, semantic_layer_0 …, latent, quantized_1 …, codes",
    "X-Codec 2": "first_layer, block_0 …, stack_end, semantic_layer_0 …, latent, quantized, codes",
    "Stable Audio's autoencoder": "first_layer, block_0 …, stack_end, latent",
    "wav2vec 2.0 and its kin": "first_layer, convolution_0 …, stack_end, layer_0 …, latent",
    "Conv-TasNet": "first_layer, block_0 …, stack_end, latent",
    "Hybrid Demucs": "first_layer, time_0 …, spectral_0 …, stack_end, latent",
}


@dataclass(frozen=True)
class Known:
    """A published model.

    Parameters
    ----------
    name : str
        As `load` takes it.
    family : str
        Of `STAGES`.
    sample_rate, hop : int
        In Hz; in samples, of the latent.
    licence : str
        Of the weights.
    source : str
        Who made them, and where they are described.
    config : mapping
        What its configuration holds other than by default, of transformers or diffusers; enough to build it
        without a network. Empty where it is not known, and for torchaudio, which has the parameters itself.
    preprocessor : mapping
        The same of its preprocessor.
    """

    name: str
    family: str
    sample_rate: int
    hop: int
    licence: str
    source: str
    config: Mapping[str, Any] = field(default_factory=dict)
    preprocessor: Mapping[str, Any] = field(default_factory=dict)

    @property
    def stages(self) -> str:
        """What its stages are called."""
        return STAGES[self.family]


def known(name: str) -> Known | None:
    """Return what is known of a published model by its name; None where nothing is.

    Examples
    --------
    >>> known("hf:descript/dac_44khz").hop
    512
    """
    return next((row for row in KNOWN if row.name == name), None)


def bundles() -> list[str]:
    """Return the names of torchaudio's pipelines that are encoders.

    Examples
    --------
    >>> "HUBERT_BASE" in bundles()
    True
    """
    prefix = "torchaudio:"
    listed = [row.name.removeprefix(prefix) for row in KNOWN if row.name.startswith(prefix)]
    return [*listed, *OTHER_BUNDLES]


def check_bundle(name: str) -> None:
    """Raise unless torchaudio has a pipeline of a name that is known here; nothing is imported.

    Examples
    --------
    >>> check_bundle("WAV2VEC2_BASS")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    tonotopy.synth.errors.InputError: encoder 'torchaudio:WAV2VEC2_BASS': no such pipeline (did you mean ...
    """
    there = bundles()
    if name not in there:
        raise InputError(
            f"encoder 'torchaudio:{name}': no such pipeline{near(name, there)}; `tonotopy encoders` lists "
            f"all {len(there)}, {there[0]} and others"
        )


def _dac(name: str, sample_rate: int, ratios: tuple[int, ...], hop: int, codebooks: int) -> Known:
    config = {
        "model_type": "dac",
        "downsampling_ratios": ratios,
        "n_codebooks": codebooks,
        "sampling_rate": sample_rate,
    }
    return Known(f"hf:{name}", "DAC", sample_rate, hop, "MIT", "Descript, arXiv 2306.06546", config)


def _encodec(name: str, sample_rate: int, hop: int, licence: str, source: str, **differs: Any) -> Known:
    config = {"model_type": "encodec", "sampling_rate": sample_rate, **differs}
    return Known(f"hf:{name}", "EnCodec", sample_rate, hop, licence, source, config)


def _xcodec(name: str, semantic: Mapping[str, Any] | None = None) -> Known:
    config = {} if semantic is None else {"model_type": "xcodec", "semantic_model_config": semantic}
    source = "Ye et al., arXiv 2408.17175"
    return Known(f"hf:hf-audio/xcodec-{name}", "X-Codec", 16_000, 320, NOT_VERIFIED, source, config)


LARGE = {
    "hidden_size": 1024,
    "num_hidden_layers": 24,
    "num_attention_heads": 16,
    "intermediate_size": 4096,
    "feat_extract_norm": "layer",
    "do_stable_layer_norm": True,
}


def _speech(name: str, kind: str, licence: str, source: str, normalize: bool = True, **differs: Any) -> Known:
    config = {"model_type": kind, **differs}
    preprocessor = {"sampling_rate": 16_000, "do_normalize": normalize}
    family = "wav2vec 2.0 and its kin"
    return Known(f"hf:{name}", family, 16_000, 320, licence, source, config, preprocessor)


def _bundle(name: str, licence: str, source: str) -> Known:
    return Known(f"torchaudio:{name}", "wav2vec 2.0 and its kin", 16_000, 320, licence, source)


WAV2VEC2, HUBERT, WAVLM = (
    "Meta, arXiv 2006.11477",
    "Meta, arXiv 2106.07447",
    "Microsoft, arXiv 2110.13900",
)
DEMUCS = "Hybrid Demucs", 44_100, 2048, NOT_VERIFIED, "Meta, arXiv 2111.03600"

KNOWN = (
    _dac("descript/dac_16khz", 16_000, (2, 4, 5, 8), 320, 12),
    _dac("descript/dac_24khz", 24_000, (2, 4, 5, 8), 320, 32),
    _dac("descript/dac_44khz", 44_100, (2, 4, 8, 8), 512, 9),
    _encodec("facebook/encodec_24khz", 24_000, 320, NOT_STATED, "Meta, arXiv 2210.13438"),
    _encodec(
        "facebook/encodec_32khz",
        32_000,
        640,
        NOT_STATED,
        "Meta (MusicGen), arXiv 2306.05284",
        num_filters=64,
        upsampling_ratios=(8, 5, 4, 4),
        codebook_size=2048,
        target_bandwidths=(2.2,),
        use_causal_conv=False,
        use_conv_shortcut=False,
    ),
    _encodec(
        "facebook/encodec_48khz",
        48_000,
        320,
        "MIT",
        "Meta, arXiv 2210.13438",
        audio_channels=2,
        target_bandwidths=(3.0, 6.0, 12.0, 24.0),
        use_causal_conv=False,
        norm_type="time_group_norm",
        normalize=True,
        chunk_length_s=1.0,
        overlap=0.01,
    ),
    Known(
        "hf:kyutai/mimi",
        "Mimi",
        24_000,
        1920,
        "CC BY 4.0",
        "Kyutai, arXiv 2410.00037",
        {"model_type": "mimi"},
    ),
    Known(
        "hf:swiss-ai/wavtokenizer-large-unify-40token",
        "WavTokenizer",
        24_000,
        600,
        "MIT",
        "Ji et al., arXiv 2408.16532",
        {"model_type": "wavtokenizer"},
    ),
    _xcodec("hubert-general"),
    _xcodec("hubert-general-balanced"),
    _xcodec("hubert-librispeech", {"model_type": "hubert"}),
    _xcodec("wavlm-mls", {"model_type": "wavlm"}),
    _xcodec("wavlm-more-data", {"model_type": "wavlm"}),
    Known(
        "hf:HKUSTAudio/xcodec2-hf",
        "X-Codec 2",
        16_000,
        320,
        "CC BY-NC 4.0",
        "Ye et al., arXiv 2502.04128",
        {"model_type": "xcodec2"},
    ),
    Known(
        "hf:neuphonic/neucodec",
        "X-Codec 2",
        16_000,
        320,
        "Apache-2.0",
        "Neuphonic, arXiv 2509.09550",
        {"model_type": "neucodec"},
    ),
    Known(
        "hf:stabilityai/stable-audio-open-1.0",
        "Stable Audio's autoencoder",
        44_100,
        2048,
        "Stable Audio community",  # the hub asks for consent to it
        "Stability AI, arXiv 2407.14358",
        {"_class_name": "AutoencoderOobleck"},
    ),
    _speech("facebook/wav2vec2-base", "wav2vec2", "Apache-2.0", WAV2VEC2),
    _speech(
        "facebook/wav2vec2-xls-r-300m",
        "wav2vec2",
        "Apache-2.0",
        "Meta, arXiv 2111.09296",
        **LARGE,
        conv_bias=True,
    ),
    _speech("facebook/hubert-base-ls960", "hubert", "Apache-2.0", HUBERT),
    _speech("facebook/hubert-large-ll60k", "hubert", "Apache-2.0", HUBERT, **LARGE, conv_bias=True),
    _speech("microsoft/wavlm-base-plus", "wavlm", NOT_VERIFIED, WAVLM, normalize=False),
    _speech("microsoft/wavlm-large", "wavlm", NOT_VERIFIED, WAVLM, **LARGE),
    _speech("facebook/data2vec-audio-base", "data2vec-audio", "Apache-2.0", "Meta, arXiv 2202.03555"),
    Known(
        "hf:m-a-p/MERT-v1-95M",
        "wav2vec 2.0 and its kin",
        24_000,
        320,
        "CC BY-NC 4.0",
        "Li et al., arXiv 2306.00107",
    ),
    _bundle("WAV2VEC2_BASE", "MIT", WAV2VEC2),
    _bundle("WAV2VEC2_LARGE", "MIT", WAV2VEC2),
    _bundle("WAV2VEC2_ASR_BASE_960H", "MIT", WAV2VEC2),
    _bundle("WAV2VEC2_XLSR_300M", "MIT", "Meta, arXiv 2111.09296"),
    _bundle("HUBERT_BASE", "MIT", HUBERT),
    _bundle("HUBERT_LARGE", "MIT", HUBERT),
    _bundle("WAVLM_BASE_PLUS", "MIT", WAVLM),
    _bundle("WAVLM_LARGE", "MIT", WAVLM),
    Known(
        "torchaudio:CONVTASNET_BASE_LIBRI2MIX",
        "Conv-TasNet",
        8000,
        8,
        NOT_VERIFIED,
        "torchaudio, arXiv 1809.07454",
    ),
    Known("torchaudio:HDEMUCS_HIGH_MUSDB", *DEMUCS),
    Known("torchaudio:HDEMUCS_HIGH_MUSDB_PLUS", *DEMUCS),
)

OTHER_BUNDLES = (
    "WAV2VEC2_LARGE_LV60K",
    "WAV2VEC2_ASR_BASE_10M",
    "WAV2VEC2_ASR_BASE_100H",
    "WAV2VEC2_ASR_LARGE_10M",
    "WAV2VEC2_ASR_LARGE_100H",
    "WAV2VEC2_ASR_LARGE_960H",
    "WAV2VEC2_ASR_LARGE_LV60K_10M",
    "WAV2VEC2_ASR_LARGE_LV60K_100H",
    "WAV2VEC2_ASR_LARGE_LV60K_960H",
    "WAV2VEC2_XLSR53",
    "WAV2VEC2_XLSR_1B",
    "WAV2VEC2_XLSR_2B",
    "VOXPOPULI_ASR_BASE_10K_EN",
    "VOXPOPULI_ASR_BASE_10K_ES",
    "VOXPOPULI_ASR_BASE_10K_DE",
    "VOXPOPULI_ASR_BASE_10K_FR",
    "VOXPOPULI_ASR_BASE_10K_IT",
    "HUBERT_XLARGE",
    "HUBERT_ASR_LARGE",
    "HUBERT_ASR_XLARGE",
    "MMS_FA",
    "WAVLM_BASE",
)  # of torchaudio, of the same families
