"""The documentation builds without a warning, is whole, loads nothing from elsewhere; its snippets run as printed."""

import contextlib
import html
import importlib
import importlib.util
import inspect
import io
import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest

import workbench as wb

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = [*sorted((DOCS / "guide").glob("[0-9]*.md")), DOCS / "published-concepts.md"]
FENCE = re.compile(r"^```(\w+)( raises)?\n(.*?)^```$", re.DOTALL | re.MULTILINE)


def snippets(page: Path) -> list[tuple[str, bool, str | None]]:
    """A page's python blocks in order: the code, whether it must fail, and what the text block right below shows."""
    text = page.read_text(encoding="utf-8")
    blocks = list(FENCE.finditer(text))
    found = []
    for block, after in zip(blocks, [*blocks[1:], None], strict=True):
        if block[1] == "python":
            below = after is not None and after[1] == "text" and not text[block.end() : after.start()].strip()
            found.append((block[3], block[2] is not None, after[3] if below and after is not None else None))
    return found


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_the_guides_snippets_run_as_printed(page: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("WORKBENCH_JUDGE_MODEL", raising=False)
    names: dict = {}
    blocks = snippets(page)
    assert blocks
    for code, fails, shown in blocks:
        said = io.StringIO()
        compiled = compile(code, str(page), "exec")
        with contextlib.redirect_stdout(said):
            if fails:
                with pytest.raises(Exception) as caught:  # noqa: PT011
                    exec(compiled, names)
                said.write(str(caught.value))
            else:
                exec(compiled, names)
        if shown is not None:
            assert said.getvalue().rstrip() == shown.rstrip()


sphinx = pytest.mark.skipif(
    any(importlib.util.find_spec(name) is None for name in ("sphinx", "furo", "myst_parser", "sphinx_copybutton")),
    reason="the extra docs is not installed",
)


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, built once in a process of its own, for Sphinx leaves traces in one."""
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going", "-E", "-b", "html"]
    path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        [*command, "-d", str(folder / "doctrees"), str(DOCS), str(folder / "html")],
        env=os.environ | {"PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return folder / "html"


class Links(HTMLParser):
    """What a page refers to, what it loads by itself, and the anchors that it has."""

    def __init__(self) -> None:
        super().__init__()
        self.to: list[str] = []
        self.loaded: list[str] = []
        self.anchors: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.anchors |= {given[name] for name in ("id", "name") if name in given}
        if tag == "a" and "href" in given:
            self.to.append(given["href"])
        if tag in ("script", "img", "source", "iframe", "video") and "src" in given:
            self.loaded.append(given["src"])
        if tag == "link" and given.get("rel") not in ("index", "search", "next", "prev", "author", "copyright"):
            self.loaded.append(given.get("href", ""))


@pytest.fixture(scope="session")
def links(site: Path) -> dict[Path, Links]:
    found = {}
    for page in sorted(site.rglob("*.html")):
        found[page] = Links()
        found[page].feed(page.read_text(encoding="utf-8"))
    return found


@sphinx
def test_every_link_and_image_of_the_site_resolves(site: Path, links: dict[Path, Links]) -> None:
    lost = []
    for page, own in links.items():
        for target in [*own.to, *own.loaded]:
            parts = urlsplit(target)
            if parts.scheme or parts.netloc:
                continue
            file = (page.parent / unquote(parts.path)).resolve() if parts.path else page
            anchor = unquote(parts.fragment)
            known = not anchor or (file in links and anchor in links[file].anchors)
            if not file.exists() or not known:
                lost.append(f"{page.relative_to(site)}: {target}")
    assert lost == []


@sphinx
def test_nothing_is_loaded_from_elsewhere(site: Path, links: dict[Path, Links]) -> None:
    elsewhere = {
        target for own in links.values() for target in own.loaded if urlsplit(target).scheme not in ("", "data")
    }
    elsewhere |= {target for own in links.values() for target in own.loaded if target.startswith("//")}
    assert elsewhere == set()
    fetched = re.compile(r"@import\s+(?:url\()?[\"']?(?:https?:)?//|url\(\s*[\"']?(?:https?:)?//")
    assert [sheet.name for sheet in site.rglob("*.css") if fetched.search(sheet.read_text(encoding="utf-8"))] == []


def public() -> dict[str, Any]:
    """Every public name's value by the shortest way to it: through the root, or else through its package."""
    here = {name: getattr(wb, name) for name in wb.__all__}
    values: dict[str, Any] = {}
    packages = [value for value in here.values() if inspect.ismodule(value)]
    for package in (wb, *packages, importlib.import_module("workbench.capture")):
        for name in package.__all__:
            value = getattr(package, name)
            foreign = inspect.isclass(value) and not value.__module__.startswith("workbench")
            if (package is wb or name not in here) and not inspect.ismodule(value) and not foreign:
                values[f"{package.__name__}.{name}"] = value
    return values


@sphinx
def test_every_public_name_has_an_entry_with_a_text(site: Path) -> None:
    pages = "\n".join(page.read_text(encoding="utf-8") for page in (site / "reference" / "api").glob("*.html"))
    bare = []
    for name in public():
        entry = re.search(rf'<dt class="sig[^>]*id="{re.escape(name)}">.*?</dt>\s*<dd>(.*?)</dd>', pages, re.DOTALL)
        if entry is None or not re.sub(r"<[^>]+>", "", entry[1]).strip():
            bare.append(name)
    assert bare == []


def test_every_public_class_says_what_its_members_do() -> None:
    bare = []
    for name, value in public().items():
        if callable(value) and not inspect.getdoc(value):
            bare.append(name)
        if inspect.isclass(value):
            members = {own: getattr(value, own) for own in vars(value) if not own.startswith("_")}
            told = (callable, lambda member: isinstance(member, property))
            ours = {own: member for own, member in members.items() if any(is_one(member) for is_one in told)}
            bare += [f"{name}.{own}" for own, member in ours.items() if not inspect.getdoc(member)]
    assert bare == []


@sphinx
def test_shapes_and_defaults_are_shown_as_they_are_written(site: Path) -> None:
    page = (site / "reference" / "api" / "measure.html").read_text(encoding="utf-8")
    text = html.unescape(re.sub(r"<[^>]+>", "", page))
    assert "write_norms: Float[Tensor, 'layer d_mlp'] | None = None" in text
    assert "jaxtyping." not in text
    edits = html.unescape(re.sub(r"<[^>]+>", "", (site / "reference/api/export.html").read_text(encoding="utf-8")))
    assert "prompts: Sequence[str] = ..." in edits
    assert "Describe an ordinary Tuesday." not in edits


def flat(group: Any, before: str = "") -> dict[str, Any]:
    """Every command by name, and those of a group as `group command`."""
    found = {}
    for name, command in group.commands.items():
        found[f"{before}{name}"] = command
        found |= flat(command, f"{before}{name} ") if hasattr(command, "commands") else {}
    return found


@sphinx
def test_every_command_option_and_study_entry_is_there(site: Path) -> None:
    from typer.main import get_command

    from workbench import cli

    page = (site / "reference" / "command-line.html").read_text(encoding="utf-8")
    for name, command in flat(get_command(cli.app)).items():
        assert f'id="{name.replace(" ", "-")}"' in page
        spelt = [option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)]
        options = {option for option in spelt if option.startswith("--")}
        assert {option for option in options - {"--help"} if f">{option}</span>" not in page} == set()
    page = (site / "reference" / "study-file.html").read_text(encoding="utf-8")
    assert [name for name in wb.StudyConfig.model_fields if f">{name}</span>" not in page] == []


