"""The support matrix: what each capability does with each feature, and with which together.

The matrix is data, ``matrix.toml``, whose head explains its keys. Its columns are features of a
network, a data set, a run or a backend, by axis; its rows are capabilities. A cell says one of
three things:

===========  =====================================================================================
``runs``     The capability takes the feature. Whatever no rule names runs.
``bound``    It runs, and its number leaves something out, which the rule names.
``refuses``  It raises the error of the rule, which says why, and what to do instead.
===========  =====================================================================================

A rule names the features that occur together in the cell: one, a pair or three.

:func:`require` is the one door: a capability calls it before it begins. :func:`can` answers the
same from outside, ``eventsim check NETWORK`` prints it, and the reference shows the whole table.
``tests/matrix`` makes every cell and runs it.
"""

from eventsim.matrix.door import Cell, Featured, Support, can, require
from eventsim.matrix.table import Capability, Matrix, Rule, matrix

__all__ = [
    "Capability", "Cell", "Featured", "Matrix", "Rule", "Support", "can", "matrix", "require",
]  # fmt: skip
