"""Prints the extra of eventsim that brings CuPy for this machine's driver; nothing without one."""

from eventsim.engine.cuda.probe import driver_version


def extra(driver: int | None) -> str:
    """``cuda12`` or ``cuda13``, empty where there is no driver."""
    if driver is None:
        return ""
    return "cuda12" if driver < 13000 else "cuda13"


if __name__ == "__main__":
    print(extra(driver_version()))
