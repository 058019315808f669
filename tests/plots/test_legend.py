"""Colours follow roles, words follow quantities: neither depends on what else a study holds."""

import pandas as pd
import pytest

from workbench.arm.registry import BUILT_IN
from workbench.outcome.quantity import SHARE, Quantity
from workbench.plots import Legend
from workbench.plots.palette import METHOD, arm_styles

ROLES = {spec.name: spec.role for spec in BUILT_IN}


def test_every_built_in_arm_differs_from_every_other() -> None:
    styles = arm_styles(ROLES)
    assert len(set(styles.values())) == len(BUILT_IN)
    by_name = {name: styles[name].colour for name in ("DPN-LE", "broad", "residual", "NPTI", "random")}
    assert len(set(by_name.values())) == 5


def test_a_built_in_arm_looks_alike_in_every_study() -> None:
    every = arm_styles(ROLES)
    for arm in ROLES:
        few = {"mine": "rival", "DPN-LE": "method", arm: ROLES[arm], "yours": ROLES[arm]}
        assert arm_styles(few)[arm] == every[arm]


def test_the_arm_under_test_takes_the_methods_style_and_changes_no_other() -> None:
    swapped = {**ROLES, "DPN-LE": "rival", "residual": "method"}
    styles, before = arm_styles(swapped), arm_styles(ROLES)
    assert styles["residual"] == METHOD == before["DPN-LE"]
    assert len(set(styles.values())) == len(styles)
    assert [arm for arm in ROLES if styles[arm] != before[arm]] == ["DPN-LE", "residual"]


def test_arms_that_are_not_built_in_take_the_next_free_style_of_their_role() -> None:
    others = {f"{role} {number}": role for role in ("rival", "control", "prompt") for number in range(12)}
    styles = arm_styles({**ROLES, **others})
    assert len(set(styles.values())) == len(styles)
    # In the order of tables, not of names or of the figure that draws them.
    alone = arm_styles({"DPN-LE": "method", "zebra": "rival", "ant": "rival"})
    assert (alone["zebra"], alone["ant"]) == (styles["rival 0"], styles["rival 1"])
    legend = Legend(roles={"DPN-LE": "method", "zebra": "rival", "ant": "rival"})
    assert legend.styles(["ant"])["ant"] == alone["ant"]


def test_a_role_that_there_is_not_is_refused() -> None:
    with pytest.raises(ValueError, match="one of method, rival, control, prompt, reference, but 'mine' has 'hero'"):
        arm_styles({"mine": "hero"})


def test_the_arm_under_test_comes_first_and_others_in_the_tables_order() -> None:
    legend = Legend(roles={"DPN-LE": "rival", "broad": "rival", "residual": "method", "random": "control"})
    assert list(legend.styles(["random", "DPN-LE", "residual"])) == ["residual", "random", "DPN-LE"]
    assert [Legend().role(arm) for arm in ("DPN-LE", "random", "mine")] == ["method", "control", "rival"]


QUANTITIES = (
    Quantity("warmth", "trait", "warmth of answers", "degrees"),
    Quantity("kept", "cost", "items kept", SHARE),
    Quantity("agreement", "trait", "agreement", SHARE),
)


def test_words_and_units_come_from_the_quantities() -> None:
    legend = Legend(quantities=QUANTITIES)
    assert legend.level("warmth").title == "warmth of answers (degrees)"
    assert legend.change("kept").title == "change of items kept (percentage points)"
    assert (legend.change("kept").form, legend.change("kept").ticks) == ("+.1%", "~%")
    assert legend.shift().title == "trait shift (degrees, intended direction)"
    assert legend.shift("agreement").title == "shift of agreement (percentage points, intended direction)"
    assert Legend(quantities=QUANTITIES, target="agreement").shift().text(0.25) == "+25 %"
    assert legend.shift().text(0.3456) == "+0.346"
    assert legend.level("never_seen").title == "never seen"
    assert legend.change("kept").lines(12) == "change of<br>items kept<br>(percentage<br>points)"


def test_a_tables_changes_are_those_columns_that_have_bounds() -> None:
    names = ["arm", "shift", "agreement_shift", "kept", "kept_change", "warmth_change", "unbounded_change"]
    bounded = ["shift", "agreement_shift", "kept", "kept_change", "warmth_change"]
    table = pd.DataFrame(columns=[*names, *(f"{name}{end}" for name in bounded for end in ("_low", "_high"))])
    changes = Legend(quantities=QUANTITIES).changes(table)
    assert list(changes) == ["shift", "agreement_shift", "kept_change", "warmth_change"]
    assert [wording.unit for wording in changes.values()] == [
        "degrees, intended direction",
        "percentage points, intended direction",
        "percentage points",
        "degrees",
    ]
