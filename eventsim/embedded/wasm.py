"""Compiles the C text once for all networks, as WebAssembly: ``web/engine.wasm``.

``python eventsim/embedded/wasm.py`` compiles in place; setup.py calls :func:`build` for wheels,
for the sdist, and for ``pip install -e .``. The compiler is the package ziglang, or clang with
wasm-ld. Where it is missing, pip brings ziglang for a wheel or an sdist, unless the engine is in
place already, as in an sdist: it is the same file on every platform. ``EVENTSIM_BUILD_WEB`` is 0 to
compile none, 1 to make what is built without it an error. Only the standard library is
imported: while eventsim is being installed it cannot be imported.

The text is that of ``c``, with pointers in place of arrays, in the frame of ``web/engine.c``. Its
hash is the custom section ``sources`` of the file.
"""

import hashlib
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
IMAGE = 0x20000  # where a network's tables begin
# What the network's tables begin with: macros of source.py by their types, then pointers.
HEAD = {
    "double": ("TAIL",),
    "uint32_t": (
        *("CHANNELS", "POPULATIONS", "STAGES", "ROUTES", "NEURONS", "ROOM", "SPIKES", "CLASSES"),
        *("OUTPUTS", "OUTPUT", "OUTPUT_STAGE", "RULE", "ONSET_FIRST", "STATES"),
    ),
    "float": ("GAIN", "TIME_CONSTANT", "FADE"),
}
# Parts of the text that one network may do without.
PARTS = (
    *("STRETCHES", "EVENTS", "REFRACTORY", "ADAPTIVE", "OWN_DELAYS", "CODES", "DECISION"),
    *("RULE_READOUT", "RULE_MAXIMUM", "RULE_SPIKES", "SOFT_FMA"),
    *("LINEAR", "LINEAR_EVENTS", "LINEAR_STRETCHES", "DUES", "COUNTS"),
)
FLAGS = (
    *("-std=c11", "-O2", "-ffreestanding", "-ffp-contract=off", "-fvisibility=hidden"),
    *("-mbulk-memory", "-nostdlib", "-Wl,--no-entry", "-Wl,--strip-all", "-Wl,-z,stack-size=32768"),
)
SECTION = b"sources"
NAME, ASKED = "engine.wasm", "EVENTSIM_BUILD_WEB"


class NotBuilt(Exception):
    """Nothing compiles for WebAssembly, or it failed; the text says what to do."""


def read(name: str) -> str:
    """A file of ``c``, or of ``web``."""
    folder = "web" if name in ("engine.c", "cochlea.c") else "c"
    return (HERE / folder / name).read_text("utf-8")


def included() -> dict[str, str]:
    """The files that the text of ``c/net.c`` takes in, by their names there."""
    names = re.findall(r"^@(\w+)@$", read("net.c"), flags=re.MULTILINE)
    return {name: read(f"{name}.c") for name in names}


def pointers() -> dict[str, str]:
    """Arrays of ``c/tables.h`` and the types of their items."""
    found = re.findall(r"extern const (\w+) (net_\w+)\[", read("tables.h"))
    return {name: kind for kind, name in found}


def fields(struct: str) -> list[tuple[str, str, str]]:
    """Type, name and size of every field of a struct of ``c``; a pointer's type ends with ``*``."""
    text = read("net.h") + read("tables.h")
    found = re.search(rf"typedef struct {{([^}}]*)}} {struct};", text)
    assert found is not None
    body = re.sub(r"/\*.*?\*/|#.*", "", found[1])
    declared = re.findall(r"(?:const )?(\w+) ([^;]+);", body)
    return [
        (kind + ("*" if name.startswith("*") else ""), *_sized(name))
        for kind, names in declared
        for name in re.split(r",\s*", names)
    ]


def _sized(name: str) -> tuple[str, str]:
    name, _, size = name.lstrip("*").rstrip("]").partition("[")
    return name, size


