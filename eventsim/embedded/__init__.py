"""A network as C99 for small processors, with the spikes of backend cpu to the bit."""

from eventsim.embedded.export import CExport, CFootprint, export_c, footprint

__all__ = ["export_c", "CExport", "footprint", "CFootprint"]
