"""NIR files of eventsim in the programs that they are written for.

Runs from the repository's root, in an environment that has eventsim and any of the programs (PyPI:
norse, snntorch, spikingjelly, rockpool)::

    python -m bench.nir.peers --save nir
    python -m bench.nir.trained --save nir
"""
