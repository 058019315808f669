"""Rules that choose neurons from effect sizes, and matched controls for what they chose."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
