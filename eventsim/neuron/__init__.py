"""The neuron's mathematics as plain scalar functions."""
