"""The one door, which says what a capability does with a network, a run or a data set."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

from eventsim.checks import known
from eventsim.errors import ParameterError
from eventsim.matrix.table import Capability, Says, matrix


class Featured(Protocol):
    """Something with features: a network, a data set, a run."""

    def features(self, names: Collection[str] | None = None) -> Mapping[str, str]:
        """Features, those among ``names`` or all, each with the phrase that says where."""


Asked = Featured | Mapping[str, str] | str


@dataclass(frozen=True)
class Cell:
    """Support of a capability for some features: runs, bound or refuses, and why."""

    capability: Capability
    says: Says
    why: str = ""
    do: str = ""

    def __bool__(self) -> bool:
        return self.says != "refuses"

    def __str__(self) -> str:
        return ". ".join(filter(None, [": ".join(filter(None, [self.says, self.why])), self.do]))


class Support(Mapping[str, Cell]):
    """Cells of all capabilities, by name: what :func:`can` gives."""

    def __init__(self, cells: Mapping[str, Cell]) -> None:
        self._cells = dict(cells)

    def __getitem__(self, name: str) -> Cell:
        return self._cells[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._cells)

    def __len__(self) -> int:
        return len(self._cells)

    def __repr__(self) -> str:
        width = max(map(len, self._cells), default=0)
        return "\n".join(f"{name:<{width}}  {cell}" for name, cell in self._cells.items())


def require(capability: str, *asked: Asked, where: str | None = None) -> None:
    """Raise the error of the matrix if a capability does not take what is asked of it.

    Parameters
    ----------
    capability
        Row of the matrix.
    asked
        What has features, features with their phrases, or a feature by its name.
    where
        Begin of the message; the name of the capability's call unless given.

    Raises
    ------
    EventSimError
        Of the class that the rule names.
    """
    row = matrix().capabilities[capability]
    features = _features(asked, row.features)
    rule = row.rule(features)
    if rule is not None and rule.says == "refuses":
        place = row.call.rpartition(".")[2] if where is None else where
        raise rule.error(place, rule.said(features), rule.expected, rule.do)


def can(*asked: Asked, backend: str = "cpu") -> Support:
    """Support of every capability for a network, a run or a data set.

    Parameters
    ----------
    asked
        A network, a run, a data set, or features of the matrix by name, such as ``"single"``.
    backend
        ``reference``, ``cpu`` or ``cuda``.

    Training is in exact event time, unless a method is named.

    Returns
    -------
    Support
        One :class:`Cell` a capability, by name. A cell is false where the capability refuses.

    Examples
    --------
    >>> import eventsim as es
    >>> net = es.scsr(4, (8,), 2, alif=(0.3, 50.0))
    >>> bool(es.can(net)["simulate"]), bool(es.can(net)["fixed_step"])
    (True, False)
    >>> print(es.can(net)["fixed_step"].why)
    population 'hidden1' has an adaptive threshold, which the grid does not have
    """
    features = _features((*asked, backend))
    if matrix().axes["method"].keys().isdisjoint(features):
        features |= _features(("exact",))
    return Support({name: _cell(row, features) for name, row in matrix().capabilities.items()})


def _cell(row: Capability, given: Mapping[str, str]) -> Cell:
    features = {**{name: matrix().titles[name] for name in row.asks}, **given}
    rule = row.rule(features)
    if rule is None:
        return Cell(row, "runs")
    return Cell(row, rule.says, rule.said(features), rule.do)


def _features(asked: tuple[Asked, ...], names: Collection[str] | None = None) -> dict[str, str]:
    given: dict[str, str] = {}
    for one in asked:
        if isinstance(one, str):
            known("can", "feature", one, matrix().titles, error=ParameterError)
            given[one] = matrix().titles[one]
        else:
            given |= one if isinstance(one, Mapping) else one.features(names)
    return matrix().with_implied(given)
