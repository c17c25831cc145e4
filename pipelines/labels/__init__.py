"""Quantum-chemical labels of enumerated molecules."""
