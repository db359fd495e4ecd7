"""Whether people, services and tests can carry what the plan asks of them."""

from planlib.consistency.rules.load import capacity
from planlib.consistency.rules.samples import sample_load
from planlib.consistency.rules.service import service_level

RULES = {"R07": capacity, "R18": service_level, "R21": sample_load}
