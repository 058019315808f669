"""What a study measures: each outcome is a value in one file, which asks the model, makes its tables and its claims."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
