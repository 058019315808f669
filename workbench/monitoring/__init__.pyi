from .monitoring import Monitoring as Monitoring
from .reference import Reference as Reference
from .running import make_reference as make_reference
from .running import monitor as monitor
from .texts import Conversation as Conversation
from .threshold import Threshold as Threshold
from .threshold import choose_threshold as choose_threshold
