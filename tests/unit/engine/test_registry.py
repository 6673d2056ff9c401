import pytest

from eventsim.engine import available_backends, get_backend, register_backend, using_backend
from eventsim.errors import BackendError


class Plugged:
    def __init__(self, name):
        self.name = name


def test_backends_are_listed_without_being_loaded():
    assert available_backends() == ["reference", "cpu", "cuda"]


def test_registered_backend_stands_in_and_is_taken_back():
    mine = Plugged("cpu")
    assert register_backend("cpu", mine) is None
    try:
        assert get_backend("cpu") is mine
    finally:
        assert register_backend("cpu", None) is mine
    assert get_backend("cpu") is not mine


def test_registered_backend_of_a_new_name_is_known_while_it_is_registered():
    with using_backend("mine", Plugged("mine")) as mine:
        assert get_backend("mine") is mine
        assert "mine" in available_backends()
    with pytest.raises(BackendError, match="'mine' is unknown; there are auto, reference, cpu"):
        get_backend("mine")


def test_nested_registrations_are_undone_in_order():
    with using_backend("mine", Plugged("mine")) as outer:
        with using_backend("mine", Plugged("mine")) as inner:
            assert get_backend("mine") is inner
        assert get_backend("mine") is outer


def test_auto_does_not_take_a_backend_because_it_was_registered():
    with using_backend("fast", Plugged("fast")):
        assert get_backend("auto").name in {"cpu", "cuda"}


def test_registering_auto_or_a_backend_of_another_name_is_refused():
    with pytest.raises(BackendError, match="'auto' is no backend"):
        register_backend("auto", Plugged("auto"))
    with pytest.raises(BackendError, match="name is 'cpu', expected 'mine'"):
        register_backend("mine", Plugged("cpu"))
