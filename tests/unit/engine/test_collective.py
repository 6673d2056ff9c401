"""NCCL's communicator, against a stand-in of CuPy and cupyx.distributed: what is asked of them.

The stand-in has the signatures of CuPy 13 and 14 and keeps to their rules: arrays of the device
only, contiguous, of one type; ``count`` elements of each process, one after the other.
"""

import socket
import sys
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest

from eventsim.engine.cuda import collective
from eventsim.errors import BackendError, ParameterError
from eventsim.train import ProcessGroup, connect
from eventsim.train.parallel import add_in_order
from tests.support.processes import Hall, together
from tests.unit.train.test_launch import HYDRA, SRUN


class DeviceArray(np.ndarray):
    """An array that only the stand-in's functions make."""


class Backend:
    """As cupyx.distributed.NCCLBackend."""

    def __init__(self, hall, rank):
        self.communicator = hall.communicators()[rank]
        self.calls = []
        self._comm = SimpleNamespace(abort=lambda: self.calls.append("abort"))

    def all_gather(self, in_array, out_array, count, stream=None):
        assert stream is None
        assert type(in_array) is type(out_array) is DeviceArray
        assert in_array.flags.c_contiguous
        assert out_array.flags.c_contiguous
        assert in_array.dtype == out_array.dtype
        assert in_array.dtype.char in "bBiIlLqQefdFD"
        assert out_array.size == count * self.communicator.size
        found = self.communicator.all_gather(np.asarray(in_array).ravel()[:count])
        out_array.reshape(-1)[:] = found.ravel()

    def stop(self):
        self.calls.append("stop")


def stand_in(hall=None, *, n_devices=2, nccl=True, error=None):
    """Modules cupy and cupyx, and what was asked of them."""
    asked = {"devices": [], "groups": [], "backends": []}

    def device(index):
        return SimpleNamespace(use=lambda: asked["devices"].append(index))

    def init_process_group(n_devices, rank, *, backend="nccl", host=None, port=None, use_mpi=False):
        if error is not None:
            raise error
        asked["groups"].append((n_devices, rank, backend, host, port, use_mpi))
        asked["backends"].append(Backend(hall, rank))
        return asked["backends"][-1]

    cupy, cuda = ModuleType("cupy"), ModuleType("cupy.cuda")
    cuda.Device, cuda.nccl = device, SimpleNamespace(available=nccl)
    cuda.runtime = SimpleNamespace(
        getDeviceCount=lambda: n_devices, runtimeGetVersion=lambda: 13000
    )
    cupy.cuda, cupy.ndarray = cuda, DeviceArray
    cupy.asarray = lambda values: np.array(values).view(DeviceArray)
    cupy.ascontiguousarray = lambda values: np.ascontiguousarray(values).view(DeviceArray)
    cupy.empty = lambda shape, dtype: np.full(shape, 77, dtype).view(DeviceArray)
    cupy.zeros = lambda shape: np.zeros(shape).view(DeviceArray)
    cupy.asnumpy = lambda values: np.array(values)
    cupyx, distributed = ModuleType("cupyx"), ModuleType("cupyx.distributed")
    distributed.init_process_group = init_process_group
    cupyx.distributed = distributed
    modules = (cupy, cuda, cupyx, distributed)
    return asked, {module.__name__: module for module in modules}


@pytest.fixture
def install(monkeypatch):
    # As if mpi4py were not there: its import must not depend on what this machine has.
    monkeypatch.setattr(collective, "find_spec", lambda name: None)

    def place(*args, **options):
        asked, modules = stand_in(*args, **options)
        for name, module in modules.items():
            monkeypatch.setitem(sys.modules, name, module)
        return asked

    return place


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def connected(asked, size):
    """Communicators of all processes, connected one after the other."""
    port = free_port()
    found = [
        collective.connect(rank=rank, size=size, host="127.0.0.1", port=port)
        for rank in range(size)
    ]
    assert asked["groups"] == [
        (size, rank, "nccl", "127.0.0.1", port, False) for rank in range(size)
    ]
    return found


def gathered(communicators, values):
    """What each process gathers, when each gives the values of its rank."""
    outcomes = together(
        len(communicators), lambda group: communicators[group.rank].all_gather(values[group.rank])
    )
    assert not any(isinstance(outcome, BaseException) for outcome in outcomes), outcomes
    return outcomes


