"""The report of a training run: pictures and one HTML page that shows them."""

from eventsim.report.record import Checked, RunRecord
from eventsim.report.write import write_report

__all__ = ["Checked", "RunRecord", "write_report"]
