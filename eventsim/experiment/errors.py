"""What goes wrong with recipes and their runs."""

from eventsim.errors import EventSimError


class RecipeError(EventSimError, ValueError):
    """A recipe or task is unknown or malformed: the text names file and key."""
