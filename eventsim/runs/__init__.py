"""One run: which recordings, which network, how it is trained; its folder and what came out.

=================  =================================================================
module             content
=================  =================================================================
``data``           the recordings: a data set, its division, how much of it
``networks``       the network: which builder, and the settings that it takes
``files``          small text files, written whole or not at all
=================  =================================================================
"""
