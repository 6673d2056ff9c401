"""One run: its recordings, network, training, folder and results.

=================  =================================================================
module             content
=================  =================================================================
``recordings``     which recordings: the settings, and their conditions
``data``           these recordings, read and divided
``division``       what recordings say of their division
``networks``       the network: which builder, and the settings that it takes
``settings``       all settings of a run, as its folder keeps them
``run``            a run read from its folder
``execution``      a run executed: trained, tested, measured
=================  =================================================================
"""
