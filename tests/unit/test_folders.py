"""Where caches and data sets lie, also for users without a home directory."""

import pytest

from eventsim.errors import StorageError
from eventsim.folders import cache_folder, data_folder


@pytest.fixture
def homeless(monkeypatch):
    """A user whom nobody knows, as in many containers."""

    def unknown(uid):
        raise KeyError(uid)

    for name in ("HOME", "XDG_CACHE_HOME", "XDG_DATA_HOME", "EVENTSIM_CACHE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("pwd.getpwuid", unknown)


def test_cache_lies_where_the_environment_says(monkeypatch, tmp_path):
    monkeypatch.setenv("EVENTSIM_CACHE", str(tmp_path))
    assert cache_folder() == tmp_path


def test_cache_lies_in_the_users_cache_otherwise(monkeypatch, tmp_path):
    monkeypatch.delenv("EVENTSIM_CACHE", raising=False)
    monkeypatch.setattr("platformdirs.user_cache_dir", lambda _app: str(tmp_path / "user"))
    assert cache_folder() == tmp_path / "user"


@pytest.mark.parametrize("folder", [cache_folder, data_folder])
def test_user_without_a_home_is_told_the_variables(homeless, folder):
    with pytest.raises(StorageError, match="Set HOME; or EVENTSIM_CACHE .*, EVENTSIM_DATA for"):
        folder()


def test_user_without_a_home_may_name_a_cache(homeless, monkeypatch, tmp_path):
    monkeypatch.setenv("EVENTSIM_CACHE", str(tmp_path))
    assert cache_folder() == tmp_path


def test_no_folder_is_called_tilde(homeless, monkeypatch):
    monkeypatch.setattr("platformdirs.user_cache_dir", lambda _app: "~/.cache/eventsim")
    with pytest.raises(StorageError, match="no home directory .got ~/.cache/eventsim."):
        cache_folder()