def source_text() -> str:
    """The whole text of the engine."""
    sizes = [name for names in HEAD.values() for name in names]
    config = [f"#define NET_{part} 1" for part in PARTS]
    config += [f"#define NET_{name} (HEAD->{name})" for name in sizes]
    config += ["#define NET_ROW_TYPE uint32_t", f"#define IMAGE {IMAGE:#x}U"]
    head = [f"    {kind} {', '.join(names)};" for kind, names in HEAD.items()]
    head += [f"    const {kind} *{name};" for name, kind in pointers().items()]
    parts = {
        "net.h": re.sub(r"(\w+)\[NET_\w+\]", r"*\1", read("net.h")),
        "tables.h": re.sub(r"^extern .*$", "", read("tables.h"), flags=re.MULTILINE),
        "net.c": read("net.c"),
        "head": "\n".join(head),
        "macros": "\n".join(f"#define {name} (HEAD->{name})" for name in pointers()),
        "layout": "\n".join(_laid_out()),
        "config": "\n".join(config),
        **included(),
        "cochlea": read("cochlea.c"),
        "name": "engine",
        "version": "",
    }
    text = read("engine.c")
    for key, value in parts.items():
        text = text.replace(f"@{key}@", value)
    return re.sub(r'#include (".*"|<string.h>)\n', "", text)


def _laid_out() -> list[str]:
    """Lines that give every array of a network its place."""
    return [
        f"    net->{name} = ({kind} *)at;\n"
        f"    at += (uint32_t)({size} * sizeof({kind}) + 7U) & ~7U;"
        for kind, name, size in fields("net_t")
        if size
    ]


def source_hash() -> str:
    """Hash of the source text and of the compiler's flags: 16 hexadecimal digits."""
    return hashlib.sha256(f"{FLAGS}{source_text()}".encode()).hexdigest()[:16]


def built_from(engine: bytes) -> str:
    """The hash that an engine was built from, as its last section says."""
    return engine[-16:].decode("ascii", "replace")


def find_compiler() -> tuple[str, ...] | None:
    """The command, in front of its flags."""
    if importlib.util.find_spec("ziglang"):
        return (sys.executable, "-m", "ziglang", "cc", "-target", "wasm32-freestanding")
    clang = shutil.which("clang")
    if clang and shutil.which("wasm-ld"):
        return (clang, "--target=wasm32-unknown-unknown")
    return None


def is_required() -> bool:
    """Whether ``EVENTSIM_BUILD_WEB`` says that what is built must have the engine."""
    return os.environ.get(ASKED, "0") not in ("", "0")


def requirements() -> list[str]:
    """Packages that a build needs for the engine: ziglang where nothing else makes it."""
    if os.environ.get(ASKED) == "0" or is_built(HERE / "web") or find_compiler():
        return []
    there = sys.platform in ("linux", "darwin", "win32")  # for others it has no wheel
    return ["ziglang>=0.13"] if there or is_required() else []


def is_built(folder: Path) -> bool:
    """Whether the engine in a folder is of these sources."""
    engine = folder / NAME
    return engine.is_file() and built_from(engine.read_bytes()) == source_hash()


def build(folder: Path) -> tuple[Path, bool]:
    """Compile the engine into a folder where it is not up to date.

    Returns the file, and whether it is new. Raises :class:`NotBuilt`.
    """
    to, wanted = folder / NAME, source_hash()
    if os.environ.get(ASKED) == "0":
        raise NotBuilt(f"{ASKED} is 0.")
    if is_built(folder):
        return to, False
    command = find_compiler()
    if command is None:
        raise NotBuilt(
            "Nothing here compiles for WebAssembly: Python has no package ziglang, and on the path "
            "are not both clang and wasm-ld. `pip install ziglang` brings it."
        )
    with tempfile.TemporaryDirectory() as kept:
        source, made = Path(kept, "engine.c"), Path(kept, "engine.wasm")
        source.write_text(source_text(), "utf-8")
        variables = os.environ | {"LC_ALL": "C"}
        variables.setdefault("ZIG_LOCAL_CACHE_DIR", str(Path(kept, "zig")))
        done = subprocess.run(
            (*command, *FLAGS, str(source), "-o", str(made)),
            capture_output=True, text=True, errors="replace", check=False, env=variables,
        )  # fmt: skip
        if done.returncode != 0:
            said = "\n".join(done.stderr.splitlines()[-12:])
            raise NotBuilt(f"The engine of pages was not compiled by {' '.join(command)}:\n{said}")
        content = made.read_bytes()
    named = bytes([len(SECTION)]) + SECTION + wanted.encode()
    folder.mkdir(parents=True, exist_ok=True)
    beside = to.with_suffix(f".{os.getpid()}")
    beside.write_bytes(content + bytes([0, len(named)]) + named)
    os.replace(beside, to)
    return to, True


def main() -> str | None:
    """Build in place; what went wrong, if something did."""
    try:
        engine, new = build(HERE / "web")
    except NotBuilt as error:
        return str(error)
    sys.stdout.write(f"{engine.name}: {'built' if new else 'up to date'}\n")
    return None


if __name__ == "__main__":
    sys.exit(main())
