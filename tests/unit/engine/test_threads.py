"""How tasks are shared out to threads, which take equal runs of them."""

import numba
import numpy as np
import pytest

from eventsim.engine.cpu import threads


@pytest.mark.parametrize("n", [1, 2, 3, 8])
@pytest.mark.parametrize("n_tasks", [0, 1, 7, 8, 32, 33])
def test_every_task_is_dealt_once_and_runs_of_them_are_even(monkeypatch, n, n_tasks):
    monkeypatch.setattr(numba, "get_num_threads", lambda: n)
    work = np.random.default_rng(0).permutation(np.arange(100, 100 + n_tasks))
    order = threads.dealt(work)
    assert sorted(order) == list(range(n_tasks))
    if n > 1 and n_tasks > n and n_tasks % n == 0:
        shares = work[order].reshape(n, -1).sum(axis=1)
        assert shares.max() <= 1.02 * shares.mean()
