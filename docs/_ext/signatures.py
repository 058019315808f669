"""Signatures as the source writes them: short names of types, shapes in the types, and the names of defaults."""

import ast
import dataclasses
import enum
import inspect
import re
import sys
import textwrap
from collections.abc import Callable
from functools import cache
from typing import Any

import floors
from pydantic import BaseModel
from sphinx.application import Sphinx

FACTORIES = {"dict": "{}", "list": "[]", "set": "set()"}


@cache
def _tree(of: Any) -> tuple[ast.stmt, str]:
    source = textwrap.dedent(inspect.getsource(of))
    return ast.parse(source).body[0], source


def _annotation(node: ast.expr | None, source: str) -> str:
    """A type as the source writes it, without the quotes around a name and without the leading space of a shape."""
    if node is None:
        return ""
    quoted = node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None
    text = quoted if quoted is not None else ast.get_source_segment(source, node) or ast.unparse(node)
    return re.sub(r'" (?=\w)', '"', " ".join(text.split()))


def _argument(name: str, node: ast.expr | None, default: ast.expr | None, source: str) -> str:
    annotation = _annotation(node, source)
    text = f"{name}: {annotation}" if annotation else name
    if default is None:
        return text
    value = " ".join((ast.get_source_segment(source, default) or ast.unparse(default)).split())
    if value.startswith("_"):  # a private constant's name tells a reader nothing
        value = "..."
    return f"{text} = {value}" if annotation else f"{text}={value}"


def of_function(function: Callable[..., Any], *, bound: bool = False) -> tuple[str, str | None]:
    """Arguments and result of a function or method; without `self` or `cls` where it is bound."""
    node, source = _tree(inspect.unwrap(function))
    if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
        raise TypeError(f"{function!r} was not written with def, so its signature cannot be read.")
    arguments = node.args
    plain = [*arguments.posonlyargs, *arguments.args]
    defaults = [None] * (len(plain) - len(arguments.defaults)) + list(arguments.defaults)
    shown = [_argument(a.arg, a.annotation, d, source) for a, d in zip(plain, defaults, strict=True)]
    shown = shown[1:] if bound else shown
    if arguments.vararg is not None:
        shown.append(_argument(f"*{arguments.vararg.arg}", arguments.vararg.annotation, None, source))
    elif arguments.kwonlyargs:
        shown.append("*")
    keywords = zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)
    shown += [_argument(a.arg, a.annotation, d, source) for a, d in keywords]
    if arguments.kwarg is not None:
        shown.append(_argument(f"**{arguments.kwarg.arg}", arguments.kwarg.annotation, None, source))
    return f"({', '.join(shown)})", _annotation(node.returns, source) or None


def of_class(cls: type) -> str:
    """The arguments that make an instance: a dataclass's fields, or what `__init__` takes."""
    if issubclass(cls, BaseModel):
        return "(**entries)"
    if issubclass(cls, enum.Enum):
        return ""
    if not dataclasses.is_dataclass(cls):
        has_init = "__init__" in vars(cls) and inspect.isfunction(cls.__init__)
        return of_function(cls.__init__, bound=True)[0] if has_init else ""
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
            default_text = FACTORIES.get(factory, "...")
            return f"{_argument(line.target.id, line.annotation, None, source)} = {default_text}"
        default = settings.get("default")
    return _argument(line.target.id, line.annotation, default, source)


def write_signature(
    app: Sphinx, what: str, name: str, obj: Any, options: Any, signature: str | None, returned: str | None
) -> tuple[str | None, str | None] | None:
    """Autodoc's event: the signature from the source, where there is one."""
    module = getattr(obj, "__module__", "")
    if what == "class":
        return _qualified(of_class(obj), module), None
    if what in ("function", "method"):
        function = obj.__func__ if inspect.ismethod(obj) else obj
        bound = what == "method" and (inspect.ismethod(obj) or not _is_static(name, obj))
        try:
            arguments, result = of_function(function, bound=bound)
        except (OSError, TypeError):
            return None
        return _qualified(arguments, module), result and _qualified(result, module)
    return None


@cache
def _documented() -> dict[int, str]:
    """Where each class of the reference is documented, by the class's id."""
    public = floors.public()
    entries = {**floors.returned(public), **public}
    return {id(value): full for full, (_, value) in entries.items() if inspect.isclass(value)}


@cache
def _shared_names() -> set[str]:
    """Names that several documented classes have, so that a link needs the module as well."""
    names = [full.rsplit(".", 1)[1] for full in _documented().values()]
    return {name for name in names if names.count(name) > 1}


def _qualified(signature: str, module: str) -> str:
    """A signature in which a name that several classes share is written with its module; Sphinx shows it short."""

    def full(match: re.Match[str]) -> str:
        cls = getattr(sys.modules.get(module), match[0], None)
        return _documented().get(id(cls), match[0])

    names = "|".join(sorted(_shared_names()))
    return re.sub(rf"(?<![\w.])(?:{names})\b(?![\w.(])", full, signature) if names else signature


def _is_static(name: str, obj: Any) -> bool:
    first = next(iter(inspect.signature(obj).parameters), "")
    return first not in ("self", "cls")
