"""`workbench`: the command line, thin over the package's public names.

Each module holds the commands of one kind; they are listed in the help in the order in which they join.
"""

from workbench.cli import studying, exploring, finding, scoring, exporting, machine  # noqa: I001
from workbench.cli.application import app, main

__all__ = ["app", "exploring", "exporting", "finding", "machine", "main", "scoring", "studying"]
