"""Pictures of tapes, networks, streams and training: ``es.plot``.

Each function draws on the axes given by ``ax`` and returns them. Without ``ax`` it opens a figure
of pyplot in the style of the reports: a notebook shows it at the end of the cell,
``matplotlib.pyplot.show()`` shows it in a window, and ``ax.figure.savefig("picture.png")`` writes
it to a file. :func:`subplots` opens a figure of several axes in that style. Settings of matplotlib
stay as they are.
"""

from eventsim.plot.comparison import comparison
from eventsim.plot.confusion import confusion
from eventsim.plot.curves import history
from eventsim.plot.diagram import graph
from eventsim.plot.events import stream
from eventsim.plot.gain import fi_curve
from eventsim.plot.parameters import taus
from eventsim.plot.spikes import raster
from eventsim.plot.style import subplots
from eventsim.plot.traces import voltages

__all__ = [
    "comparison", "confusion", "fi_curve", "graph", "history", "raster", "stream", "subplots",
    "taus", "voltages",
]  # fmt: skip
