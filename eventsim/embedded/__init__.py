"""A network as C99 for small processors, with the spikes of backend cpu to the bit."""

from eventsim.embedded.export import CExport, export_c

__all__ = ["export_c", "CExport"]
