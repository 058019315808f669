"""The trait along texts, token by token, with its null."""

from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from jaxtyping import Float64, Int64

from workbench.monitoring.reference import Reference
from workbench.monitoring.texts import TEMPLATE


@dataclass(frozen=True, eq=False)
class Monitoring:
    """Projection of every token on a trait's direction, and the activity of the chosen neurons.

    The unit of a projection is the edit itself at gamma 1: adding it to a token raises its projection by exactly 1. For
    DPN-LE that is the distance between the means of the high and the low pole. Zero is the mean over the tokens of
    neutral texts.

    Attributes:
        trait: the trait.
        read: the edit or the selection, in words.
        text: `(token,)` number of each token's text.
        position: `(token,)` place in it, from 0.
        tokens: what each adds to its text.
        parts: whose each is; see `WatchedText`.
        projection: `(token,)`.
        activity: by pole, `(token,)` mean activation of the neurons that rise with it; empty at a site without neurons.
        draws: `(token, draw)` projections on random controls, each with its zero at its own mean in neutral texts.
        reference: the neutral texts.
        provenance: model, sites, how controls were drawn.
    """

    trait: str
    read: str
    text: Int64[np.ndarray, " token"]
    position: Int64[np.ndarray, " token"]
    tokens: tuple[str, ...]
    parts: tuple[str, ...]
    projection: Float64[np.ndarray, " token"]
    activity: dict[str, Float64[np.ndarray, " token"]]
    draws: Float64[np.ndarray, "token draw"]
    reference: Reference
    provenance: dict[str, str] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.tokens)

    @property
    def texts(self) -> int:
        """Number of texts."""
        return int(self.text.max()) + 1

    def null(self, level: float = 0.9) -> tuple[Float64[np.ndarray, " token"], Float64[np.ndarray, " token"]]:
        """The central band of the random controls at each token: its lower and its upper end."""
        if not 0 < level < 1:
            raise ValueError(f"level must lie between 0 and 1, but it is {level}. Choose e.g. 0.9.")
        low, high = np.quantile(self.draws, [(1 - level) / 2, (1 + level) / 2], axis=1)
        return low, high

    @property
    def p_random(self) -> Float64[np.ndarray, " token"]:
        """How often a random control is as far from its zero as the trait's projection is, the projection counted in.

        At least 1 / (draws + 1). One value for each token; no correction for how many tokens there are.
        """
        beyond = (np.abs(self.draws) >= np.abs(self.projection)[:, None]).sum(1)
        return (beyond + 1) / (self.draws.shape[1] + 1)

    def frame(self, *, level: float = 0.9) -> pd.DataFrame:
        """A row for each token.

        Args:
            level: of the random controls that `null_low` to `null_high` covers.

        Returns:
            columns text, position, token, part, projection (1 is the edit at gamma 1, 0 the mean in neutral texts),
            quantile (share of neutral tokens below it), null_low, null_high, p_random, and high_activity and
            low_activity (mean activation of those neurons, where there are some).
        """
        low, high = self.null(level)
        return pd.DataFrame(
            {
                "text": self.text,
                "position": self.position,
                "token": list(self.tokens),
                "part": list(self.parts),
                "projection": self.projection,
                "quantile": self.reference.quantile(self.projection),
                "null_low": low,
                "null_high": high,
                "p_random": self.p_random,
                **{f"{pole}_activity": values for pole, values in self.activity.items()},
            }
        )

    def scores(self, part: str | None = None) -> Float64[np.ndarray, " text"]:
        """The mean projection of each text.

        Args:
            part: whose tokens count; by default the assistant's in a text that has some, otherwise all that somebody
                wrote, in either case without the first token of the text.

        Raises:
            ValueError: if a text has no such tokens.
        """
        parts, means = np.array(self.parts, dtype=object), []
        written = (parts != TEMPLATE) & (self.position > 0)
        for text in range(self.texts):
            here = self.text == text
            answered = here & written & (parts == "assistant")
            counted = here & (parts == part) if part is not None else answered if answered.any() else here & written
            if not counted.any():
                have = ", ".join(dict.fromkeys(parts[here]))
                raise ValueError(f"Text {text} has no tokens of {part or 'a part that counts'}; its parts are {have}.")
            means.append(self.projection[counted].mean())
        return np.array(means)

    def summary(self) -> pd.DataFrame:
        """A row for each text and part: columns text, part, tokens, projection (mean), highest, lowest, beyond_null.

        `beyond_null` is the share of its tokens outside the band of 90% of the random controls; about 0.1 by chance.
        """
        frame = self.frame()
        outside = (frame["projection"] < frame["null_low"]) | (frame["projection"] > frame["null_high"])
        grouped = frame.assign(outside=outside).groupby(["text", "part"], sort=False)
        return grouped.agg(
            tokens=("projection", "size"),
            projection=("projection", "mean"),
            highest=("projection", "max"),
            lowest=("projection", "min"),
            beyond_null=("outside", "mean"),
        ).reset_index()

    def __repr__(self) -> str:
        return (
            f"Monitoring({self.trait}, {self.texts} text{'s' * (self.texts != 1)} of {len(self)} tokens, "
            f"{self.draws.shape[1]} random draws, {self.reference!r})"
        )
