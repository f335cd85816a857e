"""Build hook: compiles the gettext catalogues, for wheels and editable installs alike."""

import os
from pathlib import Path
from typing import Any

from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class CatalogueHook(BuildHookInterface):  # type: ignore[type-arg]  # its parameter differs between hatchling versions
    """Writes each ``.mo`` beside its ``.po``."""

    PLUGIN_NAME = "custom"

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compile every catalogue of the package before files are collected.

        Args:
            version: "standard" or "editable"; both need the catalogues.
            build_data: hatchling's; left as it is.

        Raises:
            ValueError: a catalogue cannot be read, or a translation's placeholders differ from its message's.
        """
        if self.target_name != "wheel":
            return
        for source in sorted(Path(self.root, "mfa_gate").rglob("*.po")):
            compile_catalogue(source)


def compile_catalogue(source: Path) -> None:
    """Compile one catalogue.

    Args:
        source: the ``.po`` file, in the folder ``<locale>/LC_MESSAGES``.

    Raises:
        ValueError: as ``CatalogueHook.initialize`` says.
    """
    with source.open("rb") as file:
        catalogue = read_po(file, locale=source.parent.parent.name, abort_invalid=True)
    faults = [f"{source.name}:{message.lineno}: {fault}" for message, found in catalogue.check() for fault in found]
    if faults:
        raise ValueError("\n".join(faults))
    # put in place as a whole: a portal that starts meanwhile reads the old catalogue or the new one
    half = source.with_suffix(f".{os.getpid()}.tmp")
    with half.open("wb") as file:
        write_mo(file, catalogue)
    half.replace(source.with_suffix(".mo"))
