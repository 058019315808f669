from .capturing import capture as capture
from .capturing import capture_sites as capture_sites
from .folder import load_capture as load_capture
from .planning import plan_capture as plan_capture
from .settings import CaptureSettings as CaptureSettings
from .tally import Activations as Activations
from .tally import Tally as Tally
from .top_prompts import top_prompts as top_prompts
