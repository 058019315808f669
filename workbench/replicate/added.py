"""What the paper lacks: one strength for both halves, controls, and the cost at equal shift."""

import pandas as pd

from workbench.replicate.comparing import NotMeasured, measured_in
from workbench.replicate.protocol import Published
from workbench.study.study import Study

_HALVES = {
    "trait of 10": ("answers", "both"),
    "fluency of 10": ("answers", "both"),
    "gsm8k change": ("gsm8k", "increase"),
    "hotpotqa change": ("hotpotqa", "increase"),
    "triviaqa change": ("triviaqa", "increase"),
}


def one_strength(study: Study, arms: tuple[str, ...]) -> pd.DataFrame:
    """Every quantity of these arms at each dose: control and preservation of one strength in one row.

    Returns:
        columns arm, gamma, quantity, direction, estimate, low, high and n.
    """
    table = []
    for arm in arms:
        answered = study.tables.get("tradeoff", pd.DataFrame(columns=["arm", "gamma"]))
        for gamma in sorted(set(answered.loc[answered["arm"] == arm, "gamma"])):
            for quantity, (source, first) in _HALVES.items():
                ways = ("both",) if first == "both" else ("increase", "decrease")
                for way in ways if source in study.tables else ():
                    asked = {"id": "", "step": "", "value": 0.0, "where": "here"}
                    number = Published(**asked, quantity=quantity, arm=arm, gamma=float(gamma), direction=way)
                    try:
                        ours = measured_in(study, number)
                    except NotMeasured:
                        continue
                    labels = {"arm": arm, "gamma": gamma, "quantity": quantity, "direction": way}
                    table.append(labels | {"estimate": ours.estimate, "low": ours.low, "high": ours.high, "n": ours.n})
    return pd.DataFrame(table, columns=["arm", "gamma", "quantity", "direction", "estimate", "low", "high", "n"])


def added_tables(study: Study, arms: tuple[str, ...]) -> dict[str, pd.DataFrame]:
    """By name: `one_strength`; `controls`, the shift of the method beyond each control; `equal_shift`."""
    return {
        "one_strength": one_strength(study, arms),
        "controls": study.tables["against_controls"],
        "equal_shift": study.tables["equal_shift"],
    }
