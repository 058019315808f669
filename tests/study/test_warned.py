"""What is warned of while a study runs is kept once, still shown, and told on its page."""

import logging
import warnings

import pytest

from workbench.study.warned import warnings_kept


def warn_of_much() -> list[str]:
    with warnings_kept() as kept:
        warnings.simplefilter("always")
        for _ in range(2):
            warnings.warn("few\nprompts", stacklevel=1)
            logging.getLogger("workbench.capture").warning("prompt %d was long", 3)
        logging.getLogger("workbench.capture").info("nothing to tell")
        logging.getLogger("elsewhere").warning("not ours")
    return kept


def test_warnings_are_kept_once_and_still_shown() -> None:
    with pytest.warns(UserWarning, match=r"few\s+prompts") as shown:
        kept = warn_of_much()
    assert kept == ["UserWarning: few prompts", "prompt 3 was long"]
    assert len(shown) == 2


def test_everything_is_as_before_afterwards() -> None:
    before = warnings.showwarning, list(logging.getLogger("workbench").handlers)
    with pytest.raises(KeyError), warnings_kept():
        raise KeyError
    assert (warnings.showwarning, list(logging.getLogger("workbench").handlers)) == before
