"""The web side of each factor in the registry."""

from __future__ import annotations

from typing import Final

from . import recovery, totp, webauthn
from .face import Face

# by the factor's name
FACES: Final[dict[str, Face]] = {face.factor.name: face for face in (webauthn.FACE, totp.FACE, recovery.FACE)}
