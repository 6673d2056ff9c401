"""A network as C99 for small processors, with the spikes of backend cpu to the bit."""

from eventsim.embedded.export import CExport, Footprint, export_c, footprint

__all__ = ["export_c", "CExport", "footprint", "Footprint"]
