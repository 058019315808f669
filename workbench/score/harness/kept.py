"""Outcomes of the harness on disk: parquet files written whole or not at all, read back only if whole and as asked."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from workbench.whole import whole_file

_KEY = b"workbench harness 1"


def write_outcomes(
    stem: Path, key: str, samples: pd.DataFrame, aggregate: pd.DataFrame, about: Mapping[str, Any]
) -> None:
    """Keep the two tables beside each other, with the key of all that they depend on."""
    write_table(stem.with_name(f"{stem.name}.samples.parquet"), samples, key=key, about=about)
    write_table(stem.with_name(f"{stem.name}.aggregate.parquet"), aggregate, key=key, about=about)


def read_outcomes(stem: Path, key: str) -> tuple[pd.DataFrame, pd.DataFrame] | None:
    """The two tables as they were kept; None where they are not there, or were made from anything else.

    Raises:
        ValueError: if a file is damaged; it is never recomputed in silence.
    """
    found = []
    for kind in ("samples", "aggregate"):
        path = stem.with_name(f"{stem.name}.{kind}.parquet")
        if not path.is_file():
            return None
        try:
            table = pq.read_table(path, page_checksum_verification=True)
        except (OSError, pa.ArrowException) as error:
            raise ValueError(f"{path} is damaged ({error}). Remove it to compute it again.") from None
        if (table.schema.metadata or {}).get(_KEY, b"").decode() != key:
            return None
        found.append(table.to_pandas())
    return found[0], found[1]


def write_table(path: Path, frame: pd.DataFrame, *, key: str = "", about: Mapping[str, Any] | None = None) -> None:
    """A table with a checksum on every page, what it is about beside it."""
    table = pa.Table.from_pandas(frame, preserve_index=False)
    told = {_KEY: key, b"about": json.dumps(dict(about or {}), default=str)}
    with whole_file(path) as temporary:
        pq.write_table(
            table.replace_schema_metadata({**(table.schema.metadata or {}), **told}),
            temporary,
            write_page_checksum=True,
        )
