"""Network data: what adapters read, and that damaged, old or missing data are only not known."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mmdb_writer import MMDBWriter
from netaddr import IPSet

from mfa_gate.exc import ConfigurationError
from mfa_gate.netinfo import MMDB, NOTHING, Network, WhereIP, is_public, prefixes

MakeFile = Callable[[dict[str, dict[str, Any]]], Path]


@pytest.fixture
def make_file(tmp_path: Path) -> MakeFile:
    """A file of network data, of records by block."""

    def make(records: dict[str, dict[str, Any]]) -> Path:
        writer = MMDBWriter(6, "test", ipv4_compatible=True, int_type="u32")
        for block, record in records.items():
            writer.insert_network(IPSet([block]), record)
        file = tmp_path / f"{len(list(tmp_path.iterdir()))}.mmdb"
        writer.to_db_file(str(file))
        return file

    return make


ORANGE = {"autonomous_system_number": 3215, "autonomous_system_organization": "Orange"}


def test_a_file_of_autonomous_systems_names_the_network(make_file: MakeFile) -> None:
    source = MMDB(asn=make_file({"90.0.0.0/9": ORANGE}))
    assert source.lookup("90.1.2.3") == Network("AS3215", None, None, "Orange")
    assert source.lookup("192.0.2.1") == NOTHING


@pytest.mark.parametrize("record", [{"country": {"iso_code": "FR"}}, {"country_code": "FR"}])
def test_countries_are_read_in_both_usual_forms(make_file: MakeFile, record: dict[str, Any]) -> None:
    assert MMDB(country=make_file({"90.0.0.0/9": record})).lookup("90.1.2.3").country == "FR"


@pytest.mark.parametrize(
    ("flag", "kind"),
    [("is_hosting_provider", "hosting"), ("is_anonymous_vpn", "vpn"), ("is_tor_exit_node", "tor"), ("other", "access")],
)
def test_kinds_are_told_by_their_flags(make_file: MakeFile, flag: str, kind: str) -> None:
    assert MMDB(kind=make_file({"90.0.0.0/9": {flag: True}})).lookup("90.1.2.3").kind == kind


@pytest.mark.parametrize(
    "record",
    [
        {"autonomous_system_number": "3215", "autonomous_system_organization": 5},
        {"country": "FR"},
        {"country": {"iso_code": 5}},
        {"is_hosting_provider": "yes"},
    ],
)
def test_a_record_of_another_form_is_not_known(make_file: MakeFile, record: dict[str, Any]) -> None:
    file = make_file({"90.0.0.0/9": record})
    found = MMDB(file, file, file).lookup("90.1.2.3")
    assert (found.asn, found.country, found.name) == (None, None, None)
    assert found.kind in ("access", None)


def test_a_file_says_when_it_was_built(make_file: MakeFile) -> None:
    assert (MMDB(asn=make_file({"90.0.0.0/9": ORANGE})).built_at or 0) > 1_700_000_000


def test_without_files_nothing_is_known() -> None:
    assert (MMDB().lookup("90.1.2.3"), MMDB().built_at) == (NOTHING, None)


@pytest.mark.parametrize("content", [b"", b"\x00" * 100, b"not a file of network data" * 100])
def test_what_is_no_such_file_stops_the_start_and_says_which(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "x.mmdb"
    file.write_bytes(content)
    with pytest.raises(ConfigurationError, match=r"x\.mmdb cannot be read"):
        MMDB(asn=file)
    with pytest.raises(ConfigurationError, match=r"none\.mmdb cannot be read"):
        MMDB(asn=tmp_path / "none.mmdb")


def test_a_damaged_file_never_raises_when_it_is_asked(make_file: MakeFile, tmp_path: Path) -> None:
    whole = make_file({f"{first}.0.0.0/8": {**ORANGE, "country": {"iso_code": "FR"}} for first in range(1, 120)})
    seed = random.randrange(2**32)
    print("seed", seed)
    rng = random.Random(seed)
    for _ in range(3000):
        content = bytearray(whole.read_bytes())
        if rng.random() < 0.3:
            content = content[: rng.randrange(1, len(content))]
        for _ in range(rng.randrange(30)):
            content[rng.randrange(len(content))] = rng.randrange(256)
        file = tmp_path / "damaged.mmdb"
        file.write_bytes(content)
        try:
            source = MMDB(file, file, file)
        except ConfigurationError:
            continue
        assert source.built_at is not None
        for _ in range(20):
            found = source.lookup(f"{rng.randrange(1, 120)}.1.2.3")
            assert found.kind in ("access", "hosting", "vpn", "tor", None)


def test_the_package_of_announced_networks_knows_a_large_one() -> None:
    found = WhereIP().lookup("90.1.2.3")
    assert (found.asn, found.country, found.kind, found.name) == ("AS3215", "FR", "access", "Orange")


def test_what_nobody_announces_is_not_known() -> None:
    assert WhereIP().lookup("192.0.2.1") == NOTHING


@pytest.mark.parametrize(
    ("address", "network", "district"),
    [
        ("203.0.113.9", "203.0.113", "203.0"),
        ("::ffff:203.0.113.9", "203.0.113", "203.0"),
        ("2001:db8:7:8::9", "2001:0db8:0007", "2001:0db8"),
        ("fe80::1%eth0", "fe80:0000:0000", "fe80:0000"),
        ("::5a01:203", "0000:0000:0000", "0000:0000"),  # no IPv4 address, however small
    ],
)
def test_an_address_stands_in_its_blocks(address: str, network: str, district: str) -> None:
    found = prefixes(address)
    assert found is not None
    assert (found.network, found.district) == (network, district)


def test_an_ipv4_address_within_ipv6_is_the_same_address() -> None:
    assert prefixes("::ffff:203.0.113.9") == prefixes("203.0.113.9")


@pytest.mark.parametrize("address", ["10.0.0.1", "192.168.1.1", "100.64.0.1", "127.0.0.1", "::1", "fc00::1", "x", ""])
def test_an_address_that_is_nobodys_is_not_looked_up(address: str) -> None:
    assert not is_public(address)


@given(st.one_of(st.none(), st.text(max_size=60)))
def test_what_is_no_address_stands_in_no_block(text: str | None) -> None:
    found = prefixes(text)
    assert found is None or found.address
