"""Edits as values, how they are made from effects, and the context in which a model runs edited."""
