"""The plan file reference: current, complete in both languages, its examples real."""

import json
import re
from importlib import resources

import pytest
import yaml

from planlib.core.words import LOCALES, flatten, words
from planlib.plan import model as m
from planlib.plan import reference

FENCE = re.compile(r"```yaml\n(.*?)\n```", re.DOTALL)


def _words(locale):
    text = (resources.files("planlib") / "locale" / locale / "plan.yaml").read_text(encoding="utf-8")
    return flatten(yaml.safe_load(text))


def _all_models():
    found = [value for value in vars(m).values() if isinstance(value, type) and issubclass(value, m.Base)]
    return [model for model in found if model is not m.Base]


@pytest.mark.parametrize("locale", LOCALES)
def test_the_pages_are_current(locale):
    written = reference.PAGES[locale].read_text(encoding="utf-8")
    assert written == reference.page(locale), "run: python -m planlib.plan.reference"


@pytest.mark.parametrize("locale", LOCALES)
def test_every_field_has_words_and_no_words_are_left_over(locale):
    found = _words(locale)
    described = reference.classes()
    wanted = {f"{c.__name__}.{field}" for c in described for field in reference.own_fields(c)}
    beside = ("page.", "types.", "titles.", "about.", "examples.")
    assert {key for key in found if not key.startswith(beside)} == wanted
    assert {key for key in found if key.startswith("titles.")} == {f"titles.{c.__name__}" for c in described}
    about = {f"about.{c.__name__}" for c in described if c is not m.PlanModel}
    assert {key for key in found if key.startswith("about.")} == about
    assert all(text.strip() for text in found.values())


def test_every_model_is_described_once():
    described = reference.classes()
    assert len(described) == len(set(described))
    plain = {model for model in _all_models() if not reference.own_fields(model)}
    assert plain == {m.ShareQuantity, m.AmountQuantity}
    assert set(described) == set(_all_models()) - {m.ShareQuantity, m.AmountQuantity}


@pytest.mark.parametrize("locale", LOCALES)
def test_words_are_one_short_sentence(locale):
    end = {"zh": "。", "en": "."}[locale]
    names = {c.__name__ for c in reference.classes()}
    for key, text in _words(locale).items():
        if key.split(".")[0] in names:
            assert text.endswith(end), key
            assert len(text) <= 160, key


def test_both_languages_have_the_same_keys_and_placeholders():
    zh, en = (_words(locale) for locale in LOCALES)
    assert list(zh) == list(en)
    for key in en:
        assert words("zh").placeholders(f"plan.{key}") == words("en").placeholders(f"plan.{key}"), key


@pytest.mark.parametrize("locale", LOCALES)
def test_every_section_has_an_example_that_the_model_accepts(locale):
    page = reference.page(locale)
    w = words(locale)
    parts = dict(zip(*[iter(re.split(r"^### (.*)\n", page, flags=re.MULTILINE)[1:])] * 2, strict=True))
    for model in reference.classes():
        if model in (m.PlanModel, m.Sourced, m.Scenarios):
            continue
        text = parts[w.text(f"plan.titles.{model.__name__}")]
        example = FENCE.search(text)
        assert example, model.__name__
        found = yaml.load(example[1], Loader=yaml.BaseLoader)
        row = found[0] if isinstance(found, list) else next(iter(found.values()))
        assert row, model.__name__


@pytest.mark.parametrize("locale", LOCALES)
def test_links_lead_to_headings(locale):
    page = reference.page(locale)
    headings = {reference._anchor(head) for head in re.findall(r"^### (.*)$", page, flags=re.MULTILINE)}
    links = set(re.findall(r"\]\(#(.*?)\)", page))
    assert links
    assert links <= headings


@pytest.mark.parametrize("locale", LOCALES)
def test_written_examples_are_valid(locale):
    from planlib.plan.tree import parse

    for name in ("Decision", "Referral", "Organisation", "OrgUnit", "FixedLine", "Investment"):
        tree = parse(words(locale).text(f"plan.examples.{name}"), name).plain()
        row = tree[0] if isinstance(tree, list) else tree[name.lower()]
        getattr(m, name).model_validate_json(json.dumps(row))


def test_required_fields_and_defaults_are_told():
    page = reference.page("en")
    assert "| `value` | number or [low, high] | — | The number, or a range that it lies in. |" in page
    assert "| `alpha` | number above 0 and below 0.5 | `0.05` |" in page
    assert "| `months` | whole number, 1 to 60 | **required** |" in page
    assert "| `pass` | list of: [target](#target) | — |" in page
