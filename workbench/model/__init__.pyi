from .lens import top_tokens as top_tokens
from .loading import load_model as load_model
from .loading import wrap_model as wrap_model
from .model import Model as Model
from .presets import PRESETS as PRESETS
from .presets import Preset as Preset
from .presets import preset_of as preset_of
