from pathlib import Path

import pytest

AUDIO = Path(__file__).resolve().parents[3] / "shared" / "audio"


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory, monkeypatch):
    """Keep resampled recordings out of the user's cache."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))


@pytest.fixture
def audio():
    """The folder of real recordings beside the repository."""
    if not AUDIO.is_dir():
        pytest.skip("no recordings in shared/audio beside the repository")
    return AUDIO
