"""What a plan leaves open: how a change is read, what a word counts, which values and classes are missing."""

from planlib.consistency.rules.classes import schemes
from planlib.consistency.rules.completeness import completeness
from planlib.consistency.rules.meaning import meaning
from planlib.consistency.rules.readings import readings

RULES = {"R16": readings, "R17": completeness, "R20": schemes, "R22": meaning}
