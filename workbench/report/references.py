"""What a study rests on: methods behind its arms, sources of its statistics, and their BibTeX entries."""

from collections.abc import Collection

_DPN_LE = ("DPN-LE", "DPN-LE weighted", "DPN-LE directional", "magnitude only", "d only", "largest min_d")

ARMS: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(_DPN_LE, ("zheng2026dpnle",)),
    "NPTI": ("deng2025npti",),
    "residual": ("rimsky2024caa",),
    "residual one layer": ("rimsky2024caa",),
    "heads": ("li2023iti", "zhu2025pas"),
    "description prompt": ("jiang2023mpi",),
}
"""By arm, the papers whose method it is or follows."""

STATISTICS: tuple[tuple[tuple[str, ...], str, tuple[str, ...]], ...] = (
    (
        ("effects",),
        "effect sizes d, with errors robust to clusters of descriptions and questions",
        ("cohen1988", "cameron2011"),
    ),
    (
        ("null", "null_counts"),
        "nulls of shuffled labels: max-T over neurons, false-discovery rate",
        ("westfall1993", "phipson2010", "benjamini1995"),
    ),
    (("dose", "tradeoff", "equal_dose"), "percentile bootstrap of whole clusters", ("davison1997",)),
    (("shifts", "shifts_*"), "sign flips of whole clusters, Holm over traits", ("fisher1935", "holm1979")),
    (
        ("against_controls", "draws"),
        "rank among the draws of each random control; clusters and draws resampled",
        ("phipson2010", "owen2007"),
    ),
    (
        ("equal_shift", "equal_loss", "equal_shift_by_dose"),
        "doses read off rising fits, repeated in every resample",
        ("barlow1972",),
    ),
    (
        ("*_tests", "kept"),
        "paired proportions: score intervals, exact tests of discordant items",
        ("tango1998", "mcnemar1947"),
    ),
    (("statements_wrong_way",), "shares of statements, with score intervals", ("wilson1927",)),
    (
        ("patching", "patching_verdict"),
        "interchange of activations, ratios of means over clusters",
        ("vig2020", "geiger2021", "cameron2015"),
    ),
)
"""The tables that hold a statistic (`*` stands for a quantity), the statistic, and its sources."""


def statistics_of(tables: Collection[str]) -> list[tuple[str, str, tuple[str, ...]]]:
    """The statistics of a study that has these tables: the tables, the statistic, the keys of its sources."""
    found = []
    for patterns, what, sources in STATISTICS:
        held = [name for name in tables if any(_matches(name, pattern) for pattern in patterns)]
        if held:
            found.append((", ".join(held), what, sources))
    return found


def bibtex(keys: Collection[str]) -> str:
    """The BibTeX entries of these keys, in the order of the package's list.

    Raises:
        KeyError: for a key that is none.
    """
    unknown = [key for key in keys if key not in ENTRIES]
    if unknown:
        raise KeyError(unknown[0])
    return "\n\n".join(_entry(key, *entry) for key, entry in ENTRIES.items() if key in keys)


def _matches(name: str, pattern: str) -> bool:
    before, star, after = pattern.partition("*")
    return name == pattern if not star else name.startswith(before) and name.endswith(after) and name != before + after


def _entry(key: str, kind: str, fields: dict[str, str]) -> str:
    width = max(map(len, fields))
    lines = [f"  {name:<{width}} = {{{value}}}" for name, value in fields.items()]
    return f"@{kind}{{{key},\n" + ",\n".join(lines) + "\n}"


def _article(author: str, title: str, journal: str, year: str, **more: str) -> tuple[str, dict[str, str]]:
    return "article", {"author": author, "title": title, "journal": journal, **more, "year": year}


def _paper(author: str, title: str, booktitle: str, year: str, **more: str) -> tuple[str, dict[str, str]]:
    return "inproceedings", {"author": author, "title": title, "booktitle": booktitle, **more, "year": year}


def _book(author: str, title: str, publisher: str, year: str) -> tuple[str, dict[str, str]]:
    return "book", {"author": author, "title": title, "publisher": publisher, "year": year}


_NEURIPS = "Advances in Neural Information Processing Systems"

