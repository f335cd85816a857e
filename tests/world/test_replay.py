"""The replay of the incident, with fewer people: what robots get without the gate, and what with it."""

from __future__ import annotations

from collections.abc import Iterator
from xml.etree import ElementTree

import pytest

from demo_app.gate import gate
from demo_app.replay import scenarios, world
from demo_app.replay.picture import picture, table
from demo_app.replay.world import World, prepare

RECORDS = 300


@pytest.fixture(scope="module")
def portal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Three victims who have worked for some days."""
    clock = gate.clock
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(world, "VICTIMS", 3)
        patch.setattr(world, "WORK", 4)
        yield prepare(tmp_path_factory.mktemp("replay"), RECORDS)
    gate.clock = clock


def quiet(_name: str, _count: int) -> None: ...


def test_without_the_gate_passwords_read_everything(portal: World) -> None:
    assert scenarios.before(portal, quiet).records == RECORDS


@pytest.mark.abuse("A54")
def test_with_the_gate_passwords_and_mailboxes_read_nothing(portal: World) -> None:
    assert scenarios.password_only(portal, quiet).records == 0


@pytest.mark.abuse("A54")
def test_cookies_that_are_used_elsewhere_read_nothing(portal: World) -> None:
    outcome = scenarios.stolen(portal, quiet, "elsewhere", scenarios.PERSON, moved=True)
    assert outcome.records == 0


@pytest.mark.world
@pytest.mark.abuse("A54")
def test_cookies_that_are_used_where_their_owner_is_read_a_quota(portal: World) -> None:
    outcome = scenarios.stolen(portal, quiet, "there", scenarios.PERSON)
    assert all(20 < records <= 70 for records in outcome.per_session)


@pytest.mark.abuse("A54")
def test_a_machine_with_second_factor_is_stopped_within_tens(portal: World) -> None:
    outcome = scenarios.factor(portal, quiet, "machine", scenarios.MACHINE)
    assert all(0 < records <= 21 for records in outcome.per_session)


def test_table_and_picture_say_the_same(portal: World) -> None:
    outcome = scenarios.Outcome("a name & <more>", gate=True, points=[(1.0, 0), (60.0, 1234)], per_session=[1234])
    assert "| on | a name & <more> | 1,234 |" in table([outcome], RECORDS)
    drawn = ElementTree.fromstring(picture([outcome]))  # noqa: S314  (our own)
    assert any("1,234" in (text.text or "") for text in drawn.iter("{http://www.w3.org/2000/svg}text"))
