"""Signatures as the source writes them: types by their short names, shapes in them, defaults by name."""

import ast
import dataclasses
import enum
import inspect
import re
import textwrap
from collections.abc import Callable
from functools import cache
from typing import Any

from pydantic import BaseModel
from sphinx.application import Sphinx

FACTORIES = {"dict": "{}", "list": "[]", "set": "set()"}


@cache
def _tree(of: Any) -> tuple[ast.stmt, str]:
    source = textwrap.dedent(inspect.getsource(of))
    return ast.parse(source).body[0], source


def _annotation(node: ast.expr | None, source: str) -> str:
    """A type as written; a name that had to be quoted without its quotes, a shape without its leading space."""
    if node is None:
        return ""
    said = node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None
    text = said if said is not None else ast.get_source_segment(source, node) or ast.unparse(node)
    return re.sub(r'" (?=\w)', '"', " ".join(text.split()))


def _argument(name: str, node: ast.expr | None, default: ast.expr | None, source: str) -> str:
    told = _annotation(node, source)
    text = f"{name}: {told}" if told else name
    if default is None:
        return text
    value = " ".join((ast.get_source_segment(source, default) or ast.unparse(default)).split())
    if value.startswith("_"):  # a private constant's name tells a reader nothing
        value = "..."
    return f"{text} = {value}" if told else f"{text}={value}"


def of_function(function: Callable[..., Any], *, bound: bool = False) -> tuple[str, str | None]:
    """Arguments and result of a function or method; without `self` or `cls` where it is bound."""
    node, source = _tree(inspect.unwrap(function))
    if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        raise TypeError(f"{function!r} was not written with def, so its signature cannot be read.")
    arguments = node.args
    plain = [*arguments.posonlyargs, *arguments.args]
    defaults = [None] * (len(plain) - len(arguments.defaults)) + list(arguments.defaults)
    told = [_argument(a.arg, a.annotation, d, source) for a, d in zip(plain, defaults, strict=True)]
    told = told[1:] if bound else told
    if arguments.vararg is not None:
        told.append(_argument(f"*{arguments.vararg.arg}", arguments.vararg.annotation, None, source))
    elif arguments.kwonlyargs:
        told.append("*")
    keywords = zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)
    told += [_argument(a.arg, a.annotation, d, source) for a, d in keywords]
    if arguments.kwarg is not None:
        told.append(_argument(f"**{arguments.kwarg.arg}", arguments.kwarg.annotation, None, source))
    return f"({', '.join(told)})", _annotation(node.returns, source) or None


def of_class(cls: type) -> str:
    """What makes one: a dataclass's fields, or what `__init__` takes."""
    if issubclass(cls, BaseModel):
        return "(**entries)"
    if issubclass(cls, enum.Enum):
        return ""
    if not dataclasses.is_dataclass(cls):
        own = "__init__" in vars(cls) and inspect.isfunction(cls.__init__)
        return of_function(cls.__init__, bound=True)[0] if own else ""
    fields = {field.name: field for field in dataclasses.fields(cls) if field.init}
    written: dict[str, str] = {}
    for base in reversed([base for base in cls.__mro__ if dataclasses.is_dataclass(base)]):
        node, source = _tree(base)
        assert isinstance(node, ast.ClassDef)
        for line in node.body:
            if isinstance(line, ast.AnnAssign) and isinstance(line.target, ast.Name) and line.target.id in fields:
                written[line.target.id] = _field(line, source)
    return f"({', '.join(written[name] for name in fields if name in written)})"


def _field(line: ast.AnnAssign, source: str) -> str:
    assert isinstance(line.target, ast.Name)
    default = line.value
    if isinstance(default, ast.Call) and isinstance(default.func, ast.Name) and default.func.id == "field":
        settings = {keyword.arg: keyword.value for keyword in default.keywords}
        if "default_factory" in settings:
            factory = ast.unparse(settings["default_factory"])
            made = FACTORIES.get(factory, "...")
            return f"{_argument(line.target.id, line.annotation, None, source)} = {made}"
        default = settings.get("default")
    return _argument(line.target.id, line.annotation, default, source)


def write_signature(
    app: Sphinx, what: str, name: str, obj: Any, options: Any, signature: str | None, returned: str | None
) -> tuple[str | None, str | None] | None:
    """Autodoc's event: the signature from the source, where there is one."""
    if what == "class":
        return of_class(obj), None
    if what in ("function", "method"):
        function = obj.__func__ if inspect.ismethod(obj) else obj
        bound = what == "method" and (inspect.ismethod(obj) or not _is_static(name, obj))
        try:
            return of_function(function, bound=bound)
        except (OSError, TypeError):
            return None
    return None


def _is_static(name: str, obj: Any) -> bool:
    first = next(iter(inspect.signature(obj).parameters), "")
    return first not in ("self", "cls")
