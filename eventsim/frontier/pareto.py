r"""The Pareto front: the points that no other point dominates.

A point with cost :math:`c_i` and value :math:`v_i` is dominated if another point costs no more, has
no smaller value, and differs in one of the two:

.. math:: c_j \le c_i, \quad v_j \ge v_i, \quad (c_j, v_j) \ne (c_i, v_i).

The other points are the front. Points with the same cost and value are all on the front, or none of
them is. A single point is on the front.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from eventsim.errors import ParameterError


def pareto_front(costs: ArrayLike, values: ArrayLike) -> NDArray[np.bool_]:
    """Mask of the points on the Pareto front of low costs and high values.

    Parameters
    ----------
    costs, values
        One finite number per point, [points].

    Returns
    -------
    Booleans, [points]. New array.

    Raises
    ------
    ParameterError
        The arrays differ in shape, are not one-dimensional, or hold a number that is not finite.

    Examples
    --------
    >>> pareto_front([1.0, 2.0, 2.0, 3.0], [0.8, 0.9, 0.7, 0.9]).tolist()
    [True, True, False, False]
    """
    cost, value = np.asarray(costs, dtype=np.float64), np.asarray(values, dtype=np.float64)
    if cost.ndim != 1 or cost.shape != value.shape:
        raise ParameterError(
            "pareto_front",
            f"costs have shape {cost.shape}, values {value.shape}",
            "one of each per point",
        )
    if not (np.isfinite(cost).all() and np.isfinite(value).all()):
        raise ParameterError(
            "pareto_front",
            "a cost or value is not finite",
            remedy="Leave out points that have none.",
        )
    front = np.zeros(cost.size, bool)
    best = -np.inf
    # Cheapest first, and of those of one cost the best first: a point is on the front if it is
    # better than all that are cheaper, or equal to the one that is.
    last: tuple[float, float] | None = None
    for point in np.lexsort((-value, cost)):
        here = (float(cost[point]), float(value[point]))
        if here[1] > best or here == last:
            front[point], best, last = True, here[1], here
    return front
