"""Compiles the kernels of the CPU into one shared library, ``libeventsim``.

``python eventsim/kernels/build.py`` compiles in place what changed; setup.py calls :func:`build`
for wheels and for ``pip install -e .``. Only the standard library is imported: while eventsim is
being installed it cannot be imported.

A level is a set of instructions. ``cpu/level.cpp`` is compiled once per level, whose name is
``KERNEL_LEVEL``, and type of the state, ``KERNEL_TYPE``: as many compilers have work as run at a
time. The other files of ``cpu`` are compiled once, ``common.cpp`` for the least level of the
platform, the others for every processor, so that the library can say what one lacks. Defined are
``WITH_V3``, ``WITH_V4`` .. for the levels that the library has, ``SOURCES``, the hash of the
sources, and ``BUILT``, a text of three lines: that hash, the levels, the compiler. An object is
compiled again where its sources, options or compiler changed. Structs of what kernels are called
with are written from the classes of ``eventsim/compiled/roles*.py``.

============================  ==================================================================
environment variable
============================  ==================================================================
``CXX``                       the compiler: a name, a path, a command with options, ``ziglang``
``EVENTSIM_BUILD_LEVELS``     ``machine``: those that this processor runs (default); ``all``: those
                              of its platform; or their names, as in ``v3,v4``
``EVENTSIM_BUILD_FOLDER``     where objects are kept; ``build/kernels`` unless given
============================  ==================================================================
"""

import ast
import hashlib
import importlib.util
import os
import platform
import re
import shlex
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

KERNELS = Path(__file__).resolve().parent
FLAGS = (
    *("-std=c++17", "-fno-exceptions", "-fno-rtti", "-fno-threadsafe-statics"),
    *("-ffp-contract=off", "-fno-math-errno", "-fno-strict-aliasing", "-fvisibility=hidden"),
    *("-Wno-psabi", "-Wno-ignored-attributes"),
)
# Names as GCC and Clang spell them; zig has underscores.
MARCH = {"v3": "x86-64-v3", "v4": "x86-64-v4"}
# What a processor must have for them, in the words of /proc/cpuinfo.
V3 = {"avx", "avx2", "bmi1", "bmi2", "f16c", "fma", "abm", "movbe"}
NEEDS = {"v3": V3, "v4": V3 | {"avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl"}}
TYPES = ("float", "double")  # of the state
GLIBC = "2.17"  # the oldest that zig links for: that of manylinux2014
MACOS = "11.0"  # the first on arm64
TOGETHER = 2  # compilers that run at a time; one takes up to 300 MB
LINES = 12  # of the compiler's errors that are told


class BuildError(Exception):
    """The library could not be built; the text says what to do."""


@dataclass(frozen=True)
class Platform:
    """Platform of a library: ``system`` as :func:`platform.system`, in lower case."""

    system: str
    machine: str

    @classmethod
    def here(cls) -> "Platform":
        """The platform that this Python builds wheels for."""
        machine = sysconfig.get_platform().rpartition("-")[2]
        if machine == "universal2":
            machine = platform.machine()
        asked = set(os.environ.get("ARCHFLAGS", "").replace("-arch", "").split())
        if platform.system() == "Darwin" and asked:
            if len(asked) > 1:
                raise BuildError(
                    f"ARCHFLAGS names {' and '.join(sorted(asked))}; a library is built for one "
                    "architecture at a time. Name one: ARCHFLAGS='-arch arm64'."
                )
            (machine,) = asked
        names = {"amd64": "x86_64", "arm64": "aarch64"}
        return cls(platform.system().lower(), names.get(machine.lower(), machine.lower()))

    @property
    def levels(self) -> tuple[str, ...]:
        """Instruction sets of this platform, from the least; none where the kernels do not run."""
        return {"x86_64": ("v3", "v4"), "aarch64": ("neon",)}.get(self.machine, ())

    @property
    def library(self) -> str:
        """Name of the file."""
        suffix = {"windows": "dll", "darwin": "dylib"}.get(self.system, "so")
        return f"libeventsim.{suffix}"

    @property
    def triple(self) -> str:
        """The target's name for zig."""
        libc = f"gnu.{GLIBC}"
        if self.system == "linux" and platform.libc_ver()[0] not in ("glibc", ""):
            libc = "musl"
        system = {"linux": f"linux-{libc}", "darwin": f"macos.{MACOS}", "windows": "windows-gnu"}
        return f"{self.machine}-{system.get(self.system, self.system)}"

    @property
    def architecture(self) -> tuple[str, ...]:
        """Options of Apple's compiler."""
        return ("-arch", "arm64" if self.machine == "aarch64" else self.machine)


