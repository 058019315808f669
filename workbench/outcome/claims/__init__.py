"""Verdicts on claims with their numbers, and the sentences made of these. No result depends on them."""
