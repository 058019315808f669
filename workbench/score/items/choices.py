"""Which lettered option an answer chooses, where it was generated and not judged by its probability."""

import re
from collections.abc import Sequence

_CUE = r"(?:answer|option|choice)(?:\s+is)?\s*:?\s*"


def chosen_letter(text: str, letters: Sequence[str] = ("A", "B", "C", "D")) -> str | None:
    """The option that an answer names; None where it names none, or several.

    A letter counts where it stands alone, in brackets, before a full stop, colon or bracket at the start of a line,
    or after "answer", "option" or "choice". The article "a", and "A" or "I" before another word, are none. Better
    than reading letters is not to need them: the likeliest option (`ask_questionnaire`) can always be told.

    Example:
        >>> chosen_letter("The answer is (B)."), chosen_letter("A cat is a pet."), chosen_letter("a")
        ('B', None, 'A')
    """
    known = {letter.upper() for letter in letters}
    one = f"[{re.escape(''.join(known | {letter.lower() for letter in known}))}]"
    bare = re.sub(r"[*_`]", "", text).strip()
    alone = re.fullmatch(rf"\(?({one})\)?[.:)]?", bare)
    if alone:
        return alone[1].upper()
    upper = f"[{re.escape(''.join(known))}]"
    no_word = f"[{re.escape(''.join(known - {'A', 'I'}) or '0')}]"
    shapes = (
        rf"(?i:{_CUE})\(?(?:({one})(?=\)|[.,;:]|\s*$|\s*\n)|({no_word})(?!\w))",
        rf"\(({upper})\)",
        rf"(?m:^)\s*({upper})[.:)](?=\s|$)",
        rf"(?m:^)\s*({upper})\s*(?m:$)",
    )
    for shape in shapes:
        found = {next(filter(None, match.groups())).upper() for match in re.finditer(shape, bare)}
        if found:
            return found.pop() if len(found) == 1 else None
    return None