@dataclass(frozen=True)
class Compiler:
    """A command that compiles C++17 with GCC's vector extensions."""

    command: tuple[str, ...]

    @cached_property
    def version(self) -> str:
        """First line that the compiler prints about itself."""
        if self.is_zig:
            return "zig " + _run((*self.command[:-1], "version"), "zig").strip()
        return _run((*self.command, "--version"), shlex.join(self.command)).partition("\n")[0]

    @property
    def is_zig(self) -> bool:
        """Whether it takes zig's options: ``zig c++``, ``python -m ziglang c++``."""
        return any(Path(word).stem in ("zig", "ziglang") for word in self.command)

    def compiling(self, target: Platform, level: str = "") -> tuple[str, ...]:
        """The command for the object of a level, or for another."""
        flags = [*FLAGS, "-O3", "-I", str(declarations().parent)]
        march = f"-march={MARCH[level]}" if level in MARCH else ""
        if target.system != "windows":
            flags += ["-fPIC"]
        if self.is_zig:
            # Without a target zig compiles for the very processor that it runs on.
            flags += ["-target", target.triple, "-fno-sanitize=undefined"]
            march = march.replace("x86-64-", "x86_64_")
        elif target.system == "darwin":
            flags += target.architecture
        flags += [march] if march else []
        return (*self.command, *flags, *([f"-DKERNEL_LEVEL={level}"] if level else []))

    def linking(self, target: Platform) -> tuple[str, ...]:
        """The command for the library, in front of its objects."""
        if self.is_zig:
            # `zig c++` would compile the whole library of C++, which nothing here needs.
            return (*self.command[:-1], "cc", "-target", target.triple, "-shared", "-s")
        if target.system == "darwin":
            return (*self.command, "-dynamiclib", "-Wl,-x", *target.architecture)
        if target.system == "windows":
            return (*self.command, "-shared")
        alone = ("-static-libgcc", "-static-libstdc++", "-Wl,--no-undefined")
        return (*self.command, "-shared", "-s", *alone)


def find_compiler() -> Compiler | None:
    """The compiler that ``CXX`` names, else that of the system, else the package ziglang."""
    named = shlex.split(os.environ.get("CXX", ""))
    if named and named != ["ziglang"]:
        return Compiler(tuple(named))
    # On Windows GCC aligns the stack for no vector of v3, and MSVC has no vectors.
    if not named and platform.system() != "Windows":
        for name in ("c++", "g++", "clang++"):
            if shutil.which(name):
                return Compiler((name,))
    if importlib.util.find_spec("ziglang"):
        return Compiler((sys.executable, "-m", "ziglang", "c++"))
    return None


def requirements() -> list[str]:
    """Packages that a build needs beside setuptools: ziglang where no compiler is found."""
    compiler = find_compiler()
    return ["ziglang>=0.13"] if compiler is None or "ziglang" in compiler.command else []


