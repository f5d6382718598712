"""Labels by CLAP, which puts texts and sounds in one space: the text nearest to a feature's top clips."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from ....synth.errors import InputError
from ...engine.progress import Progress
from .base import SILENT, Evidence, Label
from .listening import NEEDS_TRANSFORMERS, for_each_clip, resample
from .top_clips import TopClips


@dataclass(frozen=True)
class Clap:
    """Labels each feature with one of some texts, and says how near any text is to any clips.

    Parameters
    ----------
    model : path or str
        Folder that transformers saved a CLAP in, with its processor, or its name on the hub.
    texts : tuple of str
        Labels to choose among; none where only nearness is wanted.
    template : str
        What is compared with sounds; ``{}`` is where the text goes.
    chosen : TopClips
        How many clips, and how chance is found.
    download : bool
        Whether a name that is not in the cache may be fetched.

    Raises
    ------
    InputError
        If the template has no place for a text, or texts are empty or not distinct.

    Notes
    -----
    Clips longer than the model takes at once (10 s) are cut to their middle: its own feature extractor cuts
    at random. Source: Wu et al., "Large-scale contrastive language-audio pretraining with feature fusion and
    keyword-to-caption augmentation", ICASSP 2023.

    Examples
    --------
    >>> Clap("laion/clap-htsat-unfused", ("a piano", "a drum")).template
    'This is the sound of {}.'
    """

    model: str | Path
    texts: tuple[str, ...] = ()
    template: str = "This is the sound of {}."
    chosen: TopClips = field(default_factory=TopClips)
    download: bool = False

    name = "clap"

    def __post_init__(self) -> None:
        if "{}" not in self.template:
            raise InputError(f"template {self.template[:80]!r}: has no {{}} for the text")
        if len(set(self.texts)) < len(self.texts) or not all(text.strip() for text in self.texts):
            raise InputError(f"texts: {len(self.texts)} given, distinct ones that say something wanted")

    def label(self, evidence: Evidence, progress: Progress = SILENT) -> list[Label]:
        """Return the text of each feature that does not excite all clips alike.

        Parameters
        ----------
        evidence : Evidence
            With sounds.
        progress : Progress

        Returns
        -------
        labels : list of Label
            `score` is the mean cosine of the text with top clips that it was not chosen on, `baseline` with
            the clips of other groups; their difference is the alignment.

        Raises
        ------
        InputError
            If there are no texts or sounds, transformers is not installed, or there is no such model.
        """
        if not self.texts:
            raise InputError("texts: none given, one or more wanted to choose among")
        said = self.embed_sounds(evidence, progress) @ self.embed_texts(self.texts).T
        return self.chosen.label(evidence, said, self.texts, self.name, "cosine", progress)

    def embed_sounds(self, evidence: Evidence, progress: Progress = SILENT) -> np.ndarray:
        """Embed all clips, float32 [n_clips, D] of norm 1.

        Raises
        ------
        InputError
            If there are no sounds, transformers is not installed, or there is no such model.
        """
        import torch

        model, processor = self._loaded
        extractor = processor.feature_extractor
        rate, most = int(extractor.sampling_rate), int(extractor.nb_max_samples)

        def work(waveforms: np.ndarray) -> np.ndarray:
            own = resample(waveforms, evidence.sample_rate, rate)
            start = max(0, own.shape[1] - most) // 2
            cut = list(own[:, start : start + most])
            inputs = extractor(cut, sampling_rate=rate, return_tensors="pt")
            longer = torch.zeros((len(cut), 1), dtype=torch.bool)  # it calls one of them longer, at random
            with torch.inference_mode():
                found = model.get_audio_features(input_features=inputs["input_features"], is_longer=longer)
            return _unit(found)

        return for_each_clip(evidence, work, "CLAP listens", progress)

    def embed_texts(self, texts: tuple[str, ...]) -> np.ndarray:
        """Embed texts in the template, float32 [texts, D] of norm 1.

        Raises
        ------
        InputError
            If transformers is not installed, or there is no such model.
        """
        import torch

        model, processor = self._loaded
        written = [self.template.replace("{}", text) for text in texts]
        most = min(model.config.text_config.max_position_embeddings - 2, 512)  # two are for padding
        inputs = processor.tokenizer(
            written, padding=True, truncation=True, max_length=most, return_tensors="pt"
        )
        with torch.inference_mode():
            found = model.get_text_features(
                input_ids=inputs["input_ids"], attention_mask=inputs["attention_mask"]
            )
        return _unit(found)

    @cached_property
    def _loaded(self) -> tuple[Any, Any]:
        """Model and processor."""
        try:
            from transformers import ClapModel, ClapProcessor
        except ImportError:
            raise InputError(f"CLAP labels {NEEDS_TRANSFORMERS}") from None
        local = not self.download or Path(self.model).is_dir()
        try:
            model = ClapModel.from_pretrained(self.model, local_files_only=local)
            return model.eval(), ClapProcessor.from_pretrained(self.model, local_files_only=local)
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            reason = (str(error).strip() or type(error).__name__).splitlines()[0][:200]
            raise InputError(
                f"CLAP {self.model}: no such model in a folder or the cache ({reason})"
            ) from None


def _unit(found: Any) -> np.ndarray:
    """Return the embeddings of an output (transformers 5) or a tensor (before), of norm 1."""
    vectors = getattr(found, "pooler_output", found).float().numpy()
    return vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-12)
