"""What was published of the score of Freeman et al. on 31 million sign-ins (ACM TOPS 2022), read off its figures.

Median share of an account's first N sign-ins that is asked, at a threshold that catches so much of an attacker.
"""

from __future__ import annotations

from typing import Final

AFTER: Final = (5, 12, 25, 39)
MEDIANS: Final = {
    ("naive", 0.999): (0.80, 0.58, 0.32, 0.16),
    ("naive", 0.995): (0.40, 0.25, 0.08, 0.05),
    ("naive", 0.99): (0.20, 0.16, 0.04, 0.025),
    ("naive", 0.98): (0.20, 0.08, 0.04, 0.025),
    ("VPN", 0.999): (0.80, 0.58, 0.36, 0.21),
    ("VPN", 0.995): (0.60, 0.34, 0.15, 0.075),
    ("VPN", 0.99): (0.40, 0.25, 0.12, 0.05),
    ("VPN", 0.98): (0.25, 0.17, 0.08, 0.05),
    ("targeted", 0.999): (0.80, 0.67, 0.44, 0.23),
    ("targeted", 0.995): (0.60, 0.42, 0.20, 0.10),
    ("targeted", 0.99): (0.40, 0.33, 0.13, 0.075),
    ("targeted", 0.98): (0.38, 0.17, 0.08, 0.05),
    ("very targeted", 0.9425): (1.0, 1.0, 1.0, 1.0),
    ("very targeted", 0.8966): (1.0, 1.0, 0.88, 0.67),
    ("very targeted", 0.8276): (0.80, 0.58, 0.36, 0.18),
    ("very targeted", 0.7816): (0.20, 0.17, 0.04, 0.025),
}
