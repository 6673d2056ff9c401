"""The fixed-step counterpart of a network, and other published methods to compare with."""
