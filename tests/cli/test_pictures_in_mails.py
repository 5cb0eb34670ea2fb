"""Pictures on their way: from a file beside a post to mails and the archive."""

from __future__ import annotations

import re

from command_line import CommandLine
from mailout.smtp.catcher import Catcher
from photographs import a_photograph


def test_readers_see_it_from_the_archive(shell: CommandLine, catcher: Catcher) -> None:
    shell.fall_back_to_english()
    for post in (shell.root / "posts").iterdir():
        post.unlink()
    (shell.root / "posts" / "gate.jpg").write_bytes(a_photograph())
    shell.write(
        "posts/2026-11-24-gate.en.md",
        "---\ntitle: The gate\n---\n\nWords before.\n\n![Pickets at the gate](gate.jpg)\n",
    )
    shell.import_people("email,tags\nanna@example.org,unions\nboris@example.org,unions\n")
    shell("subscribers", "edition", "boris@example.org", "low-data")
    with shell.relay(catcher):
        shell("send", "--segment", "unions", "--yes")
    (html,) = (shell.root / "build").glob("2*/en.html")
    found = re.search(
        r'src="(http://127.0.0.1:8080/archive/pictures/(\w+\.jpg))"', html.read_text()
    )
    assert found is not None
    assert (shell.root / "build/archive/pictures" / found[2]).exists()
    small = (html.parent / "en.low-data.html").read_text()
    assert "<img" not in small and "[Pickets at the gate]" in small
    assert "[Pickets at the gate]" in (html.parent / "en.txt").read_text()
    page = (shell.root / "build/archive/en/posts/2026-11-24-gate.html").read_text()
    assert f'src="../../pictures/{found[2]}"' in page
    (shell.root / "posts" / "gate.jpg").unlink()
    said = shell("archive", "build").out
    assert "left out: posts/2026-11-24-gate.en.md:7: there is no picture `gate.jpg`" in said
    assert (shell.root / "build/archive/en/posts/2026-11-24-gate.html").exists()
