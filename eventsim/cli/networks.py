"""The network of a run by the options of the command line."""

from eventsim.errors import ParameterError
from eventsim.experiment.networks import NetworkSettings

__all__ = ["NetworkSettings", "option_name", "read_delays"]


def read_delays(option: str, text: str | None) -> tuple[float, float] | None:
    """``"1.5"`` or ``"1:3"`` as (low, high) in ms; ParameterError if it is neither."""
    if text is None:
        return None
    low, _, high = text.partition(":")
    try:
        return float(low), float(high or low)
    except ValueError:
        raise ParameterError(
            f"{option} {text}: expected one number such as 1.5, or two such as 1:3 (ms)."
        ) from None


def option_name(name: str) -> str:
    """A setting as it is typed."""
    return "--" + name.replace("_", "-")
