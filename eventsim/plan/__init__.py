"""From a network's graph to stages in run order."""

from eventsim.plan.plan import BLOCK, Plan, Stage, make_plan
from eventsim.plan.wiring import Wiring

__all__ = ["BLOCK", "Plan", "Stage", "Wiring", "make_plan"]
