"""Sphinx's configuration: the guide is written by hand, the reference is read from the code, and nothing is fetched."""

import sys
from pathlib import Path

from docutils import nodes
from docutils.nodes import TextElement
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE.parent), str(HERE / "_ext")]

import command_line  # noqa: E402
import docstrings  # noqa: E402
import floors  # noqa: E402
import including  # noqa: E402
import signatures  # noqa: E402
import study_entries  # noqa: E402

import workbench as wb  # noqa: E402

project = "workbench"
version = release = wb.__version__
copyright = "MIT licence"
language = "en"

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx_copybutton"]
exclude_patterns = ["_build"]
source_suffix = {".md": "markdown", ".rst": "restructuredtext"}
myst_enable_extensions = ["deflist", "html_image", "colon_fence"]
myst_heading_anchors = 3
suppress_warnings = ["myst.header"]  # an included part may begin below the page's own level

html_theme = "furo"
html_title = "workbench"
html_static_path = ["_static"]
html_css_files = ["workbench.css"]
html_show_sphinx = False
html_show_copyright = False
smartquotes_action = "q"  # a dash may be part of an option
html_copy_source = False
html_show_sourcelink = False
html_theme_options = {"navigation_with_keys": True}
pygments_style = "friendly"
pygments_dark_style = "github-dark"
copybutton_prompt_text = r">>> |\.\.\. "
copybutton_prompt_is_regexp = True

autodoc_default_options = {"member-order": "bysource"}
autodoc_typehints_format = "short"
python_use_unqualified_type_names = True
python_maximum_signature_line_length = 88
add_module_names = False
toc_object_entries_show_parents = "hide"

GENERATED = {
    "<!-- commands -->": command_line.reference,
    "<!-- study entries -->": study_entries.reference,
    "<!-- study example -->": study_entries.example,
    "<!-- floors -->": floors.contents,
    "<!-- notebooks -->": including.notebooks,
    "<!-- software citation -->": including.citation,
}
"""Marks in a page, and the functions that write their replacement from the code."""


def generate(app: Sphinx, page: str, source: list[str]) -> None:
    """Replace the marks of a page by text that is read from the code."""
    for mark, written in GENERATED.items():
        if mark in source[0]:
            app.env.note_reread()
            source[0] = source[0].replace(mark, written())
    including.include(app, page, source)
    source[0] = floors.linked(source[0])


def short_bases(app: Sphinx, name: str, obj: type, options: object, bases: list) -> None:
    """Show only our own base classes, by the names under which they are documented."""
    public = {id(value): full for full, (_, value) in floors.public().items()}
    ours = [base for base in bases if getattr(base, "__module__", "").startswith("workbench.")]
    bases[:] = [f":py:class:`{public.get(id(base), base.__qualname__)}`" for base in ours] or [object]


def find_ours(app: Sphinx, env: BuildEnvironment, node: pending_xref, text: TextElement) -> nodes.Element | None:
    """Resolve a class or a member by its last names, e.g. `Tally.merge`, if only one object has them."""
    target = node.get("reftarget", "").removesuffix("()")
    if node.get("refdomain") != "py" or not target[:1].isupper():
        return None
    domain = env.domains.python_domain
    names = [name for name in domain.objects if name.endswith(f".{target}")]
    if len(names) != 1:
        return None
    node["reftarget"] = names[0]
    return domain.resolve_xref(env, node["refdoc"], app.builder, "obj", names[0], node, text)


def setup(app: Sphinx) -> None:
    app.connect("builder-inited", floors.write_pages)
    app.connect("source-read", generate)
    app.connect("autodoc-process-docstring", docstrings.read_docstring)
    app.connect("autodoc-process-signature", signatures.write_signature)
    app.connect("autodoc-process-bases", short_bases)
    app.connect("missing-reference", find_ours)
