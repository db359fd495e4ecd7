"""The budget's sheets: the optimum with its sums, typed months as fixed lines with their price, actual spend."""

import re

import openpyxl
import pytest

from planlib.core.words import words
from planlib.excel import budget_lines, cost_of_cuts
from planlib.plan import load_plan
from tests.exchange.desk import SMALL, W, edited, made, opened, problems, quick


def test_the_budget_stands_by_month_with_plain_sums(home):
    path = quick(W)
    page = openpyxl.load_workbook(path)["Budget"]
    lines = budget_lines(load_plan(W))
    rows = {page.cell(row, 1).value: row for row in range(2, page.max_row + 1)}
    assert set(rows) >= {"moments_ads", "partners", "referral", "labour", "technology", "operating", "all"}
    for line in lines:
        row = rows[line.id if line.kind != "besides" else f"{line.id}:besides"]
        assert page.cell(row, 4).value == pytest.approx(line.amounts[0], abs=0.01)
    total = page.cell(rows["all"], 4).value
    assert total.startswith("=")
    assert sum(line.amounts[0] for line in lines) == pytest.approx(2_500_000, rel=0.01)


def test_a_typed_month_becomes_a_fixed_line_and_its_price_is_told(home):
    typed = ("Budget", "moments_ads", "2027-02", 0), ("Budget", "technology", "2027-01", 900_000)
    path, cells = edited(quick(W), *typed)
    found, told = opened(path)
    lines = {(line.of, line.month): line for line in found.budget.fixed}
    assert {key: line.amount for key, line in lines.items()} == {("moments_ads", 2): 0, ("technology", 1): 900_000}
    assert lines["moments_ads", 2].source == "assumption"
    assert cells[0].rpartition("!")[2] in lines["moments_ads", 2].why
    prices = [line for line in told if line.startswith("Fixed by hand")]
    assert len(prices) == 2
    assert "Moments feed ads, month 2, ¥0. Costs " in prices[0]
    assert " 0 users" not in prices[0]
    assert "Costs 0 users" in prices[1]
    told = r"30k new users a month through paid channels: \d+% without it, \d+% with it"
    assert all(re.search(told, line) for line in prices)


def test_an_emptied_month_is_free_again(home):
    plan = home / W
    text = plan.read_text(encoding="utf-8")
    line = "  fixed: [{of: technology, month: 1, amount: 900_000, source: W6.3}]\n  bands:  "
    plan.write_text(text.replace("  bands:  ", line, 1), encoding="utf-8")
    assert len(load_plan(W).budget.fixed) == 1
    path, _ = edited(made(W), ("Budget", "technology", "2027-01", None))
    assert opened(path)[0].budget.fixed == ()


def test_an_amount_below_zero_is_refused(home):
    path, cells = edited(quick(W), ("Budget", "partners", "2027-03", -1))
    assert problems(path) == [(cells[0], "at_least")]


def test_actual_spend_comes_back_as_such(home):
    path, _ = edited(quick(SMALL), ("Actual spend", "labour", "2027-01", 130_000))
    found, told = opened(path)
    (line,) = found.budget.actual
    assert (line.of, line.month, line.amount) == ("labour", 1, 130_000)
    assert found.budget.fixed == ()
    assert not any("Fixed by hand" in text for text in told)


def test_without_response_curves_categories_stand_at_their_middle(home):
    plan = load_plan(SMALL)
    lines = {line.id: sum(line.amounts) for line in budget_lines(plan)}
    assert lines == pytest.approx({"labour": 6_000_000 * 0.475, "marketing": 6_000_000 * 0.525})
    assert cost_of_cuts(plan, words("zh")) == []


def test_fixed_lines_that_cannot_be_kept_are_told(home):
    path, _ = edited(quick(W), ("Budget", "technology", "2027-01", 20_000_000))
    _, told = opened(path)
    assert "no budget keeps all rules" in told[-1]
