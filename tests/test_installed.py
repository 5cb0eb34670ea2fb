"""What a person gets who installs the wheel into an empty environment."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from places import REPOSITORY


def run(*words: str | Path, home: Path) -> str:
    environment = {"HOME": str(home), "PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"}
    done = subprocess.run(
        [str(word) for word in words],
        env=environment,
        cwd=home,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_wheel_alone_makes_a_site_and_shows_the_demo(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--no-isolation", "-o", tmp_path, REPOSITORY],
        check=True,
        capture_output=True,
    )
    (wheel,) = tmp_path.glob("mailout-*.whl")
    # pip's settings of this machine stay in force: it may reach packages by them only.
    subprocess.run([sys.executable, "-m", "venv", tmp_path / "venv"], check=True)
    subprocess.run(
        [
            tmp_path / "venv/bin/python", "-m", "pip", "install", "--quiet",
            "--disable-pip-version-check", "-c", REPOSITORY / "constraints.txt", wheel,
        ],
        check=True,
    )  # fmt: skip
    mailout = tmp_path / "venv/bin/mailout"
    assert run(mailout, "--version", home=home).startswith("mailout, version ")
    run(mailout, "init", "site", home=home)
    names = {path.name for path in (home / "site").iterdir()}
    assert {"config.toml", "lists", "templates", "posts", "keys.toml", "mailout.db"} <= names
    shown = run(mailout, "demo", home=home)
    assert "The catching server holds 304 messages to readers and 3 reports" in shown
    assert "Left out: 1 unsubscribed." in shown or "unsubscribed" in shown
    assert "550 5.1.1 There is nobody of this name here" in shown
