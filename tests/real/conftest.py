"""The real model, SmolLM2-135M-Instruct, once for all tests; they skip where its package is not installed."""

import pytest

import workbench as wb
from workbench.model.gguf import PACKAGED


@pytest.fixture(scope="session")
def smollm2() -> wb.Model:
    try:
        PACKAGED["smollm2"].file()
    except FileNotFoundError as error:
        pytest.skip(f"{error} (or make smollm2)")
    return wb.load_model("smollm2")
