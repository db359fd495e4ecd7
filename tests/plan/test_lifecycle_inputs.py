"""Stage vocabularies of the shipped plans, and translations that a reader adds."""

from pathlib import Path

import numpy as np
import pytest

from planlib.core.errors import InputError
from planlib.funnel.lifecycle import StagePath, crosswalk
from planlib.plan import load_plan
from planlib.plan.lifecycle_inputs import mappings, vocabularies

PARAMS = Path(__file__).parents[2] / "params"
W, P = (PARAMS / f"{name}.yaml" for name in ("wechat_platform", "private_domain_2026"))
FIVE = "users.schemes.p-five-stage-lifecycle"
FOUR = "users.schemes.p-four-phase-model"
SOP = "users.schemes.w-sop-links"


def _plans(*changes):
    p = load_plan(P, sets=tuple(change for change in changes if change.startswith("users.schemes.p-")))
    w = load_plan(W, sets=tuple(change for change in changes if change.startswith("users.schemes.w-")))
    return w, p


def test_the_shipped_plans_have_four_vocabularies_and_no_translation():
    found = vocabularies(_plans())
    assert {name: len(stages) for name, stages in found.items()} == {
        "w-sop-links": 4, "w-aarrr-stages": 5, "p-five-stage-lifecycle": 5, "p-four-phase-model": 4}
    assert found["w-aarrr-stages"][-1] == "Referral"
    assert mappings(_plans()) == {}


def test_every_vocabulary_translates_to_aarrr_without_losing_anybody():
    plans = _plans(
        f"{FIVE}.crosswalk=w-aarrr-stages", f"{FIVE}.maps_to=[1, 2, 4, 3, 5]",
        f"{FOUR}.crosswalk=w-aarrr-stages", f"{FOUR}.maps_to=[2, 4, 3, 5]",
        f"{SOP}.crosswalk=w-aarrr-stages", f"{SOP}.maps_to=[1, 2, 3, 4]",
    )  # fmt: skip
    names, found = vocabularies(plans), mappings(plans)
    assert found["p-five-stage-lifecycle", "w-aarrr-stages"]["Purchase"] == "Revenue"
    assert len(found) == 3
    for (source, target), mapping in found.items():
        walk = crosswalk(names[source], names[target], mapping)
        everywhere = np.arange(len(names[source]))[None]
        path = walk.translate(StagePath(names[source], everywhere, everywhere))
        assert path.current.shape == everywhere.shape
        assert path.counts().sum() == everywhere.size


@pytest.mark.parametrize(
    "changes, code, field",
    [
        ([f"{FIVE}.maps_to=[1, 2, 4, 3, 5]"], "maps_to", f"{FIVE}.maps_to"),
        ([f"{FIVE}.crosswalk=w-aarrr-stages", f"{FIVE}.maps_to=[1, 2]"], "maps_to", f"{FIVE}.maps_to"),
        ([f"{FIVE}.crosswalk=nowhere", f"{FIVE}.maps_to=[1, 2, 4, 3, 5]"], "unknown_ref", f"{FIVE}.crosswalk"),
        ([f"{FIVE}.crosswalk=w-aarrr-stages", f"{FIVE}.maps_to=[1, 2, 4, 3, 6]"], "out_of_range", f"{FIVE}.maps_to"),
        ([f"{FIVE}.crosswalk=w-aarrr-stages", f"{FIVE}.maps_to=[1, 2, 4, 3, 5, 5]", f"{FIVE}.classes=6"], "count",
         f"{FIVE}.labels"),
    ],
)
def test_translations_with_holes_are_refused(changes, code, field):
    with pytest.raises(InputError) as caught:
        mappings(_plans(*changes))
    (problem,) = caught.value.problems
    assert (problem.code, problem.field.replace("schemes[1]", "schemes.p-five-stage-lifecycle")) == (code, field)
