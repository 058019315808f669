"""Arithmetic on tensors and outcomes: moments, effect sizes, overlap, geometry and paired tests.

This floor knows no model and no file. Import what you need from the module that is named after it, e.g.
`from workbench.measure.effects import effect_sizes`.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
