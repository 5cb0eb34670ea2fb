"""A server that is killed while everybody leaves: whoever was told so has left."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
from pathlib import Path

import httpx
from sqlalchemy import text

from mailout.config.site import read_site
from mailout.config.starter import copy_site
from mailout.store import consents
from mailout.store.engine import open_store
from mailout.store.schema import upgrade
from newcomers import actions_of, join

PEOPLE = 400
CLIENTS = 8
TOLD = 150  # leaves before the kill


def test_whoever_was_answered_has_left(tmp_path: Path) -> None:
    root = tmp_path / "site"
    copy_site(root)
    site = read_site(root)
    store = open_store(site.store.url, site.root)
    upgrade(store)
    everybody = [join(store, site, f"person{n}@example.org") for n in range(PEOPLE)]
    process = subprocess.Popen(
        [sys.executable, "-m", "mailout", "--site", str(root), "serve", "--port", "0"],
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdout is not None
    told: set[str] = set()
    enough = threading.Event()
    try:
        found = re.search(r"http://127\.0\.0\.1:\d+", process.stdout.readline())
        assert found is not None

        def leave(tokens: list[str]) -> None:
            with httpx.Client(base_url=found[0], timeout=30) as client:
                for token in tokens:
                    try:
                        answer = client.post(f"/u/{token}", data={"List-Unsubscribe": "One-Click"})
                    except httpx.HTTPError:
                        return
                    assert answer.status_code == 200
                    told.add(token)
                    if len(told) >= TOLD:
                        enough.set()

        tokens = [one.token for one in everybody]
        clients = [
            threading.Thread(target=leave, args=(tokens[n::CLIENTS],)) for n in range(CLIENTS)
        ]
        for client in clients:
            client.start()
        assert enough.wait(60)
        process.kill()
        for client in clients:
            client.join()
    finally:
        process.kill()
        process.communicate()
    with store.reading() as tx:
        left = set(tx.scalars(text("SELECT token FROM subscription WHERE state = 'unsubscribed'")))
        noted = tx.scalar(text("SELECT count(*) FROM event WHERE kind = 'left'"))
        assert consents.first_broken(tx, "bulletin") is None
    assert told <= left
    assert len(left) - len(told) <= CLIENTS
    assert noted == len(left)
    for one in everybody:
        leaves = [action for action, _ in actions_of(store, one) if action == "left"]
        assert len(leaves) == (one.token in left)
    store.close()
