"""Universes made here: particles under gravity, from linear theory to counts in a box."""
