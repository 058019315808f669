from . import grammar as grammar
from . import tasks as tasks
from .scorer import trait_score as trait_score
from .scorer import wellformed as wellformed
