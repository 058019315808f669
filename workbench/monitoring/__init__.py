"""The trait along a text: what an edit's direction and its neurons do token by token, beside their nulls."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
