from .comparing.changes import Measured as Measured
from .comparing.doses import dose as dose
from .comparing.doses import tradeoff as tradeoff
from .config import StudyConfig as StudyConfig
from .plan import Plan as Plan
from .running import run_study as run_study
from .study import Study as Study
from .study import load_study as load_study
