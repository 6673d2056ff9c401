"""Time limit and progress of a search.

The parts of a search report their progress, and ask whether time is up. The first assignment is
always finished, so that there is a result; later parts end at the time limit, with the best so
far.
"""

import time
from collections.abc import Callable
from copy import copy

from eventsim.checks import in_domain
from eventsim.entries import Above0
from eventsim.errors import MappingError

Told = Callable[[str, float], None]


class TimeIsUp(Exception):
    """A start was left unfinished, since there is an answer already."""


class Effort:
    """Time for a search, and whom to tell.

    After this number of seconds it ends with the best so far; None: no limit. ``told`` is called
    with the present step and the fraction of all steps that are done, 0 to 1.
    """

    def __init__(self, seconds: float | None = None, told: Told | None = None):
        if seconds is not None:
            in_domain("Effort", "seconds", seconds, Above0, error=MappingError)
        self._end = None if seconds is None else time.monotonic() + seconds
        self._told = told
        self._must_finish = True
        self._step, self._steps, self._doing, self._behind = 0, 1, "", 0.0

    def left(self) -> float:
        """Seconds that are left; inf without a limit."""
        return float("inf") if self._end is None else self._end - time.monotonic()

    def part(self, share: float) -> "Effort":
        """The same, over after this share of the time that is left."""
        part = copy(self)
        if self._end is not None:
            part._end = time.monotonic() + share * self.left()
        return part

    @property
    def has_one(self) -> bool:
        """Whether there is an assignment already."""
        return not self._must_finish

    def is_over(self) -> bool:
        """Whether to end now with the best so far; never before there is one."""
        return self.has_one and self.left() <= 0.0

    def has_answer(self) -> None:
        """From now on the search may end."""
        self._must_finish = False

    def begin(self, step: int, steps: int, doing: str) -> None:
        """Tell that step ``step`` of ``steps`` begins."""
        self._step, self._steps, self._doing = step, steps, doing
        self.tell(0.0)

    def tell(self, share: float) -> None:
        """Tell that this share of the present step is done, or more if more was said before."""
        self._behind = max(self._behind, (self._step + share) / self._steps)
        if self._told is not None:
            self._told(self._doing, self._behind)
