"""EnCodec in its own package against transformers', with the same weights: what `tonotopy check` says.

    python -m tests.benchmarks.encodec_twice

Prints the sentences and the table of a random EnCodec at 24 kHz (codebooks filled), and of `codec_tiny`,
whose weights were trained.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import Any

from tonotopy.encoders import load
from tonotopy.encoders.hub import quiet
from tonotopy.encoders.state_names import as_named
from tonotopy.probes import equivalence
from tonotopy.reports import ports

SIZES = {
    "codec_tiny": {
        "num_filters": 8, "hidden_size": 64, "codebook_dim": 64, "codebook_size": 256,
        "target_bandwidths": [4.8],
    },
    "encodec_24khz": {"target_bandwidths": [24.0]},
}  # fmt: skip


def as_transformers_has_it(encoder: Any, folder: Path, **size: Any) -> Any:
    """Write an EnCodec of the encodec package as transformers would, and return what is read from there."""
    from transformers import EncodecConfig, EncodecModel

    with quiet():
        model = EncodecModel(EncodecConfig(**size))
        state, _ = as_named(encoder.module.get_submodule("codec").state_dict(), model.state_dict())
        model.load_state_dict(state)
        model.save_pretrained(folder)
    return load(f"hf:{folder}")


def main() -> None:
    """Check both, and print what was found."""
    for name, size in SIZES.items():
        options = {"codebooks": 32, "weights": "random"} if name == "encodec_24khz" else {}
        original = load(name, **options)
        with tempfile.TemporaryDirectory() as folder:
            port = as_transformers_has_it(original, Path(folder), **size)
            began = time.process_time()
            found = equivalence(original, port)
        print(f"{name}: {time.process_time() - began:.0f} s of processor time")
        for sentence in ports.sentences(found):
            print(" ", sentence)
        for row in ports.rows(found):
            print(" ", " | ".join(row))


if __name__ == "__main__":
    main()
