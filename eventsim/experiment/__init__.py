"""Recipes: networks, methods, data and seeds to be compared, run by one command."""
