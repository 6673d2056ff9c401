"""The examples in docstrings run as they stand; one that is skipped says why."""

import doctest
import importlib
import re
from pathlib import Path

import pytest

import eventsim
from eventsim import datasets

SKIP = re.compile(r"# *doctest: *\+SKIP *$")
REASON = re.compile(r"# \w[^#]+# *doctest: *\+SKIP *$")


def modules_with_examples():
    """Names of the modules that have ``>>>`` in them."""
    homes = {"eventsim": eventsim, "eventsim.datasets": datasets}
    names = set()
    for package, module in homes.items():
        home = Path(module.__file__).parent
        for path in home.rglob("*.py"):
            if re.search(r"^ *>>> ", path.read_text("utf-8"), re.MULTILINE):
                parts = path.relative_to(home).with_suffix("").parts
                names.add(".".join([package, *(part for part in parts if part != "__init__")]))
    return sorted(names)


@pytest.fixture(params=modules_with_examples())
def examples(request):
    """The doctests of a module, one per docstring."""
    module = importlib.import_module(request.param)
    found = [test for test in doctest.DocTestFinder().find(module) if test.examples]
    assert found, "examples that the finder of doctest does not see"
    return found


def test_examples_of_docstrings_run(examples, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("EVENTSIM_CACHE", str(tmp_path / "cache"))
    for test in examples:
        said = []
        runner = doctest.DocTestRunner(verbose=False, optionflags=doctest.ELLIPSIS)
        assert runner.run(test, out=said.append).failed == 0, "".join(said)


def test_examples_that_are_skipped_say_why(examples):
    for test in examples:
        skipped = [
            example.source
            for example in test.examples
            if SKIP.search(example.source.splitlines()[0])
        ]
        assert all(REASON.search(source.splitlines()[0]) for source in skipped), skipped
