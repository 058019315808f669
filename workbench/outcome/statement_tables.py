"""Statements one by one and against what a persona prompt does: own shifts, wrong ways, shares, validity."""

from collections.abc import Iterator

import numpy as np
import pandas as pd

from workbench.arm.spec import UNEDITED
from workbench.measure.paired import bootstrap_mean
from workbench.measure.ratio import ratio_of_means
from workbench.measure.summarising import ALL, by_trait, clustered_mean
from workbench.outcome.outcome import Caution
from workbench.outcome.results import Results
from workbench.vocabulary import SIGN

BOTH = "both"
"""The name under which tables take both directions together."""

_POLE = {"high": 1.0, "low": -1.0}
_WORD = {"increase": ("raise", "ceiling"), "decrease": ("lower", "floor")}


def item_shifts(frame: pd.DataFrame) -> pd.DataFrame:
    """Each statement's own shift: how much likelier its arm makes it, or a statement of the other pole less likely.

    Args:
        frame: rows of `statement_scores` with labels of conditions, the unedited model's among them.

    Returns:
        A row for each arm, dose, trait, direction and statement: arm, gamma, trait, direction, pole, facet, pair,
        item, unedited (mean log-probability per token without the edit, over the statement's questions), change
        (edited minus unedited) and shift (the change where the statement should become likelier, minus it where less
        likely), in nats per token.
    """
    names = ["arm", "gamma", "trait", "direction", "pole", "facet", "pair", "item"]
    means = frame.groupby(names, sort=False, as_index=False)["logprob"].mean()
    base = means.loc[means["arm"] == UNEDITED, ["trait", "item", "logprob"]].rename(columns={"logprob": "unedited"})
    rows = means[means["arm"] != UNEDITED].merge(base, on=["trait", "item"], validate="many_to_one")
    change = rows.pop("logprob") - rows["unedited"]
    sign = rows["direction"].map(SIGN) * rows["pole"].map(_POLE)
    return rows.assign(change=change, shift=sign * change)


def pair_shifts(measured: pd.DataFrame, quantity: str) -> pd.DataFrame:
    """Each pair's change in the intended direction: arm, trait, direction, pair, unedited and shift."""
    base = measured.loc[measured["arm"] == UNEDITED, ["trait", "pair", quantity]]
    base = base.rename(columns={quantity: "unedited"})
    rows = measured[measured["arm"] != UNEDITED].merge(base, on=["trait", "pair"], validate="many_to_one")
    shift = rows["direction"].map(SIGN) * (rows[quantity] - rows["unedited"])
    return rows[["arm", "trait", "direction", "pair", "unedited"]].assign(shift=shift)


def wrong_way(items: pd.DataFrame, *, resamples: int) -> pd.DataFrame:
    """The share of statements whose own shift goes against the intended direction, behind whatever average.

    Args:
        items: as `item_shifts` returns them.

    Returns:
        Columns arm, trait (`all` for all), direction (`both` for both), share (0 to 1), low, high (95 %, pairs of
        statements resampled; Wilson's where all or none go wrong) and n (statements, in each direction).

    Reference:
        Tan et al. (2024), Analyzing the Generalization and Reliability of Steering Vectors, calls such inputs
        anti-steerable.
    """
    table = []
    rows = items.assign(wrong=(items["shift"] < 0).astype(float))
    for arm, trait, direction, part in _parts(rows):
        interval = clustered_mean(part, "wrong", "pair", resamples=resamples)
        table.append({"arm": arm, "trait": trait, "direction": direction, "share": interval.pop("estimate")} | interval)
    return pd.DataFrame(table, columns=["arm", "trait", "direction", "share", "low", "high", "n"])


