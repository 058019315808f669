"""A tokenizer's chat template: the variables that it reads, what a user sets of them, and the day that it is told."""

import math
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from functools import lru_cache
from typing import Any

from jinja2 import TemplateError, meta, nodes
from jinja2.ext import Extension, loopcontrols
from jinja2.parser import Parser
from jinja2.sandbox import ImmutableSandboxedEnvironment
from transformers import PreTrainedTokenizerBase

from workbench.model.checkpoint import one_line
from workbench.model.clock import clock_macro

DAY = date(2024, 7, 26)
"""The day that every template is told, at midnight: the one that Llama's templates write where there is no clock."""
CLOCK = "strftime_now"
"""What a template calls to ask for the day; as a variable, the day that it is told instead of `DAY`."""

_OURS = frozenset(
    (
        *("messages", "tools", "documents", "add_generation_prompt", "continue_final_message", "raise_exception"),
        *("conversation", "conversations", "chat_template", "tokenize", "tokenizer_kwargs", "padding", "truncation"),
        *("max_length", "return_tensors", "return_dict", "return_assistant_tokens_mask", "sanitize_control_tokens"),
    )
)
_SPECIAL = frozenset(f"{kind}_token" for kind in ("bos", "eos", "unk", "sep", "pad", "cls", "mask"))


class TemplateVariableError(ValueError):
    """A variable that a chat template does not read, or that cannot have the value given."""


def template_text(tokenizer: PreTrainedTokenizerBase) -> str | None:
    """The Jinja text of the chat template that prompts are rendered with; None where there is none."""
    return tokenizer.get_chat_template() if getattr(tokenizer, "chat_template", None) else None


def template_variables(tokenizer: PreTrainedTokenizerBase) -> tuple[str, ...]:
    """The variables of the chat template that a user can set, in alphabetical order; none where there is no template.

    The conversation, the tools and the special tokens are not among them. `strftime_now` is, in a template that asks
    for the day.
    """
    text = template_text(tokenizer)
    return () if text is None else tuple(sorted(_read(text) - _OURS - _SPECIAL - set(tokenizer.special_tokens_map)))


def checked_variables(tokenizer: PreTrainedTokenizerBase, given: Mapping[str, Any] | None) -> dict[str, Any]:
    """Template variables that a user gives, as a plain dictionary.

    Raises:
        TemplateVariableError: a ValueError, if they are no mapping of names, there is no chat template, a name is not
            one of its variables, or a value is no JSON value.
    """
    if given is None:
        return {}
    if not isinstance(given, Mapping) or not all(isinstance(name, str) for name in given):
        raise TemplateVariableError(f"Template variables are a mapping from names to values, but {given!r} arrived.")
    if not given:
        return {}
    if template_text(tokenizer) is None:
        raise TemplateVariableError(
            f"Template variables need a chat template, but the tokenizer has none; {', '.join(given)} arrived. Leave "
            "them out, or set a template in the tokenizer."
        )
    known = template_variables(tokenizer)
    for name, value in given.items():
        if name in known:
            _check_value(name, value)
            continue
        reads = f"it reads {', '.join(known)}" if known else "it reads none that can be set"
        if name in _OURS | _SPECIAL | set(tokenizer.special_tokens_map):
            raise TemplateVariableError(
                f"The template variable {name!r} is set by the workbench itself; {reads}. Leave it out."
            )
        raise TemplateVariableError(f"The chat template has no variable {name!r}; {reads}. Correct the name.")
    return dict(given)


def asks_the_day(tokenizer: PreTrainedTokenizerBase) -> bool:
    """Whether the chat template asks a clock, so that plain transformers renders another prompt each day."""
    return CLOCK in template_variables(tokenizer)


def apply_template(
    tokenizer: PreTrainedTokenizerBase,
    messages: Sequence[Mapping[str, str]],
    variables: Mapping[str, Any],
    *,
    asked: str | None = None,
    **settings: Any,
) -> Any:
    """What the tokenizer's `apply_chat_template` gives, on the day that the variables or else `DAY` say.

    Args:
        asked: the turn that an error names; by default the last one.

    Raises:
        ValueError: if the template refuses the messages.
    """
    text = template_text(tokenizer)
    assert text is not None
    given = dict(variables)
    day = date.fromisoformat(given.pop(CLOCK, DAY.isoformat()))
    # The template's own macro comes before the global function of that name, which transformers provides.
    dated = clock_macro(CLOCK, day) + text if CLOCK in text else text
    try:
        return tokenizer.apply_chat_template(
            [dict(each) for each in messages], chat_template=dated, **given, **settings
        )
    except (TemplateError, TypeError, ValueError, AttributeError, LookupError, ArithmeticError) as error:
        said = f" with {', '.join(f'{name}={value!r}' for name, value in variables.items())}" if variables else ""
        raise ValueError(
            f"The chat template refuses {asked or messages[-1]['content']!r}{said}: {one_line(error)}. Give raw texts "
            "with chat=False, or a tokenizer with another template."
        ) from error


def _check_value(name: str, value: Any) -> None:
    if name == CLOCK:
        try:
            date.fromisoformat(value)
        except (TypeError, ValueError):
            raise TemplateVariableError(f"{CLOCK} is a day such as {DAY.isoformat()}, but {value!r} arrived.") from None
    elif not _plain(value):
        raise TemplateVariableError(
            f"A template variable is text, a finite number, true, false, none, or a list or table of them, but {name} "
            f"is {value!r}."
        )


def _plain(value: Any) -> bool:
    """Whether JSON writes the value and reads the same again."""
    if isinstance(value, float):
        return math.isfinite(value)
    if isinstance(value, Mapping):
        return all(isinstance(key, str) and _plain(each) for key, each in value.items())
    if isinstance(value, list):
        return all(map(_plain, value))
    return value is None or type(value) in (str, int, bool)


class _Generation(Extension):
    """The block that marks an answer in templates, which other tags must not trip over."""

    tags = {"generation"}  # noqa: RUF012

    def parse(self, parser: Parser) -> list[nodes.Node]:
        next(parser.stream)
        return parser.parse_statements(("name:endgeneration",), drop_needle=True)


@lru_cache(maxsize=32)
def _read(text: str) -> frozenset[str]:
    """The names that a template reads from outside; none where it is no Jinja, which rendering reports."""
    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[_Generation, loopcontrols]
    )
    try:
        tree = environment.parse(text)
    except TemplateError:
        return frozenset()
    given = meta.find_undeclared_variables(tree)
    # A name that a template assigns in each of two branches counts as undeclared, though what is given never shows.
    return frozenset(given - (_assigned(tree) - _deferring(tree)))


def _assigned(tree: nodes.Template) -> set[str]:
    return {name.name for assign in tree.find_all(nodes.Assign) for name in _names(assign.target)}


def _deferring(tree: nodes.Template) -> set[str]:
    """Names of which a template asks whether they are given, or from whose value it makes another."""
    found = {
        name.name
        for kind, words in ((nodes.Test, ("defined", "undefined", "none")), (nodes.Filter, ("default", "d")))
        for node in tree.find_all(kind)
        if node.name in words and node.node is not None
        for name in _names(node.node)
    }
    for assign in tree.find_all(nodes.Assign):
        read = {name.name for name in _names(assign.node)}
        found |= read & {name.name for name in _names(assign.target)}
    return found


def _names(node: nodes.Node) -> Iterator[nodes.Name]:
    if isinstance(node, nodes.Name):
        yield node
    yield from node.find_all(nodes.Name)
