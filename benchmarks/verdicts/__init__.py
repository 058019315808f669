"""Simulated studies whose truth is known: how often each claim comes out supported or refuted."""
