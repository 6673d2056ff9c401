"""Every cell of the support matrix, made and run: runs rightly, or refused as it says."""

import contextlib
import pkgutil
import re

import numpy as np
import pytest
from typer.main import get_command

from eventsim.cli.app import app as cli
from eventsim.engine.contract.registry import using_backend
from eventsim.errors import ParameterError
from eventsim.matrix import can, matrix
from tests.conftest import HAS_DEVICE
from tests.matrix import probes_runs  # noqa: F401  registers its probes
from tests.matrix.cells import refused, running
from tests.matrix.networks import network
from tests.matrix.probes import PROBES, Case
from tests.support.simt import small_grids

ALL = tuple(matrix().capabilities)
ONCE = [str(row) for name in ALL for row in running(name, 1)]
ROWS = {str(row): row for name in ALL for row in [*running(name, 1), *running(name, 2)]}
REFUSED = {str(row): row for name in ALL for row in refused(name)}


# What no network of networks.py has: of a backend of one's own, of a run, and what C lacks.
BEYOND = {name for name in matrix().titles if "without" in name} | {
    "run_of_values", "onset", "by_sums", "many_neurons", "many_synapses"
}  # fmt: skip


def marked(names, quick):
    """Rows for ``parametrize``: those of ``quick`` in make test, the others in make test-all."""
    more = pytest.mark.thorough("pairs of features; every feature alone is in make test")
    return [pytest.param(name, marks=() if name in quick else [more]) for name in names]


@pytest.fixture
def made(host_cuda, tmp_path, monkeypatch):
    """Makes the case of a row, with the backend that it names, in an empty folder."""
    monkeypatch.chdir(tmp_path)
    with contextlib.ExitStack() as stack:

        def make(row):
            if row.by_axis.get("backend") == "cuda" and not HAS_DEVICE:
                stack.enter_context(using_backend("cuda", host_cuda))
                stack.enter_context(small_grids())
            return Case(row, network(row.by_axis), tmp_path)

        yield make


@pytest.mark.parametrize("name", marked(ROWS, ONCE), ids=list(ROWS))
def test_what_runs_gives_the_right_number(name, made):
    case = made(ROWS[name])
    shown = PROBES[case.row.capability](case)
    assert case.support
    if case.row.rule is not None:
        assert case.row.rule.shown in shown


@pytest.mark.parametrize("name", REFUSED, ids=list(REFUSED))
def test_what_is_refused_is_refused_as_the_matrix_says(name, made, tmp_path):
    case = made(REFUSED[name])
    rule, before = case.row.rule, case.values()
    assert not case.support
    with pytest.raises(rule.error) as caught:
        PROBES[case.row.capability](case)
    assert type(caught.value) is rule.error
    assert all(piece in str(caught.value) for piece in re.split(r"\{\w+\}", rule.why))
    assert rule.do in str(caught.value)
    assert list(tmp_path.iterdir()) == []
    assert all(np.array_equal(before[key], now) for key, now in case.values().items())


def test_every_capability_has_a_probe_and_every_rule_a_row():
    assert PROBES.keys() == set(ALL)
    ruled = [row.rule for row in [*REFUSED.values(), *ROWS.values()] if row.rule is not None]
    for name, capability in matrix().capabilities.items():
        bare = [rule for rule in capability.rules if rule not in ruled]
        ours = [rule for rule in bare if BEYOND.isdisjoint(rule.has)]
        assert ours == [], f"{name}: no network has what this rule names"
        assert running(name, 1), f"{name} runs nowhere"


def test_calls_and_commands_of_the_rows_exist():
    rows = matrix().capabilities.values()
    for row in rows:
        if row.name != "torch_module":  # needs PyTorch; its probe calls it
            pkgutil.resolve_name(row.call.replace("es.", "eventsim.", 1))
    commands = [words for row in rows for words in row.command.split(", ") if words]
    assert commands
    app = get_command(cli)
    for words in commands:
        name, *given = words.removeprefix("mpirun eventsim ").split()
        options = {one for parameter in app.commands[name].params for one in parameter.opts}
        assert {one for one in given if one.startswith("--")} <= options, words


def test_features_of_a_network_are_those_of_its_row():
    table = matrix()
    axes = ("neuron", "wiring", "pattern", "delay", "weights", "end", "answer")
    for row in ROWS.values():
        found = network(row.by_axis).features()
        wanted = {feature for axis, feature in row.features if axis in axes} - {"layers"}
        assert wanted <= found.keys()
        assert found.keys() <= table.titles.keys()


def test_a_feature_that_is_unknown_is_refused_with_those_that_there_are():
    with pytest.raises(ParameterError, match="no feature 'gpu', expected one of lif"):
        can("gpu")
