"""Dictionaries to test with: all parts differ from what would hide a mistake, such as zeros and ones."""

import torch

from tonotopy.probes.dictionaries.dictionary import Activation, Dictionary, Origin

ORIGIN = Origin("musicgen_tiny", "layer_1", "ab" * 32, "drawn")


def drawn_dictionary(
    activation: Activation = "topk", width: int = 12, features: int = 40, k: int = 5, centred: bool = True
) -> Dictionary:
    """Draw a dictionary whose decoder rows are of unlike norms."""
    source = torch.Generator().manual_seed(3)
    sizes = 0.5 + torch.rand(features, 1, generator=source)
    thresholds = 0.5 * torch.rand(features, generator=source) - 0.05
    return Dictionary(
        encoder=torch.randn(width, features, generator=source) / width**0.5,
        encoder_bias=0.2 * torch.randn(features, generator=source),
        decoder=sizes * torch.nn.functional.normalize(torch.randn(features, width, generator=source), dim=1),
        decoder_bias=0.5 * torch.randn(width, generator=source),
        k=k,
        activation=activation,
        threshold=None if activation == "topk" else thresholds,
        centred=centred,
        origin=ORIGIN,
    )


def drawn_rows(rows: int = 30, width: int = 12, seed: int = 0) -> torch.Tensor:
    """Draw rows, float32 [N, d]."""
    return torch.randn(rows, width, generator=torch.Generator().manual_seed(seed)) + 0.3
