"""How much memory a study may take beside the weights, said before it runs."""

from dataclasses import dataclass

from workbench.model.kept import BUDGET
from workbench.model.model import Model

BATCH = 16_384
"""Tokens of one batch, padding counted; see `Model.generate_tokens`."""


@dataclass(frozen=True)
class Memory:
    """What a study holds at once, at most, in bytes.

    Attributes:
        prompts: keys and values of prompts that its arms share.
        batch: keys and values of one batch of answers, a copy that grows among them.
    """

    prompts: int
    batch: int

    @classmethod
    def of(cls, model: Model) -> "Memory":
        """Of a study of this model."""
        cfg = model.hooked.cfg
        heads = int(getattr(cfg, "n_key_value_heads", None) or cfg.n_heads)
        token = 2 * model.n_layers * heads * int(cfg.d_head) * model.dtype.itemsize
        return cls(model.kept.budget if model.kept is not None else BUDGET, 2 * BATCH * token)

    def line(self) -> str:
        """What is said before the run.

        Example:
            >>> Memory(512 * 2**20, 3 * 2**30).line()
            'memory beside the weights: at most 512 MiB of prompts that arms share and 3,072 MiB of a batch of answers'
        """
        prompts, batch = (f"{size / 2**20:,.0f} MiB of" for size in (self.prompts, self.batch))
        return f"memory beside the weights: at most {prompts} prompts that arms share and {batch} a batch of answers"
