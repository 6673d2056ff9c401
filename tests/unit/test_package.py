"""What ``import eventsim as es`` gives, at once and when it is asked for."""

import inspect
import sys

import pytest

import eventsim as es
from tests.support.fresh import loaded, said

ORDERS = {
    "package first": "import eventsim as es; es.train; from eventsim.train import TrainConfig",
    "training first": "from eventsim.train import TrainConfig; import eventsim as es",
    "function first": "from eventsim.train import train, TrainConfig; import eventsim as es",
    "class first": "import eventsim as es; TrainConfig = es.TrainConfig",
    "submodule first": "from eventsim.train.config import TrainConfig; import eventsim as es",
}


@pytest.mark.crossed("starts a process each", test=0)
@pytest.mark.parametrize("order", list(ORDERS))
def test_train_is_package_and_function_in_any_order_of_imports(order):
    code = (
        f"{ORDERS[order]}\n"
        "import eventsim.train as room\n"
        "assert es.train is room and callable(es.train)\n"
        "assert es.train.TrainConfig is es.TrainConfig is TrainConfig\n"
        "try: es.train(None, None, None)\n"
        "except es.errors.ParameterError as error: print(error)\n"
    )
    assert said(code) == "train: net is of type NoneType, expected Network.\n"


def test_signature_of_es_train_is_that_of_the_function():
    assert inspect.signature(es.train) == inspect.signature(es.train.train)


def test_all_names_are_there_and_listed():
    assert [name for name in es.__all__ if not hasattr(es, name)] == []
    assert set(es.__all__) <= set(dir(es))
    inner = {"arrays", "entries", "hardware", "measures", "memo", "summary", "Any", "import_module"}
    assert not inner & set(dir(es))
    assert es.plot is sys.modules["eventsim.plot"]
    with pytest.raises(AttributeError, match="'eventsim' has no attribute 'readout_voltage'"):
        _ = es.readout_voltage


def test_import_loads_neither_gradients_nor_training_nor_figures():
    heavy = ["scipy", "matplotlib", "rich"]
    heavy += [f"eventsim.{room}" for room in ("adjoint", "train", "plot", "runs")]
    assert loaded("import eventsim", heavy) == "[]\n"


def test_a_dense_network_is_read_and_run_without_slow_packages(tmp_path):
    net = es.scsr(4, (3,), 2)
    net.set_answer(es.Answer(class_names=("a", "b")))
    net.save(tmp_path / "net.npz")
    heavy = ["scipy", "numpy.f2py", "h5py", "platformdirs", "eventsim.adjoint"]
    heavy += ["numpy.ma", "numpy.random"]
    code = (
        "import eventsim as es\n"
        "net = es.Network.load('net.npz')\n"
        "stream = es.EventStream([5.0], [0], [0, 1], n_channels=4, duration=100.0)\n"
        "print(len(es.simulate(net, stream, backend='cpu').trains))"
    )
    assert loaded(code, heavy, cwd=tmp_path) == "1\n[]\n"


def test_a_run_is_read_without_slow_packages():
    heavy = ["rich", "matplotlib", "h5py", "platformdirs", "numpy.random", "eventsim.mapping"]
    assert loaded("import eventsim as es; es.load_run", heavy) == "[]\n"


def test_rooms_come_when_they_are_asked_for():
    rooms = ["datasets", "mapping", "energy", "chips", "experiment", "frontier", "clocked", "runs"]
    code = (
        "import eventsim as es, sys\n"
        f"for room in {rooms}:\n"
        "    assert room in dir(es)\n"
        "    assert getattr(es, room) is sys.modules[f'eventsim.{room}']\n"
        "print(len(es.datasets.load('yinyang', split='train')))\n"
    )
    assert said(code) == "5000\n"


def is_called(one):
    return inspect.isclass(one) or inspect.isroutine(one) or one is es.train


def signatures():
    """Of all public functions and methods, by name."""
    for name in es.__all__:
        one = getattr(es, name)
        rooms = [one] if callable(one) else [getattr(one, part) for part in one.__all__]
        for part in filter(is_called, rooms):
            named = [(part.__name__, part)]
            if inspect.isclass(part):
                named += [(f"{name}.{k}", v) for k, v in inspect.getmembers(part, callable)]
            yield from ((k, str(inspect.signature(v))) for k, v in named if "._" not in k)


def test_signatures_are_short_and_name_array_like():
    found = dict(signatures())
    assert "delays: 'ArrayLike | Distribution' = 0.0" in found["Network.connect"]
    assert len(found) > 80
    many = {"TrainConfig": 1280, "rsnn": 470}  # one keyword per setting
    for name, text in found.items():
        assert "_NestedSequence" not in text, name
        assert len(text) < many.get(name, 450), (name, text)
