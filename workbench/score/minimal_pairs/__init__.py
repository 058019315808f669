"""Minimal pairs: which of two sentences, one right and one wrong, a model finds likelier; a bank and readers."""
