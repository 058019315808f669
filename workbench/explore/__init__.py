"""Neurons looked at and moved by hand: one core, shown on a local page and on a panel in a notebook."""
