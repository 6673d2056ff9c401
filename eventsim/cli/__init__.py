"""The command ``eventsim``."""

import os
import sys

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
    _open_closed_streams()
    from eventsim.cli.app import app

    app()


def _open_closed_streams() -> None:
    """What the caller has closed (``>&-``) leads nowhere: its number may not go to another file."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode))  # noqa: SIM115
