import threading

import pytest

from eventsim.datasets import parallel
from eventsim.datasets.parallel import mapped


@pytest.fixture(autouse=True)
def three_processors(monkeypatch):
    monkeypatch.setattr(parallel, "n_processors", lambda: 3)


def test_results_come_in_order_from_several_threads():
    together = threading.Barrier(3, timeout=10)

    def slow(k):
        if k < 3:
            together.wait()  # passes only if three run at the same time
        return k * k

    assert list(mapped(slow, range(50))) == [k * k for k in range(50)]


def test_few_items_are_taken_ahead_of_the_results():
    taken = []
    results = mapped(lambda k: k, (taken.append(k) or k for k in range(1000)))
    next(results)
    assert len(taken) <= 12
    results.close()


def test_failure_of_an_item_ends_the_rest():
    def fails(k):
        if k == 5:
            raise ValueError("item 5")
        return k

    found = []
    with pytest.raises(ValueError, match="item 5"):
        found.extend(mapped(fails, range(1000)))


def test_nothing_gives_nothing():
    assert list(mapped(lambda k: k, [])) == []
