import subprocess
import sys
from importlib.metadata import EntryPoint
from typing import Any

import pytest

from tonotopy.encoders import InputError, available, load, register, registry, wrap

BUILT_IN = {
    "samplecnn_tiny", "samplecnn", "codec_tiny", "codec", "encodec_24khz", "encodec_48khz",
    "filterbank:stft", "filterbank:stft_magnitude", "filterbank:gammatone",
    "control:decimator", "control:texture", "control:rectifier",
}  # fmt: skip


@pytest.fixture(autouse=True)
def own_registry(monkeypatch):
    monkeypatch.setattr(registry, "_factories", dict(registry._factories))


def test_what_is_built_in():
    assert set(available()) >= BUILT_IN


def test_an_encoder_that_is_not_known_and_those_that_are():
    with pytest.raises(
        InputError,
        match=r"encoder 'encodec': not known \(did you mean codec or .*\); known are .*encodec_24khz",
    ) as raised:
        load("encodec")
    assert "\n" not in str(raised.value)


def test_a_registered_factory_gets_weights_seed_and_options():
    asked = {}

    def factory(**options):
        asked.update(options)
        return load("control:decimator")

    register("mine", factory)
    assert "mine" in available()
    assert load("mine", weights="random", seed=3, width=2).name == "control:decimator"
    assert asked == {"weights": "random", "seed": 3, "width": 2}


@pytest.mark.parametrize("taken", ["encodec_24khz", "mine"])
def test_a_name_is_given_once(taken):
    register("mine", lambda **_: load("control:decimator"))
    with pytest.raises(InputError, match=f"encoder '{taken}': the name is already registered"):
        register(taken, lambda **_: load("control:decimator"))


def test_a_plug_in_is_found_by_its_entry_point(monkeypatch):
    point = EntryPoint("theirs", "tonotopy.encoders.controls:rectifier", registry.ENTRY_POINT_GROUP)
    monkeypatch.setattr(registry, "entry_points", lambda group: [point] if group == point.group else [])
    assert "theirs" in available()
    assert load("theirs").name == "control:rectifier"
    with pytest.raises(InputError, match="already registered"):
        register("theirs", lambda **_: load("control:decimator"))


@pytest.fixture
def melodic(monkeypatch):
    """A melody model of a plug-in, by the name of "theirs"."""
    point = EntryPoint("theirs", "tonotopy.encoders.musicvae.named:musicvae_tiny", registry.ENTRY_POINT_GROUP)
    monkeypatch.setattr(registry, "entry_points", lambda group: [point] if group == point.group else [])
    return point.name


@pytest.mark.parametrize("name", ["musicvae_tiny", "control:planted", "theirs"])
def test_melody_models_are_refused_where_waveforms_are_played(name, melodic):
    line = f"encoder '{name}': takes melodies, not waveforms: ask `tonotopy latents {name}`"
    with pytest.raises(InputError, match=f"^{line}$"):
        registry.load_for("waveform", name, "random")
    assert registry.load_for("melody", name, "random").modality == "melody"


def test_encoders_are_refused_where_melodies_are_played():
    bank = load("filterbank:stft")
    for given in (bank.name, bank):
        with pytest.raises(
            InputError, match="takes waveforms, not melodies: ask `tonotopy probe filterbank:"
        ):
            registry.load_for("melody", given)
    assert registry.load_for("waveform", bank) is bank


@pytest.mark.parametrize("modality", [None, "sound"])
def test_a_modality_that_is_none_of_the_known(modality):
    bank: Any = load("filterbank:stft")
    bank.modality = modality
    with pytest.raises(InputError, match=rf"modality {modality!r}; it must be waveform or melody"):
        registry.load_for("waveform", bank)


def test_the_room_opens_without_torch():
    code = "import sys, tonotopy.encoders; print([m for m in ('torch', 'encodec') if m in sys.modules])"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "[]"


def test_names_of_the_room_are_what_they_say():
    import tonotopy.encoders as room
    from tonotopy.encoders.wrapping import wrap as original

    assert room.wrap is wrap is original
    assert all(callable(getattr(room, name)) for name in room.__all__)
    name = "nothing"
    with pytest.raises(AttributeError, match=name):
        getattr(room, name)