def test_host_arrays_come_back_to_the_host(install):
    communicators = connected(install(Hall(3)), 3)
    for dtype in (np.int64, np.uint8, np.float64):
        values = [np.arange(4, dtype=dtype) + 10 * rank for rank in range(3)]
        for found in gathered(communicators, values):
            assert type(found) is np.ndarray
            assert found.dtype == dtype
            np.testing.assert_array_equal(found, values)


def test_device_arrays_stay_on_the_device(install):
    communicators = connected(install(Hall(2)), 2)
    values = [np.arange(6.0).reshape(3, 2).T.view(DeviceArray) + rank for rank in range(2)]
    for found in gathered(communicators, values):
        assert type(found) is DeviceArray
        assert found.shape == (2, 2, 3)
        np.testing.assert_array_equal(np.asarray(found), values)


def test_group_over_nccl_sums_in_the_order_of_the_shards(install):
    asked = install(Hall(2))
    communicators = connected(asked, 2)
    cupy = sys.modules["cupy"]
    rng = np.random.default_rng(1)
    pieces = [rng.normal(size=3) * 10.0**power for power in (9, 0, -9, 8, 1)]
    expected = add_in_order(pieces)

    def work(outer):
        with ProcessGroup(communicators[outer.rank]) as group:
            mine = [cupy.asarray(pieces[i]) for i in group.share(5)]
            return add_in_order(group.gather(mine, 5, xp=cupy))

    for total in together(2, work):
        assert type(total) is DeviceArray
        np.testing.assert_array_equal(np.asarray(total), expected)


def test_server_that_connects_ends_when_all_are_connected(install):
    asked = install(Hall(2))
    communicators = connected(asked, 2)
    assert [backend.calls for backend in asked["backends"]] == [["stop"], ["stop"]]
    communicators[1].abort()
    communicators[1].close()
    assert asked["backends"][1].calls == ["stop", "abort"]


def test_every_process_takes_the_device_of_its_rank_on_the_machine(install):
    asked = install(n_devices=4)
    collective.take_device(3, chosen=False)
    collective.take_device(2, chosen=True)
    assert asked["devices"] == [3, 2]


def test_single_device_that_the_launcher_chose_is_taken_whatever_the_rank(install):
    asked = install(n_devices=1)
    collective.take_device(3, chosen=True)
    assert asked["devices"] == [0]


@pytest.mark.parametrize(("n", "chosen"), [(1, False), (2, True), (0, False)])
def test_fewer_devices_than_processes_of_a_machine_are_refused(install, n, chosen):
    install(n_devices=n)
    with pytest.raises(BackendError, match=f"process 3 of its machine.* {n} CUDA device"):
        collective.take_device(3, chosen=chosen)


def test_without_cupy_no_device_is_taken(monkeypatch):
    monkeypatch.setitem(sys.modules, "cupy", None)
    collective.take_device(0, chosen=False)


def test_missing_nccl_says_how_to_install_it(install):
    install(nccl=False)
    with pytest.raises(BackendError, match=r"pip install 'eventsim-snn\[nccl13\]'"):
        collective.connect(rank=0, size=2, host="127.0.0.1", port=free_port())


def test_missing_cupyx_is_one_message(install, monkeypatch):
    install()
    monkeypatch.setitem(sys.modules, "cupyx.distributed", None)
    with pytest.raises(BackendError, match="cupyx.distributed cannot be imported"):
        collective.connect(rank=0, size=2, host="127.0.0.1", port=free_port())


def test_processes_that_do_not_find_each_other_are_told_what_to_check(install):
    install(error=RuntimeError("TCPStore is not available"))
    with pytest.raises(BackendError, match="Process 1 of 2 could not connect.*MASTER_ADDR"):
        collective.connect(rank=1, size=2, host="127.0.0.1", port=1)


def test_port_in_use_is_said_before_others_wait(install):
    install()
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(BackendError, match=f"cannot listen at 127.0.0.1, port {port}"):
            collective.connect(rank=0, size=2, host="127.0.0.1", port=port)


def test_connect_takes_the_device_first_and_then_nccl(install, monkeypatch):
    asked = install(Hall(2))
    monkeypatch.setattr(
        "eventsim.train.parallel.get_backend", lambda name: SimpleNamespace(name="cuda")
    )
    with connect("auto", environ=HYDRA) as group:
        assert (group.rank, group.size) == (1, 2)
        assert asked["devices"] == [1]
        assert asked["groups"] == [(2, 1, "nccl", "127.0.0.1", 13333, False)]
        group._over = True  # there is no other process to leave with
    with pytest.raises(ParameterError, match="MASTER_ADDR"):
        connect("cuda", environ=SRUN)