def shares(pairs: pd.DataFrame, persona: str, *, resamples: int, seed: int) -> pd.DataFrame:
    """Each arm's shift as a share of what the persona prompt does in the same direction: the model as it is is at 0.

    Args:
        pairs: as `pair_shifts` returns them.
        persona: the arm at 1.

    Returns:
        Columns arm, trait (`all` for all), direction (`both` for both), share, low, high (95 %, the pairs of both arms
        resampled together), shift and persona_shift (nats per token) and n (pairs, in each direction). Share and
        interval are missing where the persona prompt's own shift is not surely above 0. No row without that arm.
    """
    keys = ["trait", "direction", "pair"]
    whole = pairs.loc[pairs["arm"] == persona, [*keys, "shift"]].rename(columns={"shift": "whole"})
    table = []
    for arm, trait, direction, part in _parts(pairs.merge(whole, on=keys, validate="many_to_one")):
        clusters = (part["trait"] + "|" + part["pair"].astype(str)).to_numpy()
        drawn = {"clusters": clusters, "resamples": resamples, "seed": seed}
        ends = [np.nan] * 3
        if part["whole"].mean() > 0:
            ratio = ratio_of_means(part["shift"], part["whole"], **drawn)
            ends = [ratio.estimate, ratio.low, ratio.high]
        entry = {"arm": arm, "trait": trait, "direction": direction} | dict(
            zip(("share", "low", "high"), ends, strict=True)
        )
        table.append(entry | {"shift": part["shift"].mean(), "persona_shift": part["whole"].mean(), "n": len(part)})
    names = ["arm", "trait", "direction", "share", "low", "high", "shift", "persona_shift", "n"]
    return pd.DataFrame(table, columns=names)


def validity(pairs: pd.DataFrame, persona: str, results: Results) -> pd.DataFrame:
    """Whether the persona prompt moves the statements, trait by trait and direction by direction.

    Returns:
        Columns trait, direction, unedited (high minus low without any edit, nats per token), shift (of the persona
        prompt), low, high (95 %, pairs resampled), n (pairs), valid (`yes` where the interval is above 0, `no`, or
        `not checked` where the study lacks that arm) and reason (a sentence where it is not `yes`, otherwise empty).
    """
    table = []
    for trait in results.traits:
        of_trait = pairs[pairs["trait"] == trait]
        unedited = of_trait.groupby("pair")["unedited"].first().mean()
        for direction in SIGN:
            rows = of_trait[(of_trait["arm"] == persona) & (of_trait["direction"] == direction)]
            entry = {"trait": trait, "direction": str(direction), "unedited": unedited}
            if rows.empty:
                reason = f"The study has no arm {persona!r}, so whether it moves these statements was not checked."
                nothing = {"shift": np.nan, "low": np.nan, "high": np.nan, "n": 0}
                table.append(entry | nothing | {"valid": "not checked", "reason": reason})
                continue
            drawn = {"clusters": rows["pair"], "resamples": results.resamples, "seed": results.seed}
            mean = bootstrap_mean(rows["shift"], **drawn)
            moved = mean.low > 0
            entry |= {"shift": mean.estimate, "low": mean.low, "high": mean.high, "n": mean.n}
            table.append(entry | {"valid": "yes" if moved else "no"})
            table[-1]["reason"] = "" if moved else _why(table[-1], persona)
    return pd.DataFrame(table)


def cautions_of(table: pd.DataFrame) -> tuple[Caution, ...]:
    """What the table of validity says of each trait that may not be judged, or in one direction alone."""
    cautions = []
    for trait, rows in table.groupby("trait", sort=False):
        told = [reason for reason in dict.fromkeys(rows["reason"]) if reason]
        if not told:
            continue
        failed = rows[rows["valid"] == "no"]
        if len(failed) == 1:
            way = str(failed["direction"].iloc[0])
            told.append(f"As the other direction does move them, the model may be near its {_WORD[way][1]}.")
        cautions.append(Caution(str(trait), " ".join(told), judged=len(failed) < len(rows)))
    return tuple(cautions)


def _why(row: dict[str, object], persona: str) -> str:
    verb = _WORD[str(row["direction"])][0]
    return (
        f"The arm {persona!r} does not surely {verb} what the model says of its own {row['trait']} (shift "
        f"{row['shift']:+.2f} [{row['low']:+.2f}, {row['high']:+.2f}] nats per token; unedited "
        f"{row['unedited']:+.2f})."
    )


def _parts(rows: pd.DataFrame) -> Iterator[tuple[str, str, str, pd.DataFrame]]:
    """Rows by arm, trait (all first) and direction (both first)."""
    for arm, of_arm in rows.groupby("arm", sort=False):
        for trait, part in by_trait(of_arm):
            for direction in (BOTH, *SIGN):
                one_way = part if direction == BOTH else part[part["direction"] == direction]
                if len(one_way):
                    yield str(arm), trait if trait == ALL else str(trait), str(direction), one_way
