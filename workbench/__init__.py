"""Find the MLP neurons that carry a trait in a language model, edit them, and test what they cause.

import workbench as wb

model = wb.load_model("testbed")
pairs = wb.Contrast.testbed("Extraversion", n=400)
effects = wb.effect_sizes(wb.capture(model, pairs))
chosen = wb.select_neurons(effects, rule="dual", quantile=0.995, min_d=0.8)
with wb.edited(model, wb.dpn_edit(effects, chosen, gamma=1.0, direction="increase")):
    print(model.generate("How do you spend your time at the office party?"))

These names and their like stand here; the rest is in the packages, such as `wb.measure` and `wb.edit`. A name is
imported when it is first used. Each package lists its names in its `__init__.pyi`.
"""

from importlib import import_module
from pkgutil import iter_modules
from typing import Any

import lazy_loader

__version__ = "0.2.0"

_load, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)


def __getattr__(name: str) -> Any:
    if name in __all__:
        return _load(name)
    message = f"workbench has no name {name!r}"
    if not name.startswith("_"):
        packages = (module.name for module in iter_modules(__path__) if module.name in __all__)
        for package in packages:
            if name in import_module(f"{__name__}.{package}").__all__:
                message += f" at its root. It lives in workbench.{package}: from workbench.{package} import {name}"
    raise AttributeError(f"{message}.", name=name)
