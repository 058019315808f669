"""Words as plotly shows them literally: it takes tags, templates and formulas in a text for markup."""

import re

from workbench.printable import printable

_MARKUP = re.compile(r"<|&(?=#?\w+;)|\$|(?<=%)\{")
_ENTITIES = {"<": "&lt;", "&": "&amp;", "$": "&#36;", "{": "&#123;"}


def literal(text: str) -> str:
    """The text as plotly shows it literally; `html.unescape` gives it back.

    Example:
        >>> literal("<b>d</b> > 1, %{x}")
        '&lt;b>d&lt;/b> > 1, %&#123;x}'
    """
    return _MARKUP.sub(lambda sign: _ENTITIES[sign[0]], printable(text))
