"""Outcomes of a run: what answers show of a trait, how well they are formed, what a model still can do."""
