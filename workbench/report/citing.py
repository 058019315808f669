"""What a paper has to say of a study: a methods paragraph, its settings, statistics, limits and references."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from workbench.printable import printable
from workbench.report.latex import escaped, latex_table
from workbench.report.limits import limits_of
from workbench.report.measured import has_dose
from workbench.report.references import ARMS, bibtex, statistics_of
from workbench.study.study import Study, load_study

_HASH = re.compile(r"\b([0-9a-f]{16})[0-9a-f]{48}\b")
_CITED = re.compile(r"\[(@[\w]+(?:; @[\w]+)*)\]")
_SOFTWARE = "workbench"


@dataclass(frozen=True)
class Citation:
    """A study in the words of a methods section; nothing in it that the study's folder does not say.

    Attributes:
        title: method and model.
        methods: paragraphs, with sources as `[@key]`.
        settings: columns setting, value: what a replication needs, with hashes and versions.
        statistics: columns tables, statistic, sources.
        limits: columns limit, what it means.
        keys: what is cited, in order.
        references: BibTeX entries of all that is cited, the software first.
    """

    title: str
    methods: tuple[str, ...]
    settings: pd.DataFrame
    statistics: pd.DataFrame
    limits: pd.DataFrame
    keys: tuple[str, ...]
    references: str

    def markdown(self) -> str:
        """All of it as Markdown, with sources as pandoc reads them: `[@key]`."""
        parts = [f"# Methods: {_md(self.title)}", *map(_md_prose, self.methods)]
        for heading, frame in self._tables():
            parts += [f"## {heading}", _md_table(frame)]
        return "\n\n".join([*parts, "## References", f"```bibtex\n{self.references}\n```"]) + "\n"

    def latex(self) -> str:
        """All of it as LaTeX, to be input; needs booktabs, longtable and pdflscape. The entries are written to a file
        `workbench-study.bib` when it is typeset."""
        parts = [f"\\section{{Methods: {escaped(self.title)}}}", *map(_tex_prose, self.methods)]
        for heading, frame in self._tables():
            shown = frame.map(_without_marks)
            parts.append(latex_table(shown, caption=f"{heading}.", label=f"tab:workbench-{heading.lower()}"))
        entries = (
            f"\\begin{{filecontents*}}[overwrite]{{workbench-study.bib}}\n{self.references}\n\\end{{filecontents*}}"
        )
        return "\n\n".join([*parts, entries]) + "\n"

    def _tables(self) -> list[tuple[str, pd.DataFrame]]:
        named = {"Settings": self.settings, "Statistics": self.statistics, "Limits": self.limits}
        return [(name, frame) for name, frame in named.items() if len(frame)]

    def _repr_markdown_(self) -> str:
        return self.markdown()

    def __str__(self) -> str:
        return self.markdown()


def cite(study: Study | str | Path) -> Citation:
    """What a paper has to say of a finished study: methods, settings with hashes and versions, statistics, limits.

    All of it is read from the study's manifest, its file and the names of its tables.

    Args:
        study: a study, or its folder.

    Raises:
        FileNotFoundError: if there is no study in the folder.
        ValueError: if it was not finished.
    """
    study = study if isinstance(study, Study) else load_study(study)
    statistics = statistics_of(study.tables)
    methods = _methods(study)
    keys = [
        _SOFTWARE,
        *(key[1:] for text in methods for match in _CITED.finditer(text) for key in match[1].split("; ")),
    ]
    keys += [key for _, _, sources in statistics for key in sources]
    cited = tuple(dict.fromkeys(keys))
    rows = [(tables, what, _sources(sources)) for tables, what, sources in statistics]
    return Citation(
        title=f"{study.method} on {study.manifest['model']}",
        methods=methods,
        settings=pd.DataFrame(_settings(study), columns=["setting", "value"]),
        statistics=pd.DataFrame(rows, columns=["tables", "statistic", "sources"]),
        limits=limits_of(study),
        keys=cited,
        references="\n\n".join([_software(study), bibtex([key for key in cited if key != _SOFTWARE])]).strip(),
    )


def _methods(study: Study) -> tuple[str, ...]:
    """How it was done, in paragraphs."""
    config, manifest = study.config, study.manifest
    found = [
        f"We tested {study.method}{_sourced([study.method])} on {manifest['model']} with workbench "
        f"{manifest['versions']['workbench']} [@{_SOFTWARE}].",
        f"For {_listed(config.traits)}, {config.pairs} contrast pairs a trait came from {_bank(config.contrast)} (seed "
        f"{manifest['seed']}{_styled(study)}).",
        f"Prompts were rendered by {manifest['rendering']}." if manifest.get("rendering") else "",
        f"Neurons were read at {config.site}{_layers(study)} and chosen by the rule {config.rule} "
        f"({_thresholds(study)}).",
        f"These settings follow the {study.preset}." if study.preset else "",
    ]
    measured = [
        f"The dose, gamma {study.gamma:g}, was chosen among {_listed(f'{gamma:g}' for gamma in config.gammas)} on "
        f"search questions and items; what is reported was measured on others, in scope {config.scope}."
        if has_dose(study)
        else f"What is reported was measured in scope {config.scope}.",
        f"Of open questions, {config.search_questions} a trait chose the dose and {config.test_questions} are reported."
        if "answers" in set(study.quantities["outcome"])
        else "",
        f"The measure of the trait is {_label(study, study.target)}.",
        _costs(study),
        _arms(study),
        f"Intervals rest on {config.resamples} bootstrap resamples and nulls on {config.permutations} shuffled "
        f"labellings; random controls were drawn {config.draws} times.",
        f"Open answers were scored by the judge {config.judge.model}." if config.judge is not None else "",
    ]
    return tuple(" ".join(filter(None, sentences)) for sentences in (found, measured))


def _settings(study: Study) -> list[tuple[str, str]]:
    """What a replication needs, a row each."""
    config, manifest = study.config, study.manifest
    rows = [
        ("model", str(manifest["model"])),
        ("model fingerprint (SHA-256)", str(manifest["model_fingerprint"])),
        *((name, str(manifest[name])) for name in ("weights", "dtype") if manifest.get(name)),
        *(("template variable", f"{name} = {value!r}") for name, value in (manifest.get("template") or {}).items()),
        ("pairs", f"{config.contrast}, {config.pairs} a trait"),
        ("questions", config.questions),
        *(("concept", f"{name}: {_told(told)}") for name, told in (manifest.get("concepts") or {}).items()),
        ("seed", str(manifest["seed"])),
        ("target", study.target),
        ("outcomes", ", ".join(study.quantities["outcome"].drop_duplicates())),
        ("temperature", f"{config.temperature:g}"),
        ("most new tokens", str(config.max_new_tokens)),
    ]
    for name, step in manifest["steps"].items():
        if name.startswith(("tally/", "edits/")):
            rows += [(f"{name} {kind}".strip(), f"SHA-256 {each['sha256']}") for kind, each in step["files"].items()]
    rows += [(f"version of {name}", str(version)) for name, version in manifest["versions"].items()]
    return [*rows, ("machine", ", ".join(f"{name} {value}" for name, value in manifest["machine"].items()))]


def _told(entry: Any) -> str:
    """A concept's entry of the manifest in words."""
    if isinstance(entry, dict):
        return ", ".join(f"{name} {value}" for name, value in entry.items() if value)
    return str(entry)


