"""Exceptions of eventsim on their way from one process to another."""

import copy
import importlib
import inspect
import pickle
import pkgutil

import pytest

import eventsim
from eventsim.errors import EventSimError, RunawayError

for module in pkgutil.walk_packages(eventsim.__path__, "eventsim."):
    if module.name.endswith("errors"):
        importlib.import_module(module.name)


def kinds(base=EventSimError):
    return [base, *(found for kind in base.__subclasses__() for found in kinds(kind))]


def made(kind):
    """An error of that kind; one with fields gets something for each."""
    if "__init__" not in vars(kind):
        return kind("what was wrong", "and more")
    values, positional, named = {"str": "hidden", "int": 3, "float": 1.5}, [], {}
    for p in list(inspect.signature(kind.__init__).parameters.values())[1:]:
        value = values.get(getattr(p.annotation, "__name__", p.annotation), ("one", "two"))
        if p.kind is p.KEYWORD_ONLY:
            named[p.name] = value
        else:
            positional.append(value)
    return kind(*positional, **named)


@pytest.mark.parametrize("again", [lambda e: pickle.loads(pickle.dumps(e)), copy.deepcopy])
@pytest.mark.parametrize("kind", kinds(), ids=lambda kind: kind.__name__)
def test_every_exception_comes_out_of_a_pickle_as_it_was(kind, again):
    error = made(kind)
    error.add_note("where it happened")
    found = again(error)
    assert type(found) is kind
    assert (str(found), found.args, vars(found)) == (str(error), error.args, vars(error))


def test_runaway_comes_out_of_a_pickle_with_its_facts():
    error = RunawayError(population="hidden", sample=1, neuron=2, time=3.5, limit=1000)
    assert str(error).startswith("Population 'hidden', sample 1: neuron 2 fired more than 1000 ")
    assert "near 3.5 ms" in str(error)
    found = pickle.loads(pickle.dumps(error))
    assert (found.population, found.sample, found.neuron) == ("hidden", 1, 2)
    assert (found.time, found.limit) == (3.5, 1000)
