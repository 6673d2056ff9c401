"""Kernels in C++, compiled ahead of time: ``library`` loads and runs them, ``calls`` lists them.

Their arguments are declared in ``roles``, ``roles_fanin``, ``roles_loop``, ``roles_linear``,
``roles_order``, ``roles_mapping`` and ``roles_poisson``, of which ``eventsim/kernels/build.py``
writes the structs of the other side.
"""
