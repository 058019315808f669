from .citing import Citation as Citation
from .citing import cite as cite
from .files import write_figures as write_figures
from .files import write_tables as write_tables
from .study_page import write_study_report as write_study_report
