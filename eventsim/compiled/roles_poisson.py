"""Arguments of the kernel of Poisson sources; see :mod:`eventsim.compiled.roles`."""

from typing import NamedTuple

from eventsim.compiled.roles import DoublesOut, Ints, IntsOut, Rows, RowsOut, TasksRole


class PoissonCellsRole(NamedTuple):
    """Sources that fire, by the length of their cells, and how many events a cell has.

    See :mod:`eventsim.events.poisson_sources`. Sources of one length are a group.
    """

    number: Rows  # [n], which also says the order of events at one time
    row: Rows  # [n], of the limits
    limits: Rows  # [rows, n_limits], words of 32 bits: one event more for each that is below a word
    group: Ints  # [n_groups + 1]: where each begins
    digits: Ints  # [n_groups]: log2 of the ticks of a cell
    n_groups: int
    n_limits: int
    key: int  # of the generator, its two words
    other_key: int
    bits: int  # of a number


class PoissonSpansRole(NamedTuple):
    """Spans of time of samples, in ticks, one a task; ``span << bits`` fits into 64 bits."""

    sample: Ints  # [tasks], as the others
    low: Ints
    high: Ints
    expected: Ints  # mean number of events
    start: Ints  # of a task's room
    room: Ints  # how many events fit there; nothing is written of a task with more
    tick: float  # ms
    time: DoublesOut  # [events], ms, as the next
    source: RowsOut
    found: IntsOut  # [tasks]: how many events there are


class DrawEvents(NamedTuple):
    """Events of Poisson sources in order of (time, number); tasks are spans."""

    tasks: TasksRole
    cells: PoissonCellsRole
    spans: PoissonSpansRole
