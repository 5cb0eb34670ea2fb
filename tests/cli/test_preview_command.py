"""`mailout preview`: the issue as it is on disk now, by a subscriber's eyes."""

from __future__ import annotations

import pytest

from command_line import CommandLine
from mailout.cli.preview import _Look
from mailout.config.site import read_site
from mailout.core.errors import MailoutError, UsageError
from mailout.store.engine import open_store


def test_the_preview_follows_the_files_and_knows_the_readers(
    shell: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    shell.import_people("email,name,language\nalia@example.org,Әлия <3,kk\n")
    shell("issues", "new")
    (file, *_) = sorted((shell.root / "issues").glob("*.md"))
    site = read_site(shell.root)
    store = open_store(site.store.url, site.root)
    look = _Look(site, store, file.name.partition(".")[0])
    seen = look("")
    assert seen.first == "en" and len(seen.sheets) == 4
    kazakh = {one.language: one for one in look("alia@example.org").sheets}["kk"]
    assert look("alia@example.org").first == "kk"
    assert "Әлия &lt;3" in kazakh.html and "Әлия <3" in kazakh.text
    assert "To: alia@example.org" in kazakh.source
    assert "/u/sample-link-of-nobody." in kazakh.text, "a preview takes nobody off a list"
    (post,) = (shell.root / "posts").glob("*-welcome.en.md")
    post.write_text(post.read_text("utf-8") + "\nA sentence that was just written.\n", "utf-8")
    assert "just written" in look("").sheets[0].text
    good = post.read_text("utf-8")
    post.write_text("---\nnonsense: [\n---\n", "utf-8")
    with pytest.raises(MailoutError, match="welcome"):
        look("")
    post.write_text(good, "utf-8")
    assert "just written" in look("").sheets[0].text
    with pytest.raises(UsageError, match="nobody has the address"):
        look("nobody@example.org")
    with pytest.raises(UsageError, match="`x`"):
        look("x")
    store.close()
