from .lens import top_tokens as top_tokens
from .likelihood import answer_likelihoods as answer_likelihoods
from .loading import load_model as load_model
from .loading import wrap_model as wrap_model
from .model import Model as Model
