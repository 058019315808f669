from .contrast import Contrast as Contrast
from .embedding import SentenceEmbedder as SentenceEmbedder
from .prompt import Prompt as Prompt