def _software(study: Study) -> str:
    version = study.manifest["versions"]["workbench"]
    return (
        f"@software{{{_SOFTWARE},\n  title   = {{workbench: neurons that carry a trait in language models, found, "
        f"edited and tested}},\n  version = {{{version}}}\n}}"
    )


def _listed(words: Iterable[str]) -> str:
    """Words in a row.

    Example:
        >>> _listed(["a", "b", "c"])
        'a, b and c'
    """
    every = list(words)
    return every[0] if len(every) == 1 else f"{', '.join(every[:-1])} and {every[-1]}"


def _bank(contrast: str) -> str:
    named = {"testbed": "the embedded model's bank", "builtin": "the built-in bank"}
    return named.get(contrast, contrast)


def _styled(study: Study) -> str:
    return f", {study.config.style} personas" if study.config.contrast == "builtin" else ""


def _layers(study: Study) -> str:
    layers = list(study.config.layers or ())
    if not layers:
        return ""
    run = layers == list(range(layers[0], layers[-1] + 1)) and len(layers) > 2
    return f" of layers {layers[0]} to {layers[-1]}" if run else f" of layers {_listed(map(str, layers))}"


def _thresholds(study: Study) -> str:
    config = study.config
    asked = {"q": config.quantile, "tau_d": config.min_d}
    named = {"dual": ("q", "tau_d"), "magnitude-only": ("q",), "d-only": ("tau_d",)}[config.rule]
    return ", ".join(f"{name} = {asked[name]:g}" for name in named)


