"""``python -m eventsim.cli``, as the command ``eventsim``."""

from eventsim.cli import main

main()
