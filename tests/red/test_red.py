"""`make red` means something only where a defence that is taken out leaves the rest as it is."""

from __future__ import annotations

import pytest

from tests.red.defences import defences
from tests.support.portal import MakePortal

# it is for a race alone, and lets nothing be stored
NOTHING_WORKS = {"A6d"}


@pytest.mark.world
@pytest.mark.parametrize("backend", ["sqlite"], indirect=True)
@pytest.mark.parametrize("name", sorted(defences().keys() - NOTHING_WORKS))
def test_without_any_one_defence_people_still_enrol_and_sign_in(
    make: MakePortal, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """Else its tests would fail for another reason than the attack."""
    defences()[name](monkeypatch)
    portal = make(PROPAGATE_EXCEPTIONS=False)
    anne, bob = portal.browser(), portal.browser()
    assert anne.activate().status_code == 303
    begun = anne.begin_enrolment()
    assert anne.confirm(begun).status_code == 200
    portal.clock.advance(30)
    again = portal.browser()
    assert again.sign_in(begun["secret"]).status_code == 303
    assert again.get("/").status_code == 200
    key = portal.key("bob")
    bob.password("bob")
    assert bob.prove(key).status_code == 200
    assert bob.get("/safe").status_code == 200
