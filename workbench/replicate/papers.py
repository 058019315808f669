"""The papers whose protocols are in the package."""

PAPERS: dict[str, str] = {"dpn-le": "dpn_le.toml", "npti": "npti.toml", "caa": "caa.toml"}
"""Their files in `published`, by the papers' names."""
