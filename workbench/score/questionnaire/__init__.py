"""Questionnaires: put by log-probability, keyed, and held against people who answered them."""
