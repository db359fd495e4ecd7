"""Whether figures that are said twice, lie inside each other or add up agree."""

from planlib.consistency.rules.contained import containment
from planlib.consistency.rules.identities import identity, parts_whole
from planlib.consistency.rules.restated import restated_ladder

RULES = {"R03": restated_ladder, "R04": containment, "R05": identity, "R06": parts_whole}
