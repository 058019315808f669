"""A paper's protocol run as it was published, and its numbers beside those that come out."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
