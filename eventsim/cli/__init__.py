"""The command ``eventsim``."""

__all__ = ["main"]


def main() -> None:
    """Run the command line and leave with its exit code.

    ====  =====================================================
    code  meaning
    ====  =====================================================
    0     done
    1     a check failed
    2     bad input: options, files, data, networks
    130   interrupted; what was written can be resumed
    ====  =====================================================
    """
    from eventsim.cli.app import app

    app()
