"""Include parts of the repository's own pages in the site, so that nothing is written twice.

`<!-- include README.md # Ten lines -->` includes that section without its heading, `<!-- include README.md # -->` the
text before the first section, and `<!-- include CHANGELOG.md -->` everything but the title. Links and images are
rewritten for the site; a link to a file without a page becomes a download (notebooks) or plain text.
"""

import os
import re
import tomllib
from pathlib import Path

from sphinx.application import Sphinx

from workbench import __version__

ROOT = Path(__file__).parents[2]
PAGES = {
    "README.md": "index.md",
    "DESIGN.md": "house.md",
    "docs/llama-3-8b.md": "llama-3-8b.md",
    "workbench/testbed/CARD.md": "card.md",
    "figures/README.md": "gallery.md",
    "notebooks/README.md": "notebooks.md",
    "CHANGELOG.md": "changelog.md",
}
"""Files of the repository, and the page of the site that includes each."""

_MARK = re.compile(r"^<!-- include (\S+)( #(?: (.*?))?)? -->$", re.MULTILINE)
_FENCED = re.compile(r"(^```.*?^```$)", re.DOTALL | re.MULTILINE)
_LINK = re.compile(r"(!?)\[([^\]]*)\]\(([^)\s]+)\)")
_BOUNDS = re.compile(r"(?<=\[)([−+\d.]+), ([−+\d.]+)(?=\])")
_PICTURE = re.compile(r"<picture>.*?(<img\b[^>]*>).*?</picture>", re.DOTALL)
_FILES = re.compile(
    r"^Files: .*? (Data: `[^`]+`\.)$", re.MULTILINE
)  # these files are in the repository, not on the site
_SOURCE = re.compile(r"(<img\b[^>]*?\bsrc=\")([^\"]+)(\")")


def part(text: str, file: str, heading: str | None, *, sections: bool) -> str:
    """A file without its title, the text before its first section, or the text of one section."""
    body = re.sub(r"\A\s*# .*\n", "", text)
    pieces = re.split(r"^## (.*)\n", "".join(_hide(body)), flags=re.MULTILINE)
    if not sections:
        return body
    if heading is None:
        return _show(pieces[0], body)
    named = dict(zip(pieces[1::2], pieces[2::2], strict=True))
    if heading not in named:
        raise ValueError(f"{file} has no section {heading!r}. Include one of {list(named)}.")
    return _show(named[heading], body)


def _hide(text: str) -> list[str]:
    """The text with marks in place of fenced blocks, as a line of code may look like a heading."""
    return [f"\0{at}\0" if at % 2 else piece for at, piece in enumerate(_FENCED.split(text))]


def _show(text: str, whole: str) -> str:
    pieces = _FENCED.split(whole)
    return re.sub(r"\0(\d+)\0", lambda match: pieces[int(match[1])], text)


def relinked(text: str, file: Path, page: Path) -> str:
    """The text of `file` with its links rewritten for `page`, except in code."""

    def link(match: re.Match[str]) -> str:
        image, label, target = match.groups()
        path, hash_, anchor = target.partition("#")
        if re.match(r"[a-z]+:", target) or not path:
            return match[0]
        real = (file.parent / path).resolve()
        if image:
            return f"![{label}]({os.path.relpath(real, page.parent)})"
        inside = os.path.relpath(real, ROOT)
        if inside in PAGES:
            return f"[{label}](/{PAGES[inside]}{hash_}{anchor})"
        if real.is_file() and real.is_relative_to(ROOT / "notebooks"):
            return f"{{download}}`{label.replace('`', '')} <{os.path.relpath(real, page.parent)}>`"
        return label

    def source(match: re.Match[str]) -> str:
        return match[1] + os.path.relpath((file.parent / match[2]).resolve(), page.parent) + match[3]

    # An interval is kept on one line, also in a narrow column.
    whole = _BOUNDS.sub("\\1,\N{NO-BREAK SPACE}\\2", _PICTURE.sub(r"\1", _FILES.sub(r"\1", text)))
    pieces = _FENCED.split(whole)
    return "".join(piece if at % 2 else _SOURCE.sub(source, _LINK.sub(link, piece)) for at, piece in enumerate(pieces))


def include(app: Sphinx, docname: str, source: list[str]) -> None:
    """Sphinx's event: replace each mark by the part that it names."""
    page = Path(app.srcdir) / f"{docname}.md"

    def fetch(match: re.Match[str]) -> str:
        file = ROOT / match[1]
        app.env.note_dependency(str(file))
        if not file.is_file():
            raise FileNotFoundError(f"{docname} includes {match[1]}, but there is no such file. Correct the mark.")
        text = part(file.read_text(encoding="utf-8"), match[1], match[3], sections=match[2] is not None)
        return relinked(text, file, page)

    source[0] = _MARK.sub(fetch, source[0])


def notebooks() -> str:
    """The list of notebooks, if this checkout has it."""
    if (ROOT / "notebooks" / "README.md").is_file():
        return "<!-- include notebooks/README.md -->"
    return "This checkout holds no notebooks."


def citation() -> str:
    """The BibTeX entry of the software, from its metadata."""
    with (ROOT / "pyproject.toml").open("rb") as file:
        project = tomllib.load(file)["project"]
    return (
        "```bibtex\n@software{workbench,\n"
        f"  title   = {{workbench: {project['description'].rstrip('.')}}},\n"
        f"  version = {{{__version__}}},\n"
        f"  license = {{{project['license']}}}\n}}\n```"
    )
