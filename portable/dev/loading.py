"""From `main:app`, `main.py` or portable.toml to the App; errors say what was looked for and what is there."""

from __future__ import annotations

import os
import sys
from importlib import import_module

from portable._nearest import nearest
from portable_contracts.errors import InvalidArgument

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import ModuleType

    from portable.app import App
    from portable.config import Configuration


def load_app(named: str | None, configuration: Configuration) -> App:
    """Import the app that *named* says: `module:name`, `folder/file.py:name`, or either without a name.

    Without *named*, the one in portable.toml, else the one in main.py. Raises InvalidArgument when it is not there;
    what the module itself raises passes through.
    """
    where = named or configuration.app
    if where is None:
        if not os.path.isfile(os.path.join(configuration.folder, "main.py")):
            raise InvalidArgument(
                f"no app is named, and {configuration.folder} has no main.py: "
                'say `portable run main:app`, or add app = "main:app" to portable.toml'
            )
        where = "main"
    source, _, attribute = where.partition(":")
    # What the user names is looked for where they stand; what the file names, beside the file.
    module = _import(source, os.getcwd() if named else configuration.folder)
    return _app(module, attribute, where)


def _import(source: str, folder: str) -> ModuleType:
    name = source
    if source.endswith(".py") or os.sep in source:
        path = os.path.join(folder, source)
        if not os.path.isfile(path):
            raise InvalidArgument(f"there is no file {path}")
        folder, name = os.path.dirname(os.path.abspath(path)), os.path.basename(path).removesuffix(".py")
    if folder not in sys.path:
        sys.path.insert(0, folder)
    try:
        return import_module(name)
    except ModuleNotFoundError as error:
        if error.name is None or not (name == error.name or name.startswith(error.name + ".")):
            raise
        files = [file.removesuffix(".py") for file in sorted(os.listdir(folder)) if file.endswith(".py")]
        there = f"its modules are {', '.join(files)}" if files else "no Python file is there"
        raise InvalidArgument(f"no module {name!r} in {folder}{nearest(name, files)}: {there}") from None


def _app(module: ModuleType, attribute: str, where: str) -> App:
    from portable.app import App

    apps = {name: value for name, value in vars(module).items() if isinstance(value, App)}
    there = f"its apps are {', '.join(apps)}" if apps else 'it has no app: add app = App("name") to it'
    if attribute:
        if attribute in apps:
            return apps[attribute]
        if hasattr(module, attribute):
            kind = type(getattr(module, attribute)).__name__
            raise InvalidArgument(f"{where} is of type {kind}, not an App; {there}")
        raise InvalidArgument(f"{module.__file__} has no {attribute!r}{nearest(attribute, apps)}: {there}")
    if len(set(map(id, apps.values()))) == 1:
        return next(iter(apps.values()))
    if "app" in apps:
        return apps["app"]
    hint = f": say which, like {where}:{next(iter(apps))}" if apps else ""
    raise InvalidArgument(f"{module.__file__}: {there}{hint}")
