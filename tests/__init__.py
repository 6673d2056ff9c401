"""Tests of eventsim; ``tests.support`` holds what they share."""