@sphinx
def test_every_figure_of_the_repository_s_page_is_in_the_gallery(site: Path, links: dict[Path, Links]) -> None:
    text = (ROOT / "figures" / "README.md").read_text(encoding="utf-8")
    drawn = {
        Path(target).name
        for target in re.findall(r"!\[[^\]]*\]\(([^)\s]+)\)|src=\"([^\"]+)\"", text)
        for target in target
        if target
    }
    shown = {Path(target).name for target in links[site / "gallery.html"].loaded}
    assert drawn
    assert drawn <= shown


@sphinx
def test_a_part_that_went_is_told_by_its_name() -> None:
    found = importlib.util.spec_from_file_location("including", DOCS / "_ext" / "including.py")
    assert found is not None
    assert found.loader is not None
    including = importlib.util.module_from_spec(found)
    found.loader.exec_module(including)
    text = (
        "# Title\n\nFirst.\n\n## One\n\n```bash\n## no heading\n```\n\n## Two\n\n[a](docs/llama-3-8b.md) [b](LICENSE)\n"
    )
    assert including.part(text, "x.md", None, sections=True).strip() == "First."
    assert "## no heading" in including.part(text, "x.md", "One", sections=True)
    with pytest.raises(ValueError, match="x.md has no section 'Three'. Include one of \\['One', 'Two'\\]"):
        including.part(text, "x.md", "Three", sections=True)
    led = including.relinked(text, ROOT / "x.md", DOCS / "index.md")
    assert "[a](/llama-3-8b.md) b" in led


def test_the_commands_that_pages_name_exist() -> None:
    from typer.main import get_command

    from workbench import cli

    commands = flat(get_command(cli.app))
    unknown = []
    for page in DOCS.rglob("*.md"):
        text = page.read_text(encoding="utf-8").replace("\\\n", " ")
        for words in (match.split() for match in re.findall(r"(?:^|`)workbench ([a-z][^`\n]*)", text, re.MULTILINE)):
            named = " ".join(words[:2]) if " ".join(words[:2]) in commands else words[0]
            if named not in commands:
                unknown.append(f"{page.name}: {words[0]}")
                continue
            spelt = [option for each in commands[named].params for option in (*each.opts, *each.secondary_opts)]
            options = {word for word in words if word.startswith("--")} - {"--json", "--help"}
            unknown += [f"{page.name}: {words[0]} {option}" for option in options - set(spelt)]
    assert unknown == []
