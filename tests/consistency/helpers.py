"""What tests of several rule families share: rows of a plan, and ways to pick and compare findings."""

from __future__ import annotations

from numpy.testing import assert_allclose

from planlib.consistency.view import View

TOLERANCE = 0.008  # of a figure beside the one that an entry lists


def said(id, metric, level, op="equals", **more):
    """Return a statement."""
    return {"id": id, "metric": metric, op: level, "source": "W2.2"} | more


def over(rule, *plans, cases=None):
    """Return what a rule finds in plans and cases."""
    return list(rule(View(plans, cases)))


def chains(found):
    """Return the last part of each finding's chain with its level."""
    return [(f.chain.rpartition(".")[2], f.level) for f in found]


def of(found, chain):
    """Return the findings of a chain."""
    return [f for f in found if f.chain.endswith(f".{chain}")]


def pick(found, chain, statement):
    """Return the first finding whose chain ends so and that involves a statement."""
    return next(f for f in found if f.chain.endswith(chain) and statement in f.statements)


def one(found, *statements):
    """Return the first finding that involves all of some statements."""
    return next(f for f in found if set(statements) <= set(f.statements))


def has(finding, figures, *values):
    """Assert that each value is among the finding's numbers."""
    numbers = list(figures(finding).values())
    missing = [v for v in values if not any(abs(n - v) <= TOLERANCE * abs(v) for n in numbers)]
    assert not missing, (missing, figures(finding))


def close(found, expected, figures):
    """Assert that a finding's named numbers are as expected."""
    shown = figures(found)
    assert_allclose([shown[name] for name in expected], list(expected.values()), rtol=TOLERANCE)
