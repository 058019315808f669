from .explorer import Explorer as Explorer
from .panel import trait_panel as trait_panel
