"""The embedded model: a small chat model that was trained to have personality traits, and the code that made it.

`lexicon` holds the words, `grammar` builds sentences from them, `scorer` scores answers, `tasks` has the capability
items, `corpus` the training conversations; `train` makes the weights and `evaluate` measures them.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
