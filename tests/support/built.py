"""The library of the CPU's kernels built from other sources, or with other options: one level."""

import re
import subprocess
from functools import cache
from pathlib import Path

from eventsim.kernels import build

# On x86-64 the level that every machine of the tests has.
PLATFORM = build.Platform.here()
LEVEL = {"x86_64": "v3", "aarch64": "neon"}[PLATFORM.machine]

INCLUDED = re.compile(r'^#include "(.+)"\n', re.MULTILINE)


def build_library(folder, sources, *, options=(), link=()) -> Path:
    """Build the library with that level alone into a folder, which is there.

    ``sources`` is the hash that the library tells; ``options`` come behind those of the product.
    """
    defined = (f"-DWITH_{LEVEL.upper()}", f"-DSOURCES={sources}", '-DBUILT=""')
    cpu, flags = build.KERNELS / "cpu", (*options, *defined)
    units = [unit for unit in sorted(cpu.glob("*.cpp")) if unit.name != "level.cpp"]
    objects = [_compile(unit, folder, flags) for unit in units]
    for of in build.TYPES:
        at = folder / of
        at.mkdir()
        objects.append(_compile(cpu / "level.cpp", at, (*flags, f"-DKERNEL_TYPE={of}"), LEVEL))
    return _link(folder, objects, link)


def build_changed(folder, kernels, changed, types, *, options=(), link=()) -> Path:
    """Build the product's library with what a changed file takes part in, at that level alone.

    ``kernels`` is a copy of its text, in which ``changed`` is the file; ``types`` are those of the
    state for which kernels are compiled again. All else is the product's objects.
    """
    head, chosen = _changed_kernels(kernels / "cpu", changed)
    objects = []
    if chosen:
        part = kernels / "cpu" / "part.cpp"
        vectors = {"float": "Floats", "double": "Doubles"}
        entries = [
            f"KERNEL_OF({name}, {real}, {vectors[real]}, {call})"
            for name, call in chosen
            for real in types
        ]
        part.write_text("\n".join((head, *entries, "")), "utf-8")
        objects.append(_compile(part, folder, options, LEVEL))
    for name in ("common.cpp", "crew.cpp", "watch.cpp"):
        if changed.resolve() in _reached(kernels / "cpu" / name):
            objects.append(_compile(kernels / "cpu" / name, folder, options))
    # Of two of one name the first is taken.
    return _link(folder, [*objects, *product_objects()], (*link, "-Wl,-z,muldefs"))


@cache
def product_objects():
    """Those of the product's library, which lie in its build folder."""
    return build.compile_objects(build.find_compiler(), PLATFORM, build.levels_asked(PLATFORM))


def _changed_kernels(cpu, changed):
    """The text of ``level.cpp`` in front of its kernels, and those that reach a changed file."""
    head = (cpu / "level.cpp").read_text("utf-8").rpartition("KERNELS(KERNEL)")[0]
    names = next(
        line
        for line in build.declarations().read_text("utf-8").splitlines()
        if "define KERNELS" in line
    )
    text = ""
    for name in INCLUDED.findall(head):
        reached = _reached(cpu / name)
        if changed.resolve() in reached:
            text += "".join(path.read_text("utf-8") for path in sorted(reached))
        elif name != "calls.hpp":
            head = head.replace(f'#include "{name}"\n', "")
    known = re.findall(r"KERNEL\((\w+), (\w+)\)", names)
    return head, [(name, call) for name, call in known if f" {name}(const {call}<" in text]


def _reached(path, found=None):
    """A file, and all that it includes."""
    found, path = set() if found is None else found, path.resolve()
    if path not in found and path.is_file():
        found.add(path)
        for name in INCLUDED.findall(path.read_text("utf-8")):
            _reached(path.parent / name, found)
    return found


def _compile(unit, folder, options, level=""):
    """The object of a unit; of kernels of a level with its name."""
    to = folder / f"{unit.stem}.o"
    _run(*build.find_compiler().compiling(PLATFORM, level), *options, "-c", unit, "-o", to)
    return to


def _link(folder, objects, options):
    library = folder / PLATFORM.library
    _run(*build.find_compiler().command, "-shared", *options, *objects, "-lm", "-o", library)
    return library


def _run(*words):
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(done.stderr)
