"""A job that does not fit the device says so, and what to do."""

import pytest

import eventsim as es
from eventsim.engine.contract.registry import using_backend
from eventsim.engine.cuda.backend import CudaBackend
from eventsim.errors import BackendError
from tests.support.nets import random_net, random_stream
from tests.support.simt import HostDevice, why_not

pytestmark = pytest.mark.skipif(why_not() is not None, reason=why_not() or "g++ is there")


class Small(HostDevice):
    """A device on which hardly anything fits."""

    def empty(self, shape, dtype):
        array = super().empty(shape, dtype)
        if array.nbytes > 20_000:
            raise MemoryError(f"{array.nbytes} bytes")
        return array


def test_job_that_does_not_fit_names_the_stage_and_the_remedy():
    net, stream = random_net(1, hidden=(40,)), random_stream(2, n_samples=8)
    with using_backend("cuda", CudaBackend(Small())), pytest.raises(BackendError) as caught:
        es.simulate(net, stream, backend="cuda")
    text = str(caught.value)
    assert "hidden1" in text
    assert "8 samples" in text
    assert "batch_size" in text
