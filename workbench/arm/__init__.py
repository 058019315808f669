"""What a study compares: the edit under test, its rivals, its controls and prompts, each one value in one registry."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
