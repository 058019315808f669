"""Outcomes of a run: what answers show of a trait, how well they are formed, what a model still can do."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
