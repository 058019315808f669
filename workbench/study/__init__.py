"""Arms, doses, traits and outcomes in one folder: run, resumed, compared, and summed up in findings."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
