"""The ledger: every number that a fixed set of commands shows, to compare two commits by.

``python -m tests.support.ledger write FILE`` runs the rows of ``rows.toml`` on the data of
``data.py``; ``compare OLD NEW`` says, number by number, what differs, is gone, or is new. The
product is run by its command line and by ``scripts.py`` alone, in a Python that may be another's:
nothing of it is imported here.
"""