def _label(study: Study, name: str) -> str:
    rows = study.quantities
    row = rows[rows["name"] == name].iloc[0]
    return f"{row['label']} ({row['unit']})"


def _costs(study: Study) -> str:
    rows = study.quantities
    labels = rows.loc[rows["role"] == "cost", "label"].drop_duplicates().tolist()
    return f"Costs are {_listed(labels)}." if labels else ""


def _arms(study: Study) -> str:
    by_role: dict[str, list[str]] = {}
    for arm, role in study.roles.items():
        if arm != study.method:
            by_role.setdefault(role, []).append(f"{arm}{_sourced([arm]) if arm != study.method else ''}")
    if not by_role:
        return "It was compared with the unedited model alone."
    names = {
        "method": "methods",
        "rival": "rivals",
        "control": "controls",
        "prompt": "prompts",
        "reference": "references",
    }
    told = "; ".join(f"{names[role]} {_listed(arms)}" for role, arms in by_role.items())
    return f"It was compared with {told}."


def _sourced(arms: Sequence[str]) -> str:
    keys = [key for arm in arms for key in ARMS.get(arm, ())]
    return f" {_sources(keys)}" if keys else ""


def _sources(keys: Sequence[str]) -> str:
    return f"[{'; '.join(f'@{key}' for key in keys)}]" if keys else ""


def _md(text: str) -> str:
    """A user's words as Markdown shows them literally."""
    return re.sub(r"([\\`*_{}\[\]<>|#])", r"\\\1", printable(" ".join(text.split()), keep=""))


def _md_prose(text: str) -> str:
    pieces = _CITED.split(text)
    return "".join(f"[{piece}]" if number % 2 else _md_kept(piece) for number, piece in enumerate(pieces))


def _md_kept(piece: str) -> str:
    """Like `_md`, with the blanks at both ends, which stand beside a source."""
    inner = _md(piece)
    return f"{' ' * (piece[:1] == ' ')}{inner}{' ' * (piece[-1:] == ' ' and bool(inner))}"


def _md_table(frame: pd.DataFrame) -> str:
    head = f"| {' | '.join(frame.columns)} |\n|{'---|' * len(frame.columns)}"
    rows = ["| " + " | ".join(_md_prose(str(cell)) for cell in row) + " |" for row in frame.itertuples(index=False)]
    return "\n".join([head, *rows])


def _tex_prose(text: str) -> str:
    pieces = _CITED.split(text)
    cited = [
        f"\\cite{{{piece.replace('@', '').replace('; ', ',')}}}" if number % 2 else escaped(piece)
        for number, piece in enumerate(pieces)
    ]
    return "".join(cited)


def _without_marks(cell: object) -> object:
    """Keys without brackets, as a table's cells hold no commands, and hashes cut to 16 digits, as lines are short."""
    if not isinstance(cell, str):
        return cell
    return _HASH.sub(r"\1…", _CITED.sub(lambda match: match[1].replace("@", ""), cell))