def levels_asked(target: Platform) -> tuple[str, ...]:
    """The levels to build, from the least: those of ``EVENTSIM_BUILD_LEVELS``."""
    if not target.levels:
        raise BuildError(
            f"The CPU kernels do not run on {target.machine}: they need x86-64 with AVX2 and FMA, "
            "or 64-bit ARM, and a Python for it."
        )
    asked = os.environ.get("EVENTSIM_BUILD_LEVELS") or "machine"
    if asked == "all":
        return target.levels
    if asked == "machine":
        has = _processor()
        levels = tuple(n for n in target.levels if has is None or NEEDS.get(n, set()) <= has)
        if not levels:
            raise BuildError(
                f"The CPU kernels do not run on this processor, which lacks "
                f"{', '.join(sorted(V3 - (has or set())))}: they need AVX2 and FMA, as processors "
                "have since 2013. To build for other machines, set EVENTSIM_BUILD_LEVELS=all."
            )
        return levels
    names = asked.replace(",", " ").split()
    if unknown := [name for name in names if name not in target.levels]:
        raise BuildError(
            f"EVENTSIM_BUILD_LEVELS is {asked!r}; {unknown[0]!r} is no level of {target.system} on "
            f"{target.machine}. Pass levels of {', '.join(target.levels)}, or all, or machine."
        )
    return tuple(name for name in target.levels if name in names)


def sources() -> list[Path]:
    """Source files of the library, sorted; this one is among them."""
    found = [path for path in KERNELS.rglob("*") if path.suffix in (".hpp", ".cpp")]
    return sorted([*found, *_roles(), KERNELS / "build.py"])


def _roles() -> list[Path]:
    return sorted((KERNELS.parent / "compiled").glob("roles*.py"))


def source_hash() -> str:
    """Hash of the contents and names of :func:`sources`: 16 hexadecimal digits."""
    digest = hashlib.sha256()
    for path in sources():
        content = path.read_bytes()
        digest.update(f"{path.relative_to(KERNELS.parent).as_posix()} {len(content)}\n".encode())
        digest.update(content)
    return digest.hexdigest()[:16]


def declarations() -> Path:
    """The header with a struct for each role and call, written where it is not up to date."""
    path, text = _kept("declared") / "declared.hpp", _declared()
    if not path.is_file() or path.read_text("utf-8") != text:
        unfinished = path.with_suffix(f".{os.getpid()}")
        unfinished.write_text(text, "utf-8")
        os.replace(unfinished, path)
    return path


def _declared() -> str:
    """Structs, names of kernels by their calls, and the layout: see ``compiled/roles.py``."""
    body = [each for path in _roles() for each in ast.parse(path.read_text("utf-8")).body]
    classes = [each for each in body if isinstance(each, ast.ClassDef)]
    text = "\n".join(map(ast.unparse, body))
    types = {
        "int": "int64_t",
        "float": "double",
    }  # of a field, by the first word that says its type
    types |= {name: _array(kind) for name, kind in re.findall(r"(\w+) = Annotated.*'(.+)'", text)}
    written = re.findall(r"Annotated\[(\w+), WRITTEN\]", text)
    structs, layout, of_state, of_none = (list[str]() for _ in range(4))
    for each in sorted(classes, key=lambda each: not each.name.endswith("Role")):  # roles first
        name, fields, names = each.name.removesuffix("Role"), [], []
        for field in (f for f in each.body if isinstance(f, ast.AnnAssign)):
            hint = ast.unparse(field.annotation).removeprefix("Annotated[")
            kind = types[re.split(r"\W", hint)[0]]
            names.append(ast.unparse(field.target))
            fields.append(f"{kind.removeprefix('const ' * (each.name in written))} {names[-1]};")
        is_of_state = any(re.search(r"\bR\b", field) for field in fields)
        types[each.name] = f"{name}<R>" if is_of_state else name
        template = "template <class R> " if is_of_state else ""
        structs.append(f"{template}struct {name} {{ {' '.join(fields)} }};")
        layout.append(f'"{name} {" ".join(names)}\\n"')
        if name == each.name:
            kernel = f"KERNEL({re.sub('(?<=.)(?=[A-Z])', '_', name).lower()}, {name})"
            (of_state if is_of_state else of_none).append(kernel)
    macros = {"KERNELS(KERNEL)": of_state, "COMMON_KERNELS(KERNEL)": of_none, "LAYOUT": layout}
    defined = [f"#define {name} {' '.join(parts)}" for name, parts in macros.items()]
    return "\n".join(["namespace eventsim {", *structs, "}  // namespace eventsim", *defined, ""])


