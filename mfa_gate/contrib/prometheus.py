"""Counters of security events for Prometheus. Install `mfa-gate[prometheus]`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client import REGISTRY, CollectorRegistry, Counter

from ..audit.signals import SecurityEvent, security_event

if TYPE_CHECKING:
    from collections.abc import Callable


def count_events(registry: CollectorRegistry = REGISTRY) -> Callable[..., None]:
    """Count every security event of this process by kind, outcome, method and reason; no account is named.

    Args:
        registry: where the counter is kept.

    Returns:
        The receiver. Keep it: the signal holds it weakly.
    """
    labels = ("kind", "outcome", "method", "reason")
    counter = Counter("mfa_gate_events", "Security events of mfa_gate.", labels, registry=registry)

    def count(_sender: object, event: SecurityEvent) -> None:
        counter.labels(event.kind, event.outcome, event.method or "", event.reason or "").inc()

    security_event.connect(count)
    return count
