"""Activations at chosen sites of every prompt, reduced to moments by pole or kept."""
