"""What a run costs: exact counts from a tape, and energies by the tables of chips."""
