"""The command ``eventsim``: one file for each of its commands, which ``app`` puts together.

From an option to where it acts: a command is a function whose parameters are options. Those that
several commands share are in ``options``; a class of options is put in the place of a parameter by
``fields``, and so are the fields of settings, whose meaning is then the help (``help`` prints it).
What was typed is checked by ``checks``.
So ``--lr`` is ``rates.weights`` of TrainConfig, by ``train_settings``.

What a command reads: ``events`` resolves DATA and EVENTS by ``readers``, as ``reading`` and
``begin`` say; ``measured`` and ``damaged`` tell what was read. ``targets`` and
``regression`` are for values in place of classes, ``answers`` for what both are answered. What it
says goes through ``terminal``; ``gone`` has words of older command lines; ``completion`` is for the
shell.

The commands: ``train``, ``evaluate``, ``predict``, ``simulate``, ``listen``, ``demo``, ``report``,
``cost``, ``map``, ``frontier``, ``experiment`` (with ``experiment_runs``, ``experiment_progress``),
``data`` (``data_import``, ``data_plot``), ``exchange``, ``check``, ``gradcheck``, ``conformance``
and ``schema``.
"""

import gc
import os
import signal
import sys
from collections.abc import Callable
from types import FrameType

__all__ = ["main"]


def main() -> None:
    """Run the command line and leave with its exit code.

    ====  =====================================================
    code  meaning
    ====  =====================================================
    0     done
    1     a check failed, or nobody reads the output any more
    2     bad input: options, files, data, networks
    130   interrupted; what was written can be resumed
    ====  =====================================================
    """
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # not ignored, as by `&`
        signal.signal(signal.SIGINT, leave)
    _open_closed_streams()
    _imported()()


def leave(number: int = signal.SIGINT, frame: FrameType | None = None) -> None:
    """On Ctrl-C outside of commands: leave at once, since nothing is open.

    An exception would be printed with all that is being imported, or lost in its callbacks.
    """
    del number, frame
    if sys.stderr is not None:  # closed by the caller
        os.write(sys.stderr.fileno(), b"Stopped.\n")
    os._exit(130)


def _imported() -> Callable[[], object]:
    """The command line. What is imported lives to the end: no garbage is looked for in it.

    To look there meanwhile, and once more at the end, takes some 30 % of ``--help``
    (bench.macro.start).
    """
    gc.disable()
    from eventsim.cli.app import app

    gc.freeze()
    gc.enable()
    return app


def _open_closed_streams() -> None:
    """Connect standard streams that are closed (``>&-``) to null: no file may get their number."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode))  # noqa: SIM115
