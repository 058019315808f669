from .concept import Concept as Concept
from .named import builtin_concept as builtin_concept
from .named import concept_of as concept_of
from .packaged import BUILT_IN as BUILT_IN
from .texts import Personas as Personas
from .texts import Statement as Statement
from .texts import Text as Text
from .texts import Texts as Texts
