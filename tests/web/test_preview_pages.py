"""The preview: every view of an issue, its mistakes in its place, and nothing that can act."""

from __future__ import annotations

from pathlib import Path

from mailout.core.errors import BadFile
from mailout.web.preview import Seen, Sheet, make_preview
from newcomers import browsing

HTML = (
    "<!DOCTYPE html><style>@media (prefers-color-scheme: dark) { p { color: #fff } }</style>"
    '<p>Dear {name},</p><img src="https://news.example.org/x.png" alt="A crane">'
)
EVIL = '"><script>alert(1)</script>'


def look(reader: str) -> Seen:
    if reader == "broken@example.org":
        raise BadFile("an unclosed tag <b>", where="posts/x.md:3")
    name = reader.partition("@")[0] or "friends"
    sheets = [
        Sheet(code, subject, HTML.replace("{name}", name), f"Dear {name},", f"To: {reader}\r\n\r\n")
        for code, subject in (("en", "The strike"), ("ar", "الإضراب"))
    ]
    return Seen(sheets, "ar" if reader == "layla@example.org" else "en")


def test_all_views_of_an_issue() -> None:
    with browsing(make_preview("w47", look, lambda: "1-1")) as browser:
        page = browser.get("/")
        assert "The strike" in page.text and 'data-stamp="1-1"' in page.text
        assert "script-src 'self'" in page.headers["content-security-policy"]
        assert 'src="/en/mail"' in page.text and 'src="/en/text"' in page.text
        assert "الإضراب" in browser.get("/ar").text
        assert browser.get("/xx").status_code == 404
        assert browser.get("/en/text").text == "Dear friends,"
        assert browser.get("/en/source").text.startswith("To: ")
        assert browser.get("/stamp").text == "1-1"
        assert "location.reload" in browser.get("/reload.js").text


def test_light_and_dark_whatever_the_browser_likes() -> None:
    with browsing(make_preview("w47", look, lambda: "")) as browser:
        assert "@media not all" in browser.get("/en/mail").text
        assert "@media all" in browser.get("/en/mail?dark=yes").text
        assert 'src="/en/mail?dark=yes"' in browser.get("/en?dark=yes").text


def test_pictures_can_be_left_out_and_nothing_runs() -> None:
    with browsing(make_preview("w47", look, lambda: "")) as browser:
        policy = browser.get("/en/mail").headers["content-security-policy"]
        assert "default-src 'none'" in policy and "sandbox" in policy and "https:" in policy
        policy = browser.get("/en/mail?pictures=no").headers["content-security-policy"]
        assert "img-src 'none'" in policy


def test_by_the_eyes_of_a_subscriber() -> None:
    with browsing(make_preview("w47", look, lambda: "")) as browser:
        page = browser.get("/", params={"reader": "layla@example.org"}).text
        assert "الإضراب" in page and "layla@example.org" in page
        assert "reader=layla%40example.org" in page, "the frames show the same reader"
        mail = browser.get("/en/mail", params={"reader": "boris@example.org"})
        assert "Dear boris," in mail.text


def test_a_mistake_stands_in_the_issues_place_and_the_page_goes_on_looking() -> None:
    with browsing(make_preview("w47", look, lambda: "7")) as browser:
        page = browser.get("/", params={"reader": "broken@example.org"})
        assert page.status_code == 200 and "posts/x.md:3" in page.text
        assert "&lt;b&gt;" in page.text and "/reload.js" in page.text
        mail = browser.get("/en/mail", params={"reader": "broken@example.org"})
        assert mail.status_code == 409


def test_what_is_typed_is_shown_as_text() -> None:
    with browsing(make_preview(f"w47{EVIL}", look, lambda: EVIL)) as browser:
        page = browser.get("/", params={"reader": EVIL}).text
    assert "<script>alert" not in page


def test_pictures_show_before_they_are_in_the_archive(tmp_path: Path) -> None:
    name = f"{'a' * 20}.jpg"
    (tmp_path / name).write_bytes(b"a picture")
    (tmp_path / "keys.toml").write_bytes(b"secret")
    base = "https://news.example.org/archive"

    def with_picture(reader: str) -> Seen:
        html = f'<img src="{base}/pictures/{name}"> <a href="{base}/en/x.html">x</a>'
        return Seen([Sheet("en", "The strike", html, "x", "x")], "en")

    app = make_preview("w47", with_picture, lambda: "", tmp_path, base)
    with browsing(app) as browser:
        mail = browser.get("/en/mail").text
        assert f'src="/pictures/{name}"' in mail and f'href="{base}/en/x.html"' in mail
        assert browser.get(f"/pictures/{name}").content == b"a picture"
        for path in ("keys.toml", "..%2fkeys.toml", f"{'b' * 20}.jpg"):
            assert browser.get(f"/pictures/{path}").status_code == 404


def test_only_this_machine_calls_it_by_its_name() -> None:
    with browsing(make_preview("w47", look, lambda: "")) as browser:
        assert browser.get("/", headers={"Host": "evil.example.org"}).status_code == 400
        assert browser.get("/", headers={"Host": "localhost:8099"}).status_code == 200
