"""`mailout serve` and `mailout db` as a person runs them."""

from __future__ import annotations

import os
import re
import select
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest

from mailout.cli.main import mailout
from mailout.config.starter import copy_site
from mailout.core.errors import MailoutError
from mailout.web.serving import listen


@pytest.fixture
def root(tmp_path: Path) -> Path:
    copy_site(tmp_path / "site")
    return tmp_path / "site"


def call(root: Path, *words: str) -> None:
    mailout.main(["--site", str(root), *words], standalone_mode=False)


def test_serves_until_ctrl_c_and_ends_cleanly(root: Path) -> None:
    command = [sys.executable, "-m", "mailout", "--site", str(root), "serve", "--port", "0"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                               env={**os.environ, "PYTHONUNBUFFERED": "1"})  # fmt: skip
    assert process.stdout is not None
    try:
        assert select.select([process.stdout], [], [], 30)[0]
        said = process.stdout.readline()
        found = re.search(r"http://127\.0\.0\.1:\d+", said)
        assert found is not None
        assert _answer(found[0] + "/healthz").text == "ok\n"
        assert _answer(found[0] + "/u/" + "x" * 22).status_code == 404
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=30)
    finally:
        process.kill()
        process.wait()
    assert process.returncode == 0
    assert err.splitlines()[-1] == "Stopped."
    assert "Traceback" not in err
    assert "/u/" not in err


def _answer(url: str) -> httpx.Response:
    deadline = time.monotonic() + 20
    while True:  # it listens before it serves
        try:
            return httpx.get(url)
        except httpx.TransportError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)


def test_a_port_in_use_is_refused(root: Path) -> None:
    with listen("127.0.0.1", 0) as taken:
        port = str(taken.getsockname()[1])
        with pytest.raises(MailoutError, match="another program uses this port"):
            call(root, "serve", "--port", port)


def test_an_older_store_is_refused(root: Path) -> None:
    (root / "mailout.db").unlink()
    with pytest.raises(MailoutError, match=r"store is not there.* elsewhere.*`mailout db upgrade`"):
        call(root, "serve", "--port", "0")
    assert not (root / "mailout.db").exists()


def test_db_upgrade_says_from_where_to_where(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    call(root, "db", "upgrade")
    assert "already" in capsys.readouterr().out
    (root / "mailout.db").unlink()
    call(root, "db", "current")
    assert "no tables yet" in capsys.readouterr().out
    assert not (root / "mailout.db").exists()
    call(root, "db", "upgrade")
    assert "from no tables to 0" in capsys.readouterr().out
    call(root, "db", "current", "--json")
    assert '"newest": "0' in capsys.readouterr().out


def test_a_store_of_a_newer_mailout_is_left_alone(root: Path) -> None:
    with sqlite3.connect(root / "mailout.db") as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.close()
    for words in (("db", "upgrade"), ("serve", "--port", "0")):
        with pytest.raises(MailoutError, match="newer than this mailout"):
            call(root, *words)
