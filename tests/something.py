"""An assertion of many things has something to look at.

An assertion in a loop over nothing never fails, nor does ``assert [.. for .. if wrong] == []``.
From the import of this module on, both are rewritten in all modules of tests, together with
pytest's own rewriting of assertions: what they go over must not be empty. Loops within loops, and
over :func:`perhaps`, are left alone. A parametrised test without cases is an error by
``empty_parameter_set_mark`` of pyproject.toml.
"""

import ast
import sys
from pathlib import Path

import pytest
from _pytest.assertion import rewrite

NAME = "_something"


def something(items, place):
    """All items; AssertionError if there is none."""
    empty = True
    for item in items:
        empty = False
        yield item
    assert not empty, f"{place}: there is nothing to assert of"


def perhaps(items):
    """The items of a loop that may have none."""
    return items


def rewritten(module, source, path=None, config=None):
    """Rewrite a module as pytest does, and before that its assertions of many things."""
    if Path(path or "").is_relative_to(Path(__file__).parent):
        _Looks(path).visit(module)
        name = ast.alias(something.__name__, NAME)
        line = ast.fix_missing_locations(ast.ImportFrom(__name__, [name]))
        module.body.insert(ast.get_docstring(module) is not None, line)
    _by_pytest(module, source, path, config)


def rewrite_share(config):
    """Rewrite a worker's share of all modules of tests, those that are not cached.

    Workers begin together and collect alike: each would rewrite all of them, in 5 CPU s.
    """
    worker = getattr(config, "workerinput", None)
    if worker is None or sys.dont_write_bytecode:
        return
    state, home = config.stash[rewrite.assertstate_key], Path(__file__).parent
    place, share = int(worker["workerid"].removeprefix("gw")), worker["workercount"]
    for path in sorted(home.rglob("*.py"))[place::share]:
        name = ".".join(path.relative_to(home.parent).with_suffix("").parts)
        cached = rewrite.get_cache_dir(path) / f"{path.stem}{rewrite.PYC_TAIL}"
        if not state.hook._should_rewrite(name, str(path), state) or cached.exists():
            continue
        seen, code = rewrite._rewrite_test(path, config)
        if rewrite.try_makedirs(cached.parent):
            rewrite._write_pyc(state, code, seen, cached)


class _Looks(ast.NodeTransformer):
    def __init__(self, path):
        self.path = path

    def visit_For(self, loop):
        if any(map(_asserts, ast.walk(loop))) and _called(loop.iter) != perhaps.__name__:
            loop.iter = self._something(loop.iter)
        return loop

    def visit_Assert(self, node):
        match node.test:
            case ast.Compare(ast.ListComp() | ast.SetComp() as each, [ast.Eq()]):
                each.generators[0].iter = self._something(each.generators[0].iter)
        return node

    def _something(self, items):
        place = ast.Constant(f"{self.path}:{items.lineno}")
        call = ast.Call(ast.Name(NAME, ast.Load()), [items, place], [])
        return ast.fix_missing_locations(ast.copy_location(call, items))


def _called(node):
    """The name of the function that a node calls."""
    called = getattr(node, "func", None)
    return getattr(called, "attr", getattr(called, "id", ""))


def _asserts(node):
    """Whether a node asserts: itself, by a function of that name, or by what must be raised."""
    return isinstance(node, ast.Assert) or _called(node).startswith(("assert_", "raises"))


_by_pytest, rewrite.rewrite_asserts = rewrite.rewrite_asserts, rewritten
rewrite.PYC_TAIL = f".something{rewrite.PYC_TAIL}"  # what was cached before is not taken
# Modules, not their packages: these are imported before by a plugin that lies in one of them.
_names = {
    f"tests.{path.parent.name}.{path.stem}"
    for package in ("support", "unit")
    for path in Path(__file__).with_name(package).iterdir()
}
pytest.register_assert_rewrite(*sorted(_names - set(sys.modules)))
