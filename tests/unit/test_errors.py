"""Exceptions of eventsim: one form of words, kept on their way from one process to another."""

import copy
import importlib
import inspect
import pickle
import pkgutil
from pathlib import Path

import pytest

import eventsim
from eventsim.errors import EventSimError, RunawayError

for module in pkgutil.walk_packages(eventsim.__path__, "eventsim."):
    if module.name.rpartition(".")[2] in ("errors", "chip", "reading", "settings"):
        importlib.import_module(module.name)


def kinds(base=EventSimError):
    return [base, *(found for kind in base.__subclasses__() for found in kinds(kind))]


PLAIN = [kind for kind in kinds() if kind.__init__ is EventSimError.__init__]


def made(kind):
    """An error of that kind; one with fields gets something for each."""
    if kind in PLAIN:
        return kind("LIF", "tau_mem is 0", "a value > 0", "Give one.")
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


@pytest.mark.parametrize("kind", PLAIN, ids=lambda kind: kind.__name__)
def test_message_is_put_together_of_the_fields_that_are_given(kind):
    told = kind(Path("a.h5"), "tau is 0", "a value > 0", "Give one.")
    assert str(told) == "a.h5: tau is 0, expected a value > 0. Give one."
    assert (told.where, told.got, told.expected) == ("a.h5", "tau is 0", "a value > 0")
    assert told.remedy == "Give one."
    assert str(kind("LIF", "tau is 0")) == "LIF: tau is 0."
    assert str(kind("LIF", "tau is 0", remedy="Give one.")) == "LIF: tau is 0. Give one."
    assert str(kind("--out a.txt", "", "an .svg")) == "--out a.txt: expected an .svg."
    plain = kind("plain: words")
    assert (str(plain), plain.got, plain.where) == ("plain: words", "plain: words", "")
    around = told.seen_from("settings", kind)
    assert (type(around), around.where, around.got) == (kind, "settings: a.h5", "tau is 0")


def test_runaway_comes_out_of_a_pickle_with_its_facts():
    error = RunawayError(population="hidden", sample=1, neuron=2, time=3.5, limit=1000)
    assert str(error).startswith("Population 'hidden', sample 1: neuron 2 fired more than 1000 ")
    assert "near 3.5 ms" in str(error)
    found = pickle.loads(pickle.dumps(error))
    assert (found.population, found.sample, found.neuron) == ("hidden", 1, 2)
    assert (found.time, found.limit) == (3.5, 1000)
