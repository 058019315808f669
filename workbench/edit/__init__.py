"""Edits as values, how they are made from effects, and the context in which a model runs edited."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
