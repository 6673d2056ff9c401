"""Fields of settings with their meaning beside them, as commands and the reference show it."""

import dataclasses
import inspect
import re
from typing import Any, TypeVar

Kind = TypeVar("Kind")
_ROLE = re.compile(r":\w+:`~?(?:[\w.]*\.)?([\w()]+)`")


def setting(default: Any, about: str) -> Any:
    """The default of a field, and its meaning. A class as default is called for every instance.

    The class of the field needs the decorator :func:`described`.
    """
    metadata = {"about": about}
    if isinstance(default, type):
        return dataclasses.field(default_factory=default, metadata=metadata)
    return dataclasses.field(default=default, metadata=metadata)


def described(kind: type[Kind]) -> type[Kind]:
    """Decorator below ``dataclass``: the docstring of the class lists the meaning of its fields."""
    of_base: dict[str, Any] = getattr(kind, "__dataclass_fields__", {})
    own = {n: f for n, f in vars(kind).items() if isinstance(f, dataclasses.Field)}
    found = of_base | own
    entries = [f"{n}\n    {f.metadata['about']}\n" for n, f in found.items() if f.metadata]
    doc, mark, raised = inspect.cleandoc(kind.__doc__ or "").partition("\n\nRaises\n------\n")
    kind.__doc__ = f"{doc}\n\nAttributes\n----------\n{''.join(entries)}" + mark[1:] + raised
    return kind


def meanings(kind: Any) -> dict[str, str]:
    """Meaning of the fields of a described class, without marks of reStructuredText."""
    told = {one.name: one.metadata.get("about", "") for one in dataclasses.fields(kind)}
    return {name: _ROLE.sub(r"\1", text).replace("``", "") for name, text in told.items()}
