"""Plotting functions draw into the axes given, or into those of a new figure, which then has a legend."""

import pytest
from matplotlib.figure import Figure

from tonotopy.encoders import load
from tonotopy.probes import waveform_shape
from tonotopy.probes.engine.session import Session
from tonotopy.reports import figures, plot

from ..reports import dictionaries, latents, questions
from .illustrated import assert_illustrated, row_of
from .test_figures_readout import RANDOM_READ, READ
from .test_verdicts import judged

STAGES = ("first_layer", "a_stage_with_a_very_long_name_indeed", "latent")


def asked(probe):
    return questions.question(probe, {}, stages=STAGES)


@pytest.fixture(scope="module")
def shapes():
    names = ("filterbank:stft", "control:texture")
    return {n: waveform_shape(Session(load(n)), detunings_hz=[5, 20], draws=2) for n in names}


DRAWN = {
    "question_over_frequency": lambda ax: plot.question_over_frequency(
        asked("access"), order="quadratic", beside={"random": [asked("access")]}, stft=asked("access"), ax=ax
    ),
    "confusion_over_spacing": lambda ax: plot.confusion_over_spacing(asked("stability"), ax=ax),
    "question_over_density": lambda ax: plot.question_over_density(asked("presence"), ax=ax),
    "question_by_stage": lambda ax: plot.question_by_stage(asked("place"), ax=ax),
    "readout_over_density": lambda ax: plot.readout_over_density(READ, random=RANDOM_READ, ax=ax),
    "latent_sigma": lambda ax: plot.latent_sigma(latents.latents(), ax=ax),
    "latent_mu": lambda ax: plot.latent_mu(latents.latents(), ax=ax),
    "dictionary_funnel": lambda ax: plot.dictionary_funnel(dictionaries.dictionaries(), ax=ax),
    "dictionary_labels": lambda ax: plot.dictionary_labels(dictionaries.labels(), ax=ax),
    "verdict_forest": lambda ax: plot.verdict_forest(judged(), random=[judged()], ax=ax),
}


@pytest.mark.parametrize("name", DRAWN)
def test_axes_go_in_and_come_out(name):
    given = Figure().subplots()
    assert DRAWN[name](given) is given
    assert given.has_data()
    assert not given.figure.legends
    new = DRAWN[name](None)
    known = set(new.get_legend_handles_labels()[1])
    assert {text.get_text() for legend in new.figure.legends for text in legend.get_texts()} == known


def test_a_heat_map_of_one_group_has_a_colour_bar():
    drawn = plot.feature_heat_map(latents.features(), group="rhythm")
    assert all(label.get_text().startswith("R") for label in drawn.get_yticklabels())
    assert len(drawn.figure.axes) == 2


def test_shape_over_spectrum_has_a_row_for_every_stage_and_reference(shapes):
    texture, controls = shapes["control:texture"], shapes
    drawn = figures.shape_by_stage(texture, [texture], controls, "toy")
    assert_illustrated(drawn)
    (axes,) = drawn.figure.axes
    stages = texture["stage"].values.tolist()
    assert [label.get_text() for label in axes.get_yticklabels()][-2:] == ["texture", "stft"]
    row = row_of(drawn.data, **{"stage or control": stages[-1]})
    assert row["random weights 1"] == pytest.approx(row["shape over spectrum"])
    assert row["frame (ms)"] == pytest.approx(1000 * float(texture["window_duration"][-1]))


def test_preferences_lie_over_the_detuning(shapes):
    texture = shapes["control:texture"]
    for drawn in (
        figures.preference_by_detuning(texture, [texture], "toy"),
        figures.waveform_shape_of_controls(shapes),
    ):
        assert_illustrated(drawn)
        assert sorted(drawn.data["detuning (Hz)"].unique()) == [5, 20]
    titles = [axes.get_title(loc="left") for axes in drawn.figure.axes]
    assert titles == ["stft", "texture"]