def _array(kind: str) -> str:
    """The type of an array in C++, by the text of its annotation."""
    numbers = {"b1": "uint8_t", "i4": "int32_t", "i8": "int64_t", "f8": "double", "R": "R"}
    number, _, at = kind.rstrip("w").partition("@")
    if at:
        return f"const {numbers[at]}* const*"
    return f"{'' if kind.endswith('w') else 'const '}{numbers[number]}*"


def build(folder: Path) -> tuple[Path, bool]:
    """Compile the library for this platform into ``folder`` where it is not up to date.

    Whose compiler made it counts only where ``CXX`` names one. Of several builds at a time one
    works and the others wait for it. Returns the file, and whether it is new. Raises
    :class:`BuildError`.
    """
    target = Platform.here()
    levels = levels_asked(target)
    library, compiler = folder / target.library, None
    if os.environ.get("CXX"):
        compiler = find_compiler()
    if _is_built(library, levels, compiler):
        return library, False
    with _alone():
        if _is_built(library, levels, compiler):
            return library, False
        compiler = compiler or find_compiler()
        if compiler is None:
            raise BuildError(
                "No C++ compiler was found: on the path is neither c++, g++ nor clang++, and CXX "
                "names none. Install g++ or clang, or `pip install ziglang`, and try again."
            )
        folder.mkdir(parents=True, exist_ok=True)
        _link(compiler, target, compile_objects(compiler, target, levels), library)
    return library, True


def _is_built(library: Path, levels: Sequence[str], compiler: Compiler | None) -> bool:
    return library.is_file() and _built(levels, compiler).encode() in library.read_bytes()


@contextmanager
def _alone() -> Iterator[None]:
    """Wait until no other build writes into the same folder; there are no locks on Windows."""
    if sys.platform == "win32":
        yield
        return
    import fcntl

    with (_kept("lock") / "held").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)  # until the file is closed
        yield


def compile_objects(compiler: Compiler, target: Platform, levels: Sequence[str]) -> list[Path]:
    """Objects that every processor can run, that of all levels, and then theirs, from the least.

    The order is that of linking: of a function that two objects hold the first's is taken.
    """
    built = _built(levels, compiler)
    defined = [f"-DWITH_{level.upper()}" for level in levels]
    defined += [f"-DSOURCES={source_hash()}", '-DBUILT="' + built.replace("\n", "\\n") + '"']
    units = []
    for path in sorted((KERNELS / "cpu").glob("*.cpp"), key=lambda path: path.stem == "common"):
        if path.name != "level.cpp":
            least = target.levels[0] if path.stem == "common" else ""
            command = (*compiler.compiling(target, least), *defined)
            units.append((f"{path.stem}.o", path.name, command))
    units += [
        (f"level-{n}-{of}.o", "level.cpp", (*compiler.compiling(target, n), f"-DKERNEL_TYPE={of}"))
        for n in levels
        for of in TYPES
    ]
    folder = _kept(f"{target.system}-{target.machine}")
    with ThreadPoolExecutor(TOGETHER) as pool:
        objects = [pool.submit(_object, compiler, folder / to, at, by) for to, at, by in units]
        return [each.result() for each in objects]


def _object(compiler: Compiler, path: Path, source: str, command: tuple[str, ...]) -> Path:
    """Compile an object unless it is there, of the same sources and by the same command."""
    key = hashlib.sha256(repr((command, compiler.version)).encode())
    headers = [*(each for each in sources() if each.suffix == ".hpp"), declarations()]
    for each in (KERNELS / "cpu" / source, *headers):
        key.update(each.read_bytes())
    note, unfinished = path.with_suffix(".key"), path.with_suffix(f".{os.getpid()}")
    if path.is_file() and note.is_file() and note.read_text() == key.hexdigest():
        return path
    note.unlink(missing_ok=True)
    _compile(compiler, (*command, "-c", source, "-o", str(unfinished)))
    os.replace(unfinished, path)
    note.write_text(key.hexdigest())
    return path


