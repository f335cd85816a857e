"""How usual a sign-in is at its account, and why. Pure: plain values in, plain values out, usable by itself.

profile = Profile.load(kept)
found = assess(profile, Features(device=False, address="192.0.2.7", country="FR"), now, RiskPolicy())
kept = profile.learnt(features, now).dump()    # once the second factor was proven, never before
"""

from __future__ import annotations

from .continuity import moved
from .features import Features
from .pressure_policy import PressurePolicy, Tally
from .profile import Profile
from .risk_policy import RiskPolicy
from .score import Assessment, Risk, assess

__all__ = ["Assessment", "Features", "PressurePolicy", "Profile", "Risk", "RiskPolicy", "Tally", "assess", "moved"]
