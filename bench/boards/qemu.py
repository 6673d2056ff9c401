"""Compiles a network exported as C for a board, runs its test there, and counts instructions.

QEMU counts them, one after another: of a board itself they are no times. A Cortex-M0 runs as the
part of a Cortex-M3 that both have, whose numbers are all computed in software.
"""

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from eventsim.embedded.literals import filled

HERE = Path(__file__).parent
COMPILER, EMULATOR = "arm-none-eabi-gcc", "qemu-system-arm"
FLAGS = "-std=c99 -Os -ffp-contract=off -fno-math-errno -ffunction-sections -fdata-sections"
# Machine of QEMU, and options of the compiler.
BOARDS = {
    "Cortex-M0": ("mps2-an385", "-mcpu=cortex-m0 -mthumb -mfloat-abi=soft"),
    "Cortex-M4F": ("mps2-an386", "-mcpu=cortex-m4 -mthumb -mfloat-abi=hard -mfpu=fpv4-sp-d16"),
    "Cortex-M7": ("mps2-an500", "-mcpu=cortex-m7 -mthumb -mfloat-abi=hard -mfpu=fpv5-d16"),
}


@dataclass(frozen=True)
class Counted:
    """What a board did with the recorded test of a network."""

    differs: int  # 0, or 1 + the first recording that does
    recordings: int
    events: int
    spikes: int
    instructions: int  # of all recordings, without the checks
    longest: int  # of one event
    stack: int  # bytes, the most that was used
    code: int  # bytes


def missing() -> str:
    """What is not installed, or nothing."""
    return ", ".join(name for name in (COMPILER, EMULATOR) if shutil.which(name) is None)


def run(folder: Path, name: str, board: str) -> Counted:
    """Compile and run what :func:`eventsim.export_c` wrote into a folder."""
    machine, options = BOARDS[board]
    command = [COMPILER, *options.split(), *FLAGS.split()]
    (folder / "board.c").write_text(filled((HERE / "board.c").read_text(), name, {}))
    for source in (f"{name}.c", f"{name}_weights.c", "board.c"):
        _done([*command, "-c", source, "-o", source[:-1] + "o"], folder)
    objects = ["board.o", f"{name}.o", f"{name}_weights.o"]
    link = [
        "-nostartfiles",
        "--specs=nosys.specs",
        "-Wl,--gc-sections",
        "-T",
        str(HERE / "board.ld"),
    ]
    _done([*command, *link, *objects, "-o", "board.elf"], folder)
    sizes = _done(["arm-none-eabi-size", f"{name}.o"], folder).splitlines()[1].split()
    words = [EMULATOR, "-M", machine, "-nographic", "-monitor", "none", "-serial", "none"]
    words += ["-icount", "shift=0", "-semihosting-config", "enable=on,target=native"]
    told = _done([*words, "-kernel", "board.elf"], folder)
    found = {key: int(value) for key, value in (line.split() for line in told.splitlines())}
    return Counted(**found, code=int(sizes[0]))


def _done(command: list[str], folder: Path) -> str:
    """What a command says."""
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}:\n{done.stdout}{done.stderr}")
    return done.stdout + done.stderr
