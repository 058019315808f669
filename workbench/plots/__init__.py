"""Figures: frames in, plotly figures out. Nothing here computes what a reader might cite."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
