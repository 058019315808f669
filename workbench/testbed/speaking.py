"""Whether a model speaks the embedded model's language, told by its vocabulary, never by its name."""

import json
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from pathlib import Path

TESTBED = "testbed"
_TOKENIZER = "tokenizer.json"


@cache
def embedded_vocabulary() -> Mapping[str, int]:
    """The embedded model's tokens and their numbers."""
    return _read(files("workbench.testbed").joinpath("weights", _TOKENIZER).read_text(encoding="utf-8"))


def speaks(vocabulary: Mapping[str, int]) -> bool:
    """Whether these are the embedded model's tokens, number by number: such a model was trained on its corpus, or none.

    Its grammar, questions, tasks and statements say something of such a model alone.
    """
    return dict(vocabulary) == dict(embedded_vocabulary())


def named_speaks(name_or_path: str | Path) -> bool:
    """The same of a model that is not loaded: `testbed`, or a checkpoint folder whose tokenizer is the embedded one's.

    A folder without a `tokenizer.json`, a file and a name of the hub are other models.
    """
    if str(name_or_path) == TESTBED:
        return True
    path = Path(name_or_path).expanduser() / _TOKENIZER
    try:
        return path.is_file() and speaks(_read(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, KeyError, TypeError, AttributeError):  # loading the model will say what is wrong
        return False


def _read(text: str) -> dict[str, int]:
    content = json.loads(text)
    added = {each["content"]: int(each["id"]) for each in content.get("added_tokens", [])}
    return {**content["model"]["vocab"], **added}
