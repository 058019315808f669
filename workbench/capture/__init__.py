"""Activations at chosen sites of every prompt, reduced to moments by pole or kept."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
