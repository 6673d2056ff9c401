"""Where compiled kernels are kept, and what makes them stale."""

import ast
import os
import re
import shutil
import subprocess
import sys
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import numba
import numpy as np
import pytest

import eventsim as es
from eventsim.engine import cpu
from eventsim.engine.cpu import compile as compiling
from eventsim.engine.cpu.scalar import propagators
from tests.support.compiled import callable_part
from tests.support.nets import lateral_net, random_stream

LINE = "eventsim: compiling kernels, once, up to a minute ({kept})"
IMPORT = """
import eventsim
from eventsim.engine.cpu import adaptive
print(eventsim.__file__)
"""
RUN = """
import numpy as np
start, zero, found = np.zeros((1, 1)), np.zeros(1), np.zeros(1)
spikes = np.array([0, 1]), np.zeros(1, np.int32), np.ones(1)
adaptive.before_spikes(*spikes, zero, zero, start + 3.0, start, found)
assert found.tolist() == [3.0]
"""


@pytest.fixture
def package(tmp_path):
    """A copy of the package whose sources nothing can be written beside, not even by root."""
    here = Path(es.__file__).parent
    leave_out = shutil.ignore_patterns("__pycache__", "kernels", "cases")
    shutil.copytree(here, tmp_path / "installed" / "eventsim", ignore=leave_out)
    (tmp_path / "installed/eventsim/engine/cpu/__pycache__").touch()
    return tmp_path / "installed"


@pytest.fixture
def nowhere(tmp_path):
    """A folder that cannot be made, not even by root."""
    (tmp_path / "file").touch()
    return tmp_path / "file" / "folder"


