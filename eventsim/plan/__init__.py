"""From a network's graph to stages in run order."""

from eventsim.plan.plan import Plan, Stage, make_plan
from eventsim.plan.wiring import Wiring

__all__ = ["Plan", "Stage", "Wiring", "make_plan"]
