"""Keep results of the harness as parquet files, and read them back if they are undamaged and of the same key."""

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
    """Write the two tables, each with the key of what it depends on."""
    write_table(stem.with_name(f"{stem.name}.samples.parquet"), samples, key=key, about=about)
    write_table(stem.with_name(f"{stem.name}.aggregate.parquet"), aggregate, key=key, about=about)


def read_outcomes(stem: Path, key: str) -> tuple[pd.DataFrame, pd.DataFrame] | None:
    """The two tables; None where they do not exist or have another key.

    Raises:
        ValueError: if a file is damaged.
    """
    tables = []
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
        tables.append(table.to_pandas())
    return tables[0], tables[1]


def write_table(path: Path, frame: pd.DataFrame, *, key: str = "", about: Mapping[str, Any] | None = None) -> None:
    """Write a table with a checksum on every page, its key and a description of what it is about."""
    table = pa.Table.from_pandas(frame, preserve_index=False)
    metadata = {_KEY: key, b"about": json.dumps(dict(about or {}), default=str)}
    with whole_file(path) as temporary:
        pq.write_table(
            table.replace_schema_metadata({**(table.schema.metadata or {}), **metadata}),
            temporary,
            write_page_checksum=True,
        )
