"""A study's results for readers: a self-contained page, figures and tables for a paper, a terminal summary."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
