"""Looking at neurons and moving them by hand: one core, and two faces for it, a page and a notebook panel."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
