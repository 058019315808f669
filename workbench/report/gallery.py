"""A folder's figures as one page of Markdown: what was run, and each figure with its caption."""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from workbench.measure.summarising import ALL
from workbench.printable import one_line
from workbench.report.study_figures import StudyFigure
from workbench.study.study import Study

_MARKUP = re.compile(r"[\\`*\[\]<>&#|~]|(?<!\w)_|_(?!\w)")
_SHOWN = (".png", ".svg")  # formats that a page shows in place
_FAVOURED = "Extraversion"  # the trait that is shown where a figure has one drawing a trait


def gallery(study: Study, figures: Sequence[StudyFigure], written: Mapping[tuple[str, str], Sequence[Path]]) -> str:
    """The page.

    Args:
        figures: in reading order.
        written: the files of each figure's drawings, by its name and the trait.
    """
    lines = [
        "# Figures",
        "",
        f"{ran(study)} `workbench figures` (or `make figures`) draws these files from the study's folder, each beside "
        "the table that it shows.",
    ]
    group = ""
    for number, figure in enumerate(figures, start=1):
        if figure.group != group:
            group = figure.group
            lines += ["", f"## {group}"]
        trait = _favoured(list(figure.figures))
        files = {key: list(written[figure.name, key]) for key in figure.figures}
        title = figure.title if trait == ALL else f"{figure.title} ({trait})"
        lines += ["", f"### {number}. {title}", ""]
        images = {path.suffix: path for path in files[trait]}
        shown = next((images[suffix] for suffix in _SHOWN if suffix in images), None)
        if shown is not None:
            lines += [f"![{_alt(figure, trait)}]({shown.name})", ""]
        lines += [f"{figure.caption} *{settings(study)}.*", "", _named(figure, files)]
    return "\n".join(lines) + "\n"


def ran(study: Study) -> str:
    """What was run, in a sentence or two."""
    config, labels = study.config, study.quantities.drop_duplicates("name")["label"]
    measured = ", ".join(map(_literal, labels))
    traits = "1 trait" if len(config.traits) == 1 else f"{len(config.traits)} traits"
    whose = "chosen on search questions" if config.dose is None else "as given"
    return (
        f"The study of {_literal(study.method)} on the model {_literal(study.manifest['model'])}: {traits}, "
        f"{config.pairs} pairs of personas a trait, scope {config.scope}, gamma {study.gamma:g} {whose}, "
        f"seed {config.seed}. On held-out questions and items were measured: {measured}."
    )


def settings(study: Study) -> str:
    """The same, short enough to end a caption."""
    config = study.config
    return f"{_literal(study.manifest['model'])}, {config.pairs} pairs a trait, seed {config.seed}"


def _literal(text: object) -> str:
    """A name as Markdown shows it literally."""
    return _MARKUP.sub(r"\\\g<0>", one_line(text))


def _favoured(traits: list[str]) -> str:
    return next((trait for trait in (ALL, _FAVOURED) if trait in traits), traits[0])


def _alt(figure: StudyFigure, trait: str) -> str:
    return one_line(figure.alt(trait)).replace("[", "(").replace("]", ")")


def _named(figure: StudyFigure, files: Mapping[str, Sequence[Path]]) -> str:
    """The names of a figure's files; TRAIT stands for any trait."""
    endings = ", ".join(f"`{path.suffix}`" for path in next(iter(files.values())))
    stems = [f"`{figure.name}`"] if ALL in files else []
    if len(files) > len(stems):
        stems.append(f"`{figure.name}-TRAIT`, a file a trait")
    return f"Files: {' and '.join(stems)}; {endings}. Data: `{figure.name}.parquet`."
