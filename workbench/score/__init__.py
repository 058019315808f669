"""Ask a model, edited or not, and score what it answers: open questions, items with one right answer, questionnaires,
and tasks of lm-evaluation-harness.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
