"""A new site: all it needs, and never on top of something else."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from mailout.cli.main import mailout
from mailout.config.site import read_site
from mailout.config.starter import copy_site, starter
from mailout.config.templates import read_templates
from mailout.core.errors import BadFile, MailoutError
from mailout.store.engine import open_store
from mailout.store.schema import require_newest


def everything(root: Path) -> dict[str, bytes]:
    return {str(p.relative_to(root)): p.read_bytes() for p in root.rglob("*") if p.is_file()}


def test_a_new_site_is_complete(tmp_path: Path) -> None:
    root = tmp_path / "deep" / "site"
    made = copy_site(root)
    assert all(path.is_file() for path in made)
    assert {path.name for path in root.iterdir()} == {
        "config.toml", "lists", "templates", "posts", "issues", ".gitignore", "keys.toml",
        "mailout.db",
    }  # fmt: skip
    assert (root / "templates/pages/leave.html.j2").is_file()
    assert list((root / "posts").glob("*.en.md"))
    assert [path.name for path in (root / "issues").iterdir()] == [".gitkeep"]
    assert (root / ".gitignore").read_text().splitlines()[1:] == [
        "mailout.db*", "build/", "keys.toml", "people/", "*.csv", "*.tsv", "*.xlsx",
    ]  # fmt: skip
    site = read_site(root)
    store = open_store(site.store.url, root)
    require_newest(store)
    store.close()


def test_nobody_else_can_read_who_is_on_the_list(tmp_path: Path) -> None:
    copy_site(tmp_path / "site")
    for name in ("mailout.db", "keys.toml"):
        assert stat.S_IMODE((tmp_path / "site" / name).stat().st_mode) == 0o600


def test_a_folder_with_only_git_in_it_will_do(tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    copy_site(tmp_path)
    assert (tmp_path / "config.toml").is_file()


@pytest.mark.parametrize("name", ["config.toml", "notes.txt", ".hidden", "lists/x.toml"])
def test_a_folder_that_holds_something_is_left_alone(tmp_path: Path, name: str) -> None:
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text("mine")
    before = everything(tmp_path)
    with pytest.raises(MailoutError, match=r"not empty|a site already"):
        copy_site(tmp_path)
    assert everything(tmp_path) == before


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "site").write_text("mine")
    with pytest.raises(MailoutError, match="no folder"):
        copy_site(tmp_path / "site")
    assert (tmp_path / "site").read_text() == "mine"


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    with pytest.raises(MailoutError, match="cannot be written"):
        copy_site(tmp_path / "file" / "site")


def test_the_keys_of_another_site_are_not_taken_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "keys.toml").write_text("another's")
    monkeypatch.setenv("MAILOUT_KEYS_FILE", str(tmp_path / "keys.toml"))
    with pytest.raises(MailoutError, match="another site"):
        copy_site(tmp_path / "site")
    assert not (tmp_path / "site").exists()


def test_two_sites_have_different_keys(tmp_path: Path) -> None:
    copy_site(tmp_path / "a")
    copy_site(tmp_path / "b")
    assert read_site(tmp_path / "a").keys.address != read_site(tmp_path / "b").keys.address


def test_init_tells_what_it_made_and_what_comes_next(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    mailout.main(["init", str(tmp_path / "site")], standalone_mode=False)
    said = capsys.readouterr().out
    for words in ("config.toml", "keys.toml", "mailout subscribers import", "mailout send",
                  "[[relays]]", "`url`"):  # fmt: skip
        assert words in said
    with pytest.raises(MailoutError, match="a site already"):
        mailout.main(["init", str(tmp_path / "site")], standalone_mode=False)


# -- templates -----------------------------------------------------------------------------


def test_templates_by_name(tmp_path: Path) -> None:
    copy_site(tmp_path / "site")
    sources = read_templates(tmp_path / "site")
    assert {"bulletin.html.j2", "bulletin.txt.j2", "pages/leave.html.j2"} <= set(sources)
    assert all(name.endswith(".j2") for name in sources)


def test_the_sites_own_template_goes_before_the_starters(site_root: Path) -> None:
    pages = site_root / "templates" / "pages"
    pages.mkdir(parents=True)
    (pages / "leave.html.j2").write_text("mine")
    (pages / "notes.txt").write_text("no template")
    sources = read_templates(site_root)
    assert sources["pages/leave.html.j2"] == "mine"
    assert sources["pages/left.html.j2"] == (starter() / "templates/pages/left.html.j2").read_text(
        "utf-8"
    )
    assert "pages/notes.txt" not in sources


def test_a_template_in_another_encoding(site_root: Path) -> None:
    (site_root / "templates").mkdir()
    (site_root / "templates/mine.html.j2").write_bytes("ok\nЗабастовка".encode("cp1251"))
    with pytest.raises(BadFile, match=r"templates/mine.html.j2:2: this is not UTF-8"):
        read_templates(site_root)