def _link(compiler: Compiler, target: Platform, objects: list[Path], library: Path) -> None:
    # In a folder of its own: for Windows zig writes other files beside it.
    folder = _kept("link")
    made, beside = folder / library.name, library.with_name(f"{library.name}.{os.getpid()}")
    math = ["-lm"] if target.system == "linux" else []
    _compile(compiler, (*compiler.linking(target), *map(str, objects), *math, "-o", str(made)))
    shutil.copyfile(made, beside)
    try:
        os.replace(beside, library)  # processes that have the old one loaded keep it
    except OSError as error:
        beside.unlink()
        raise BuildError(f"{library} is in use: end the programs that use it ({error}).") from None


def _compile(compiler: Compiler, command: tuple[str, ...]) -> None:
    variables = os.environ | {"LC_ALL": "C"}
    if compiler.is_zig:  # or it would leave a folder beside the sources
        variables.setdefault("ZIG_LOCAL_CACHE_DIR", str(_kept("zig")))
    if platform.system() == "Darwin":  # what Python was built for, as the wheel's tag says
        oldest = sysconfig.get_config_var("MACOSX_DEPLOYMENT_TARGET") or MACOS
        variables.setdefault("MACOSX_DEPLOYMENT_TARGET", str(oldest))
    # A compiler does not know the folder, so that its output does not depend on it.
    name = f"{shlex.join(compiler.command)} ({compiler.version})"
    _run(command, name, cwd=KERNELS / "cpu", env=variables)


def _run(
    command: tuple[str, ...],
    name: str,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
) -> str:
    """Output of a command; BuildError where it fails."""
    try:
        done = subprocess.run(
            command, cwd=cwd, env=env, capture_output=True, text=True, errors="replace", check=False
        )
    except OSError as error:
        raise BuildError(
            f"The C++ compiler {command[0]!r} cannot be started: {error}. Name another by CXX."
        ) from None
    if done.returncode == 0:
        return done.stdout
    told = (done.stderr or done.stdout).splitlines()
    errors = [line for line in told if "error" in line.lower()] or told
    shown = "\n".join(f"    {line}" for line in [*dict.fromkeys(errors)][:LINES])
    raise BuildError(
        f"The CPU kernels were not compiled. The compiler {name} says:\n{shown}\n"
        "eventsim needs GCC 11, Clang 12 or newer. Name another compiler, as in "
        "`CXX=clang++ pip install .`, or let pip bring one: `CXX=ziglang pip install .`."
    )


def _built(levels: Sequence[str], compiler: Compiler | None) -> str:
    """The lines of ``BUILT``; the first two where no compiler is given."""
    version = "" if compiler is None else f"{compiler.version}\n"
    return f"{source_hash()}\n{' '.join(levels)}\n{version}".replace("\\", "/").replace('"', "'")


def _kept(name: str) -> Path:
    """A folder for what is kept between builds."""
    given = os.environ.get("EVENTSIM_BUILD_FOLDER")
    folder = (Path(given) if given else KERNELS.parents[1] / "build" / "kernels").resolve() / name
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _processor() -> set[str] | None:
    """Flags of the processor in /proc/cpuinfo, None where there is none."""
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    except OSError:
        return None
    flags = [line.partition(":")[2].split() for line in lines if line.startswith("flags")]
    return set(flags[0]) if flags else None


def main() -> str | None:
    """Build in place; what went wrong, if something did."""
    try:
        library, new = build(KERNELS)
    except BuildError as error:
        return str(error)
    sys.stdout.write(f"{library.name}: {'built' if new else 'up to date'}\n")
    return None


if __name__ == "__main__":
    sys.exit(main())
