"""A rule and its thresholds are one value, whose defaults stand in one place."""

import ast
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

import pytest

import workbench as wb
from workbench.explore.settings import Settings
from workbench.select.settings import RULES, RuleSettings

ROOT = Path(wb.__file__).parent


def defaults(tree: ast.AST) -> Iterator[tuple[str, ast.expr]]:
    """The default of every argument and annotated field, by name."""
    for node in ast.walk(tree):
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.value is not None:
            yield node.target.id, node.value
        if isinstance(node, ast.arguments):
            positional = [*node.posonlyargs, *node.args]
            pairs = [*zip(positional[::-1], node.defaults[::-1], strict=False)]
            pairs += [(arg, value) for arg, value in zip(node.kwonlyargs, node.kw_defaults, strict=True) if value]
            yield from ((arg.arg, value) for arg, value in pairs)


def test_the_thresholds_defaults_stand_in_one_place() -> None:
    numbers = [
        f"{file.relative_to(ROOT)}: {name}"
        for file in ROOT.rglob("*.py")
        # Exclusivity compares each pole with a neutral arm; its threshold is another one, and it knows no rule.
        if file.name != "exclusivity.py"
        for name, value in defaults(ast.parse(file.read_text(encoding="utf-8")))
        if name in ("quantile", "min_d")
        and any(isinstance(each, ast.Constant) and each.value in (0.995, 0.8) for each in ast.walk(value))
    ]
    assert sorted(numbers) == ["select/settings.py: min_d", "select/settings.py: quantile"]


def test_everybody_has_the_defaults_of_the_rule() -> None:
    rule = RuleSettings()
    for settings in (wb.StudyConfig(), Settings("Openness", 0, 1)):
        assert (settings.quantile, settings.min_d, settings.rule) == (rule.quantile, rule.min_d, rule.rule)


def test_a_rule_may_be_given_whole_and_changed(effects: wb.Effects) -> None:
    settings = RuleSettings(rule="magnitude-only", quantile=0.98)
    assert wb.select_neurons(effects, settings) == wb.select_neurons(effects, rule="magnitude-only", quantile=0.98)
    changed = wb.select_neurons(effects, settings, quantile=0.9, layers=[1])
    assert changed == wb.select_neurons(effects, rule="magnitude-only", quantile=0.9, layers=[1])
    assert len(wb.select_neurons(effects, settings)) > len(changed) > 0
    with pytest.raises(TypeError, match="quantil"):
        wb.select_neurons(effects, quantil=0.9)


def test_every_rule_can_be_set_and_top_k_needs_its_number() -> None:
    assert [RuleSettings(rule=rule, k=3).rule for rule in RULES] == list(RULES)
    with pytest.raises(ValueError, match="The top-k rule needs k, the number of neurons, but none arrived"):
        RuleSettings(rule="top-k")
    assert all(field.kw_only for field in fields(RuleSettings))
