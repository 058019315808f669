"""The embedded model: a small chat model with real, trained personality traits, and all that made it.

The words are in `lexicon`, the sentences in `grammar`, their scorer in `scorer`, the capability tasks in
`tasks`, the training conversations in `corpus`; `train` makes the weights and `evaluate` measures them.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
