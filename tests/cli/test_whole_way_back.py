"""The whole way: sent by mailout, bounced by Postfix, in a box of Dovecot, read over IMAP, and what
follows for each reader until an address is stopped."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from command_line import CommandLine
from dovecot_server import dovecot_installed
from mailout.config.site import read_site
from mailout.store.engine import open_store
from passing_days import pass_days
from post_office import BOX, PostOffice, post_office
from postfix_server import postfix_here

__all__ = ["dovecot_installed", "postfix_here"]

ANNA, CARLA, DORA, NILS = (f"{name}@{BOX}" for name in ("anna", "carla", "dora", "nils"))
KIRA = "kira@blocked.example.net"
LENA = "lena@slow.example.net"
BLOCKED = "550 5.7.1 This house takes no bulletins, by our policy"
SLOW = "450 4.3.2 The system is resting, come back later"
PEOPLE = "email,name,tags\n" + "".join(
    f"{address},{address.partition('@')[0].title()},unions\n"
    for address in (ANNA, CARLA, DORA, NILS, KIRA, LENA)
)
POST = "---\ntitle: Bulletin {number}\ndate: 2026-11-2{number}\n---\n\nThe strike goes on.\n"


@pytest.fixture
def office(postfix_here: None, dovecot_installed: None) -> Iterator[PostOffice]:
    with post_office(["anna", "carla", "dora"]) as office:
        yield office


@dataclass
class House:
    """The site and the servers around it."""

    shell: CommandLine
    office: PostOffice
    number: int = 0

    def send(self) -> dict[str, Any]:
        """What `mailout send` tells of the next bulletin, once all that comes back was fetched."""
        self.number += 1
        self.shell.write(
            f"posts/2026-11-2{self.number}-strike.en.md", POST.format(number=self.number)
        )
        sent: dict[str, Any] = self.shell("send", "--segment", "unions", "--yes", "--json").json
        self.office.work_off()
        self.shell("inbound", "fetch")
        self.shell("inbound", "process")
        return sent

    def pass_days(self, days: float) -> None:
        site = read_site(self.shell.root)
        store = open_store(site.store.url, site.root)
        pass_days(store, days)
        store.close()

    def standing(self, address: str) -> dict[str, Any]:
        found: dict[str, Any] = self.shell("bounces", "show", address, "--json").json
        return found

    def health(self, *addresses: str) -> list[str]:
        return [self.standing(one)["standing"] for one in addresses]


def test_from_a_sent_bulletin_to_a_stopped_address(
    shell: CommandLine, office: PostOffice, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MAILOUT_RELAY_URL", office.relay)
    shell.fall_back_to_english()
    office.read_by(shell.root)
    shell.import_people(PEOPLE)
    house = House(shell, office)

    # Everybody gets the first one but Nils, who never had a box: nothing ever arrived there.
    assert house.send()["deliveries"]["accepted"] == 6
    assert len(office.mails("anna")) == len(office.mails("dora")) == 1
    assert house.health(ANNA, CARLA, DORA, KIRA, LENA) == ["well"] * 5
    assert house.health(NILS) == ["stopped"]

    # Four days later Dora's box is gone, Carla's is full, Kira's provider wants none of our mail,
    # and Lena's server is late.
    house.pass_days(4)
    office.close("dora")
    office.fill("carla")
    office.elsewhere.rules |= {"blocked.example.net": BLOCKED, "slow.example.net": SLOW}
    sent = house.send()
    assert sent["deliveries"]["accepted"] == 5
    assert len(office.mails("anna")) == 2
    dora, carla, kira = (house.standing(one) for one in (DORA, CARLA, KIRA))
    assert (dora["standing"], dora["why"]) == ("paused", "no-mailbox")
    assert (carla["standing"], carla["score"]) == ("well", 1)
    assert (kira["standing"], kira["score"]) == ("well", 0)
    log = {
        one["address"]: one
        for one in shell("bounces", "list", "--issue", sent["issue"], "--json").json
    }
    assert {who: one["category"] for who, one in log.items()} == {
        DORA: "no-mailbox",
        CARLA: "mailbox-full",
        KIRA: "blocked-policy",
        LENA: "receiver-error",
    }
    assert "User doesn't exist" in log[DORA]["text"]
    assert "552 5.2.2" in log[CARLA]["text"]
    assert log[KIRA]["text"].endswith(BLOCKED)
    assert SLOW in log[LENA]["text"]
    kinds = [one["kind"] for one in house.standing(LENA)["events"]]
    assert sorted(kinds) == ["bounced", "delayed"]
    for one in shell("inbound", "list", "--json").json:
        assert (one["source"], one["found_by"]) == ("imap", "return path")

    # The next day is too early for a probe.
    del office.elsewhere.rules["slow.example.net"]
    house.pass_days(1)
    assert house.send()["deliveries"]["accepted"] == 4
    assert house.health(DORA, CARLA) == ["paused", "well"]

    # Three days after her report it is time, and the probe comes back as well.
    house.pass_days(2.5)
    assert house.send()["deliveries"]["accepted"] == 5
    assert house.health(ANNA, CARLA, DORA, KIRA) == ["well", "well", "stopped", "well"]

    # From then on she is mailed no more.
    house.pass_days(4)
    sent = house.send()
    assert sent["deliveries"]["accepted"] == 4
    assert len(office.mails("anna")) == 5
    assert DORA not in {
        one["address"] for one in shell("deliveries", "list", sent["issue"], "--json").json
    }
    [stopped] = [one for one in house.standing(DORA)["events"] if one["kind"] == "stopped"]
    assert "User doesn't exist" in stopped["text"]
