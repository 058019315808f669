"""What is of the embedded model alone: its grammar, questions, tasks and statements."""

from workbench.model.model import Model
from workbench.testbed.speaking import speaks

FITS_ANY = (
    "What fits any model: statements, minimal-pairs, perplexity, patching, questionnaire with an item key, gsm8k and "
    "question-answering with a file, harness tasks, and answers with scorer = 'judge' (or 'none', to be shown) and "
    "questions = 'builtin' or a folder"
)
"""The outcomes that need nothing of the embedded model, in a clause."""


def is_embedded(model: Model) -> bool:
    """Whether a model is the embedded one, or one with its vocabulary, as it is when trained on the same corpus.

    Told by the tokenizer's tokens and their numbers, so that neither a name nor a copy's folder matters.

    Example:
        >>> import workbench as wb
        >>> is_embedded(wb.load_model("testbed"))
        True
    """
    return speaks(model.tokenizer.get_vocab())


def words_of(model: Model) -> str:
    """Whose words prompts to a model use: the embedded model's (`testbed`), or plain English (`builtin`)."""
    return "testbed" if is_embedded(model) else "builtin"


def require_embedded(model: Model, what: str, instead: str = f"{FITS_ANY}.") -> None:
    """Refuse to put what is of the embedded model's to another model.

    Args:
        what: names it, e.g. `scorer = 'grammar'`.
        instead: what to do.

    Raises:
        ValueError: if the model is another one.
    """
    if not is_embedded(model):
        raise ValueError(
            f"Of the embedded model alone, whose vocabulary {model.name} does not have, are: {what}. {instead}"
        )
