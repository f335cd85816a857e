"""Every page of the gate against WCAG 2.2: what axe finds, width, order, errors, motion; in both languages."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import sync_playwright

from mfa_gate import DeskPolicy
from tests.support.browser import launch
from tests.support.portal import Portal, make_portal
from tests.support.served import serving, window_in
from tests.support.tour import IN_ORDER, Seen, Tour

# the tour takes minutes on a busy machine; more than the usual five would say nothing of the pages
pytestmark = [pytest.mark.browser, pytest.mark.timeout(1800)]

Pages = dict[str, Seen]


@pytest.fixture(scope="module", params=["first day", pytest.param("whole", marks=pytest.mark.world)])
def tour(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module", params=["fr", pytest.param("en", marks=pytest.mark.world)])
def language(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def pages(tour: str, language: str, sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pages]:
    """Every page that a tour comes to: each test looks at another side of what was found."""
    folder = tmp_path_factory.mktemp("tour")
    made: list[Portal] = []

    def make(**config: Any) -> Portal:
        file = shutil.copy(sqlite_template, folder / "store.sqlite3")
        config["desk"] = DeskPolicy(permission=lambda _: True, letters=folder / "letters", spoken=True)
        made.append(make_portal(f"sqlite:///{file}", folder / "instance", **config))
        return made[-1]

    support = "01 23 45 67 89, aide@portail.example"
    with sync_playwright() as running, launch(running) as chromium, serving(make, MFA_GATE_SUPPORT=support) as served:
        window = window_in(chromium, served, reduced_motion="reduce", color_scheme="light")
        guide = Tour(window, served, language)
        yield guide.whole(folder) if tour == "whole" else guide.first_day()
    made[-1].app.extensions["mfa_gate"].services.store.close()


def test_the_tour_comes_to_every_page(pages: Pages, tour: str) -> None:
    titles = len({seen.title for seen in pages.values()})
    assert (len(pages), titles >= 14) == {"whole": (54, True), "first day": (7, False)}[tour]


def test_axe_finds_nothing(pages: Pages) -> None:
    """In both themes, with folded answers closed and open; contrast is among its rules."""
    assert {name: seen.violations for name, seen in pages.items() if seen.violations} == {}


def test_no_page_is_wider_than_its_window(pages: Pages) -> None:
    wider = {(name, width): more for name, seen in pages.items() for width, more in seen.wider.items() if more > 0}
    assert wider == {}


def test_nothing_moves_for_who_asked_for_less_motion(pages: Pages) -> None:
    assert {name: seen.moving for name, seen in pages.items() if seen.moving} == {}


def test_an_error_is_told_where_the_focus_is(pages: Pages, tour: str) -> None:
    told = {name: seen.told for name, seen in pages.items() if seen.told is not None}
    assert len(told) == {"whole": 12, "first day": 3}[tour]
    assert [name for name, focused in told.items() if not focused] == []


def test_an_error_of_the_server_begins_the_title(pages: Pages, language: str) -> None:
    begins = {"fr": "Erreur\N{NO-BREAK SPACE}: ", "en": "Error: "}[language]
    failed = {name for name, seen in pages.items() if seen.title.startswith(begins)}
    said_by_script = {"key set up already", "challenge, no answer"}
    assert failed == {name for name, seen in pages.items() if seen.told is not None} - said_by_script


def test_every_page_says_its_language_and_has_one_heading(pages: Pages, language: str) -> None:
    wrong = {name: seen for name, seen in pages.items() if (seen.lang, seen.headings) != (language, 1)}
    assert list(wrong) == []


@pytest.mark.parametrize("tour", ["whole"], indirect=True)
@pytest.mark.world
@pytest.mark.parametrize("name", IN_ORDER)
def test_tab_goes_down_the_page_as_the_eye_does(pages: Pages, name: str) -> None:
    seen = pages[name]
    assert {width: len(stops) for width, stops in seen.stops.items()} == seen.focusable
    assert len(seen.focusable) == 3
    for stops in seen.stops.values():
        places = [(round(y), round(x)) for _, x, y, _ in stops]
        assert places == sorted(places), stops
        assert [stop for stop in stops if stop[3] < 24] == []  # WCAG 2.2, 2.5.8
