"""Runs README's ten lines with the workbench that is installed, and says where that is."""

import re
import sys
from pathlib import Path

README = Path(__file__).parents[1] / "README.md"


def main() -> None:
    [snippet] = re.findall(r"## Ten lines\n\n```python\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
    exec(compile(snippet, "README.md", "exec"), {})
    import workbench

    sys.stdout.write(f"workbench {workbench.__version__} in {Path(workbench.__file__).parent}\n")


if __name__ == "__main__":
    main()
