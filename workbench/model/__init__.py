"""A hooked model with its tokenizer: loading, sites and their widths, rendering of prompts, generation."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