def run(package, program=IMPORT, **variables):
    """What the program writes on stderr with these variables, from another folder."""
    named = {"PYTHONPATH": package, "PYTHONDONTWRITEBYTECODE": "1"} | variables
    cleared = {
        k: v for k, v in os.environ.items() if not k.startswith(("NUMBA", "EVENTSIM", "XDG"))
    }
    env = cleared | {k: str(v) for k, v in named.items()}
    command = (sys.executable, "-c", program)
    done = subprocess.run(
        command, env=env, cwd=package, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert Path(done.stdout.strip()).is_relative_to(package)
    return done.stderr


def has_cache(folder):
    return len(list(folder.glob("eventsim-*"))) == 1


@pytest.mark.thorough("starts a process that compiles")
def test_kernels_without_any_cache_run_and_a_line_says_so(package, nowhere):
    said = run(package, IMPORT + RUN, HOME=nowhere, XDG_CACHE_HOME=nowhere)
    warned, compiling = said.splitlines()
    assert "CacheWarning: Compiled kernels cannot be kept" in warned
    assert compiling == LINE.format(kept="which are not kept")
    assert f"{nowhere}/eventsim/kernels" in said
    assert "Let EVENTSIM_CACHE name a folder" in said


@pytest.mark.thorough("starts a process that compiles")
def test_kernels_are_kept_beside_the_sources_where_the_user_has_no_cache(package, nowhere):
    beside = package / "eventsim/engine/cpu/__pycache__"
    beside.unlink()
    assert run(package, HOME=nowhere, XDG_CACHE_HOME=nowhere) == ""
    assert has_cache(beside)


def test_kernels_are_kept_in_the_cache_of_eventsim(package, nowhere, tmp_path):
    said = run(package, IMPORT + RUN, HOME=nowhere, EVENTSIM_CACHE=tmp_path / "cache")
    assert has_cache(tmp_path / "cache" / "kernels")
    (folder,) = (tmp_path / "cache/kernels").iterdir()
    assert said == LINE.format(kept=f"kept in {folder}") + "\n"
    assert sorted(path.suffix for path in tmp_path.rglob("*.nb?")) == [".nbc", ".nbi"]


@pytest.mark.thorough("starts a process that compiles")
def test_compiling_is_announced_once_if_it_happens_and_can_be_silenced(package, tmp_path):
    cache = {"EVENTSIM_CACHE": tmp_path / "cache"}
    silent = "import logging\nlogging.getLogger('eventsim').setLevel('ERROR')\n"
    users_own = "import numba\nassert numba.njit(lambda x: x + 1)(1) == 2\n"
    twice = RUN + RUN.replace("np.ones(1)", "np.ones(2)[::2]")
    assert run(package, silent + IMPORT + RUN, **cache) == ""
    assert run(package, users_own + IMPORT + RUN, **cache) == ""  # it is there
    assert run(package, IMPORT + twice, **cache).count("compiling kernels") == 1  # of other types


@pytest.mark.thorough("starts a process that compiles")
def test_kernels_are_kept_in_the_cache_of_numba_if_it_is_named(package, tmp_path):
    named = {"EVENTSIM_CACHE": tmp_path / "cache", "NUMBA_CACHE_DIR": tmp_path / "numba"}
    assert run(package, **named) == ""
    assert has_cache(tmp_path / "numba")
    assert not (tmp_path / "cache").exists()


@pytest.mark.thorough("starts a process that compiles")
@pytest.mark.parametrize("variable", ["EVENTSIM_CACHE", "NUMBA_CACHE_DIR"])
def test_kernels_are_kept_nowhere_else_than_the_user_said(package, nowhere, tmp_path, variable):
    (package / "eventsim/engine/cpu/__pycache__").unlink()
    said = run(package, XDG_CACHE_HOME=tmp_path / "user", **{variable: nowhere})
    assert "CacheWarning" in said
    assert list(tmp_path.rglob("eventsim-*")) == []


def test_part_of_a_kernel_says_where_it_may_be_called():
    values = (1.0, 0.1, 0.1, 0.2)
    for _ in range(2):  # before it is compiled, and after
        with pytest.raises(
            TypeError, match=r"propagators is part of kernels: .* compiled function"
        ):
            propagators(*values)
        assert len(callable_part(propagators)(*values)) == 3


@pytest.mark.parametrize("file", ["cpu/walk.py", "state.py", "table.py", "../plan/plan.py"])
def test_key_of_the_cache_covers(file):
    here = Path(compiling.__file__).parents[1]
    assert (here / file).resolve() in [path.resolve() for path in compiling.sources()]


def test_key_of_the_cache_covers_folders_however_deep(tmp_path):
    covered = [
        "engine/contract/job.py",
        "engine/cpu/dense/forward.py",
        "engine/cpu/walk.py",
        "engine/table.py",
        "mapping/cores/start_kernels.py",
        "plan/parts/plan.py",
    ]
    for name in (*covered, "engine/cuda/arrays.py", "engine/reference/run.py", "network/a.py"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    found = [str(path.relative_to(tmp_path)) for path in compiling.sources(tmp_path)]
    assert sorted(found) == covered


def test_key_of_the_cache_covers_every_module_that_compiles_a_kernel():
    makes_kernels = re.compile(r"from eventsim\.engine\.cpu\.compile import|from numba import")
    root = Path(es.__file__).parent
    files = {path for path in root.rglob("*.py") if makes_kernels.search(path.read_text("utf-8"))}
    assert len(files) > 20  # fewer where kernels have moved to C++
    assert files - set(compiling.sources()) == set()


def kernels():
    """Compiled functions of engine/cpu, and the module of each."""
    loaded = [m for name, m in sorted(sys.modules.items()) if name.startswith(cpu.__name__)]
    found = {
        (value.py_func.__module__, value.py_func.__qualname__): value
        for module in loaded
        for value in (getattr(each, "_compiled", each) for each in vars(module).values())
        if isinstance(value, numba.core.registry.CPUDispatcher)
    }
    return list(found.values())


def names_of(code):
    """Names of globals that a function, or one inside it, reads."""
    inner = [const for const in code.co_consts if hasattr(const, "co_names")]
    return set(code.co_names).union(*(names_of(const) for const in inner))


@cache
def origins(module, name):
    """Files of eventsim that decide what ``name`` is in ``module``: imports, and what those use."""
    path = find_spec(module).origin
    tree = ast.parse(Path(path).read_text("utf-8"))
    for node in tree.body:
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("eventsim"):
            for alias in node.names:
                if (alias.asname or alias.name) == name:
                    return {path} | origins(node.module, alias.name)
        if isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None:
            inside = [part for part in ast.walk(node) if isinstance(part, ast.Name)]
            if name in {part.id for part in inside if isinstance(part.ctx, ast.Store)}:
                used = {part.id for part in inside if isinstance(part.ctx, ast.Load)}
                return {path}.union(*(origins(module, other) for other in used))
    return {path}


def test_key_of_the_cache_covers_every_constant_of_a_kernel():
    files = set()
    for kernel in kernels():
        function = kernel.py_func
        for name in names_of(function.__code__) & function.__globals__.keys():
            if isinstance(function.__globals__[name], int | float | tuple | np.generic):
                files |= origins(function.__module__, name)
    assert str(find_spec("eventsim.engine.job").origin) in files  # RUNAWAY_PER_MS
    assert files - {str(path) for path in compiling.sources()} == set()


def test_key_of_the_cache_covers_every_tuple_that_a_kernel_takes():
    es.simulate(lateral_net(4), random_stream(2), backend="cpu")
    modules = {
        argument.instance_class.__module__
        for kernel in kernels()
        for signature in kernel.signatures
        for argument in signature
        if isinstance(argument, numba.types.BaseNamedTuple)
    }
    assert "eventsim.engine.bundles" in modules
    files = {find_spec(module).origin for module in modules}
    assert files - {str(path) for path in compiling.sources()} == set()
