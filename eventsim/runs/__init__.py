"""One run: which recordings, which network, how it is trained; its folder and what came out.

=================  =================================================================
module             content
=================  =================================================================
``recordings``     which recordings: the settings, and what must hold of them
``data``           these recordings, read and divided
``division``       what recordings say of their division
``voices``         voices of a synthesiser, learned beside recordings
``networks``       the network: which builder, and the settings that it takes
``settings``       all that decides a run, as its folder tells it
``run``            a run read from its folder
``execution``      a run executed: trained, tested, measured
=================  =================================================================
"""