ENTRIES: dict[str, tuple[str, dict[str, str]]] = {
    "zheng2026dpnle": _article(
        "Zheng and others",
        "{DPN-LE}: Dual Personality Neuron Localization and Editing for Large Language Models",
        "arXiv preprint arXiv:2604.27929",
        "2026",
    ),
    "deng2025npti": _paper(
        "Deng, Jia and others",
        "Neuron-based Personality Trait Induction in Large Language Models",
        "International Conference on Learning Representations",
        "2025",
    ),
    "rimsky2024caa": _paper(
        "Rimsky, Nina and Gabrieli, Nick and Schulz, Julian and Tong, Meg and Hubinger, Evan and Turner, Alexander",
        "Steering {Llama} 2 via Contrastive Activation Addition",
        "Proceedings of the 62nd Annual Meeting of the Association for Computational Linguistics",
        "2024",
    ),
    "li2023iti": _paper(
        "Li, Kenneth and Patel, Oam and Vi{\\'e}gas, Fernanda and Pfister, Hanspeter and Wattenberg, Martin",
        "Inference-Time Intervention: Eliciting Truthful Answers from a Language Model",
        _NEURIPS,
        "2023",
    ),
    "zhu2025pas": _paper(
        "Zhu, Minjun and others",
        "Personality Alignment of Large Language Models",
        "International Conference on Learning Representations",
        "2025",
    ),
    "jiang2023mpi": _paper(
        "Jiang, Guangyuan and Xu, Manjie and Zhu, Song-Chun and Han, Wenjuan and Zhang, Chi and Zhu, Yixin",
        "Evaluating and Inducing Personality in Pre-trained Language Models",
        _NEURIPS,
        "2023",
    ),
    "barlow1972": _book(
        "Barlow, R. E. and Bartholomew, D. J. and Bremner, J. M. and Brunk, H. D.",
        "Statistical Inference under Order Restrictions",
        "Wiley",
        "1972",
    ),
    "benjamini1995": _article(
        "Benjamini, Yoav and Hochberg, Yosef",
        "Controlling the False Discovery Rate: A Practical and Powerful Approach to Multiple Testing",
        "Journal of the Royal Statistical Society: Series B",
        "1995",
        volume="57",
        number="1",
        pages="289--300",
    ),
    "cameron2011": _article(
        "Cameron, A. Colin and Gelbach, Jonah B. and Miller, Douglas L.",
        "Robust Inference with Multiway Clustering",
        "Journal of Business \\& Economic Statistics",
        "2011",
        volume="29",
        number="2",
        pages="238--249",
    ),
    "cameron2015": _article(
        "Cameron, A. Colin and Miller, Douglas L.",
        "A Practitioner's Guide to Cluster-Robust Inference",
        "Journal of Human Resources",
        "2015",
        volume="50",
        number="2",
        pages="317--372",
    ),
    "cohen1988": _book("Cohen, Jacob", "Statistical Power Analysis for the Behavioral Sciences", "Erlbaum", "1988"),
    "davison1997": _book(
        "Davison, A. C. and Hinkley, D. V.",
        "Bootstrap Methods and their Application",
        "Cambridge University Press",
        "1997",
    ),
    "fisher1935": _book("Fisher, R. A.", "The Design of Experiments", "Oliver and Boyd", "1935"),
    "geiger2021": _paper(
        "Geiger, Atticus and Lu, Hanson and Icard, Thomas and Potts, Christopher",
        "Causal Abstractions of Neural Networks",
        _NEURIPS,
        "2021",
    ),
    "holm1979": _article(
        "Holm, Sture",
        "A Simple Sequentially Rejective Multiple Test Procedure",
        "Scandinavian Journal of Statistics",
        "1979",
        volume="6",
        number="2",
        pages="65--70",
    ),
    "mcnemar1947": _article(
        "McNemar, Quinn",
        "Note on the Sampling Error of the Difference between Correlated Proportions or Percentages",
        "Psychometrika",
        "1947",
        volume="12",
        number="2",
        pages="153--157",
    ),
    "owen2007": _article(
        "Owen, Art B.",
        "The Pigeonhole Bootstrap",
        "The Annals of Applied Statistics",
        "2007",
        volume="1",
        number="2",
        pages="386--411",
    ),
    "phipson2010": _article(
        "Phipson, Belinda and Smyth, Gordon K.",
        "Permutation P-values Should Never Be Zero: Calculating Exact P-values When Permutations Are Randomly Drawn",
        "Statistical Applications in Genetics and Molecular Biology",
        "2010",
        volume="9",
        number="1",
    ),
    "tango1998": _article(
        "Tango, Toshiro",
        "Equivalence Test and Confidence Interval for the Difference in Proportions for the Paired-Sample Design",
        "Statistics in Medicine",
        "1998",
        volume="17",
        number="8",
        pages="891--908",
    ),
    "vig2020": _paper(
        "Vig, Jesse and others",
        "Investigating Gender Bias in Language Models Using Causal Mediation Analysis",
        _NEURIPS,
        "2020",
    ),
    "westfall1993": _book(
        "Westfall, Peter H. and Young, S. Stanley", "Resampling-Based Multiple Testing", "Wiley", "1993"
    ),
    "wilson1927": _article(
        "Wilson, Edwin B.",
        "Probable Inference, the Law of Succession, and Statistical Inference",
        "Journal of the American Statistical Association",
        "1927",
        volume="22",
        number="158",
        pages="209--212",
    ),
}  # fmt: skip
"""By key, the kind of entry and its fields."""
