from .controls import match_quality as match_quality
from .controls import matched_neurons as matched_neurons
from .null import permutation_null as permutation_null
from .rules import select_neurons as select_neurons
from .selection import Selection as Selection
from .stability import agreement as agreement
from .stability import sensitivity as sensitivity
from .stability import stability as stability
