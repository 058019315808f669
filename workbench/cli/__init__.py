"""`workbench`: the command line, thin over the package's public names.

Each module holds the commands of one kind; help lists them in the order in which these modules are imported. A command
checks what was asked before it imports anything large, so help and mistakes never wait for torch.
"""

from workbench.cli import (  # noqa: I001
    studying,
    replicating,
    concepts,
    exploring,
    finding,
    monitoring,
    scoring,
    citing,
    exporting,
    machine,
)
from workbench.cli.application import app, main

__all__ = [
    "app",
    "citing",
    "concepts",
    "exploring",
    "exporting",
    "finding",
    "machine",
    "main",
    "monitoring",
    "replicating",
    "scoring",
    "studying",
]
