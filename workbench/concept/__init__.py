"""A concept: a trait as data. Its poles, personas, questions and statements, from a file that anybody can write."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
