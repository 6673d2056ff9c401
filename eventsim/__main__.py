"""``python -m eventsim``, as the command ``eventsim``."""

from eventsim.cli import main

main()
