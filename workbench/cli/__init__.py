"""`workbench`: the command line, thin over the package's public names.

Each module holds the commands of one kind; help lists them in the order in which these modules are imported. A command
checks what was asked before it imports anything large, so help and mistakes never wait for torch.
"""

from workbench.cli import studying, replicating, concepts, exploring, finding, scoring, exporting, machine  # noqa: I001
from workbench.cli.application import app, main

__all__ = [
    "app",
    "concepts",
    "exploring",
    "exporting",
    "finding",
    "machine",
    "main",
    "replicating",
    "scoring",
    "studying",
]
