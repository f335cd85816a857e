"""The incident of March 2022 on this machine: 19 leaked passwords, 510,000 records, with and without the gate."""

from __future__ import annotations

from .run import main

__all__ = ["main"]
