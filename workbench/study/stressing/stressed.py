"""An outcome that is asked under a stress: whatever it puts to the model in a chat is put otherwise."""

from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import pandas as pd

from workbench.arm.spec import ArmSpec
from workbench.contrast.prompt import Prompt
from workbench.digest import code_of_type, key_of
from workbench.model.model import Model
from workbench.outcome.outcome import Asking, Outcome, Split
from workbench.outcome.quantity import Quantity
from workbench.study.stressing.stressor import StressError, Wording


class UntouchedError(StressError):
    """An outcome that puts no prompt to the model in a chat, so that another wording changes nothing of it."""


@dataclass(frozen=True)
class Stressed(Outcome):
    """An outcome under another wording of its prompts. Its rows name questions and items as without it.

    Attributes:
        outcome: what is asked.
        stress: the stressor's name.
        wording: how prompts are put.
    """

    outcome: Outcome
    stress: str
    wording: Wording

    @property
    def name(self) -> str:  # type: ignore[override]
        """The outcome's name and the stress'."""
        return self.named(self.outcome.name)

    def named(self, outcome: str) -> str:
        """What an outcome is called under this stress."""
        words = "".join(letter if letter.isalnum() else "-" for letter in self.wording.name.casefold())
        return f"{outcome} under {self.stress} {words[:40].strip('-')}"

    @property
    def cluster(self) -> str:  # type: ignore[override]
        """As the outcome has it."""
        return self.outcome.cluster

    @property
    def quantities(self) -> tuple[Quantity, ...]:  # type: ignore[override]
        """As the outcome has them."""
        return self.outcome.quantities

    @property
    def pairing(self) -> tuple[str, ...]:  # type: ignore[override]
        """As the outcome has it."""
        return self.outcome.pairing

    @property
    def by_direction(self) -> bool:  # type: ignore[override]
        """As the outcome has it."""
        return self.outcome.by_direction

    @property
    def needs(self) -> tuple[str, ...]:  # type: ignore[override]
        """What the outcome reads, under the same stress."""
        return tuple(map(self.named, self.outcome.needs))

    @property
    def side_by_side(self) -> bool:
        """As the outcome has it: whether several arms may ask at once."""
        return bool(getattr(self.outcome, "side_by_side", False))

    def key(self, split: Split) -> str:
        """The outcome's own, and the wording with its code."""
        wording = {"values": asdict(self.wording), "code": code_of_type(type(self.wording))}  # type: ignore[call-overload]
        return key_of(outcome=self.outcome.key(split), wording=wording, code=code_of_type(type(self)))

    def work(self, split: Split) -> float:
        """As the outcome has it."""
        return self.outcome.work(split)

    def asked_of(self, arm: ArmSpec) -> bool:
        """As the outcome has it."""
        return self.outcome.asked_of(arm)

    def ask(self, model: Model, asking: Asking) -> pd.DataFrame:
        """The outcome's rows, with every chat prompt put so.

        Raises:
            StressError: for a prompt of which no other wording is known, or that the model's template refuses or its
                tokenizer cannot spell; `UntouchedError` if no prompt was put in a chat.
        """
        changed = 0

        def put(prompt: Prompt) -> Prompt:
            nonlocal changed
            made = self.wording.put(prompt)
            _require_readable(model, made)
            changed += made != prompt
            return made

        frames = {name: asking.frames[self.named(name)] for name in self.outcome.needs}
        with model.prompted(put):
            rows = self.outcome.ask(model, replace(asking, frames=frames))
        if not changed:
            raise UntouchedError(f"{self.outcome.name} puts no question to the model in a chat: nothing of it changes.")
        return rows

    def rate(
        self, frame: pd.DataFrame, model: Model, folder: Path, progress: Callable[[str, float], None]
    ) -> pd.DataFrame:
        """As the outcome has it."""
        return self.outcome.rate(frame, model, folder, progress)

    def measured(self, frame: pd.DataFrame) -> pd.DataFrame:
        """As the outcome has it."""
        return self.outcome.measured(frame)


def _require_readable(model: Model, prompt: Prompt) -> None:
    """Refuse a prompt that the tokenizer cannot spell, or the chat template does not render."""
    unknown = model.tokenizer.unk_token_id
    texts = [prompt.system or "", prompt.user, *(text for turn in prompt.earlier for text in turn)]
    if unknown is not None and any(unknown in ids for ids in model.answer_tokens(texts)):
        raise StressError(
            f"The model's tokenizer cannot spell all of {prompt.user[:60]!r} or of what stands before it."
        )
    if prompt.chat and prompt.earlier and model.tokenizer.chat_template:
        try:
            model.conversation(prompt.messages)
        except ValueError as error:
            raise StressError(str(error)) from None
