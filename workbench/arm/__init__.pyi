from .context import ArmContext as ArmContext
from .registry import ARMS as ARMS
from .registry import arm_named as arm_named
from .spec import ArmSpec as ArmSpec
