"""Labels by an audio classifier: what it says of the clips that excite a feature most."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch

from ....encoders.samplecnn import samplecnn_tiny
from ....synth.errors import InputError
from ...engine.progress import Progress
from .base import SILENT, Evidence, Label
from .listening import NEEDS_TRANSFORMERS, for_each_clip, resample
from .top_clips import TopClips

Classify = Callable[[np.ndarray, int], np.ndarray]


@dataclass(frozen=True)
class Classified:
    """Labels each feature with a class of any audio classifier.

    Parameters
    ----------
    classify : callable
        (waveforms float32 [B, T], sample rate in Hz) -> probabilities [B, C].
    classes : tuple of str
        Of its C outputs.
    name : str
    chosen : TopClips
        How many clips, and how chance is found.

    Examples
    --------
    >>> def loud(waveforms, sample_rate):
    ...     peak = np.abs(waveforms).max(1)
    ...     return np.stack([peak, 1 - peak], axis=1)
    >>> peaks = np.tile([0.1, 0.9], 30).astype(np.float32)
    >>> evidence = Evidence(peaks[:, None], sounds=[np.full(8, peak) for peak in peaks], sample_rate=8000)
    >>> [label.text for label in Classified(loud, ("loud", "soft"), "loudness").label(evidence)]
    ['loud']
    """

    classify: Classify
    classes: tuple[str, ...]
    name: str = "classifier"
    chosen: TopClips = field(default_factory=TopClips)

    def label(self, evidence: Evidence, progress: Progress = SILENT) -> list[Label]:
        """Return the class of each feature that does not excite all clips alike.

        Parameters
        ----------
        evidence : Evidence
            With sounds.
        progress : Progress

        Returns
        -------
        labels : list of Label
            In the order of features; see `TopClips`.

        Raises
        ------
        InputError
            If there are no sounds, or what the classifier gives are not probabilities of the classes.
        """
        said = for_each_clip(evidence, self._probabilities(evidence.sample_rate), self.name, progress)
        return self.chosen.label(evidence, said, self.classes, self.name, "probability", progress)

    def _probabilities(self, sample_rate: int) -> Callable[[np.ndarray], np.ndarray]:
        def work(waveforms: np.ndarray) -> np.ndarray:
            found = np.asarray(self.classify(waveforms, sample_rate), dtype=np.float32)
            if found.shape != (len(waveforms), len(self.classes)):
                wanted = [len(waveforms), len(self.classes)]
                raise InputError(f"{self.name}: probabilities {list(found.shape)}, {wanted} wanted")
            if not ((found >= -1e-6) & (found <= 1 + 1e-6)).all():  # NaN is neither
                raise InputError(f"{self.name}: {found.min():g} to {found.max():g}; probabilities are 0 to 1")
            return found

        return work


def samplecnn_classifier(weights: str | Path = "pretrained") -> Classified:
    """Return the labeler of the bundled SampleCNN: families of instruments.

    Parameters
    ----------
    weights : {"pretrained", "random"} or path
        As of `samplecnn_tiny`. It names three in ten recordings of instruments that it was not trained on.

    Raises
    ------
    InputError
        If weights cannot be read.

    Examples
    --------
    >>> samplecnn_classifier().classes[0]
    'bass'
    """
    encoder = samplecnn_tiny(weights)

    def classify(waveforms: np.ndarray, sample_rate: int) -> np.ndarray:
        own = resample(waveforms, sample_rate, encoder.sample_rate)
        return encoder.classify(torch.from_numpy(own)).cpu().numpy()

    return Classified(classify, encoder.classes, encoder.name)


def folder_classifier(path: str | Path) -> Classified:
    """Return the labeler of an audio classifier that transformers saved in a folder.

    Parameters
    ----------
    path : path
        With configuration, weights in safetensors and feature extractor. Nothing is downloaded, and no code
        of the folder is run.

    Raises
    ------
    InputError
        If transformers is not installed, or the folder does not hold such a model.
    """
    try:
        from transformers import AutoFeatureExtractor, AutoModelForAudioClassification
    except ImportError:
        raise InputError(f"labels of a folder's classifier {NEEDS_TRANSFORMERS}") from None
    if not Path(path).is_dir():
        raise InputError(f"classifier {path}: no such folder")
    try:
        extractor = AutoFeatureExtractor.from_pretrained(path, local_files_only=True)
        model = AutoModelForAudioClassification.from_pretrained(
            path, local_files_only=True, use_safetensors=True
        ).eval()
    except (OSError, ValueError, KeyError) as error:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0][:200]
        raise InputError(f"classifier {path}: no audio classifier of transformers ({reason})") from None
    named = model.config.id2label
    classes = tuple(str(named[i]) for i in range(len(named)))
    several = model.config.problem_type == "multi_label_classification"

    def classify(waveforms: np.ndarray, sample_rate: int) -> np.ndarray:
        own = list(resample(waveforms, sample_rate, extractor.sampling_rate))
        inputs = extractor(own, sampling_rate=extractor.sampling_rate, return_tensors="pt")
        with torch.inference_mode():
            scores = model(**inputs).logits
        return (scores.sigmoid() if several else scores.softmax(-1)).numpy()

    return Classified(classify, classes, Path(path).name)
