"""The archive over HTTP: its files and nothing else, fresh, cheap to ask for again."""

from __future__ import annotations

import http.client
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mailed_issues import MONDAY, mail, write_post
from mailout.config.templates import read_templates
from mailout.core.archive import FOLDER
from mailout.core.site import ArchiveSettings, Site
from mailout.publish import archive
from mailout.store.engine import Store
from mailout.web.app import make_app
from mailout.web.archive import File, look
from newcomers import browsing, without_nonce

SECRET = b"who is on the list"


@pytest.fixture
def store(sqlite_store: Callable[[], Store]) -> Iterator[Store]:
    store = sqlite_store()
    yield store
    store.close()


@pytest.fixture
def built(site: Site, store: Store) -> Site:
    """The site with an archive of one issue, and a file that is for nobody near it."""
    (site.root / "issues").mkdir()
    write_post(site, "порт.en", "The harbour stands still")
    mail(site, store, "w47", ["порт"])
    archive.build(site, store, read_templates(site.root), MONDAY)
    (site.root / "build" / "secret.html").write_bytes(SECRET)
    (site.root / FOLDER / ".hidden.html").write_bytes(SECRET)
    (site.root / FOLDER / "people.csv").write_bytes(SECRET)
    (site.root / FOLDER / "out.html").symlink_to(site.root / "build" / "secret.html")
    return site


@pytest.fixture
def client(built: Site, store: Store) -> Iterator[httpx.Client]:
    with browsing(make_app(built, store)) as client:
        yield client


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("", "text/html; charset=utf-8"),
        ("index.html", "text/html; charset=utf-8"),
        ("en/", "text/html; charset=utf-8"),
        ("en/issues/w47.html", "text/html; charset=utf-8"),
        ("en/posts/%D0%BF%D0%BE%D1%80%D1%82.html", "text/html; charset=utf-8"),
        ("style.css", "text/css; charset=utf-8"),
        ("en/feed.atom", "application/atom+xml; charset=utf-8"),
        ("SHA256SUMS", "text/plain; charset=utf-8"),
    ],
)
def test_each_file_comes_as_what_it_is(client: httpx.Client, path: str, kind: str) -> None:
    got, head = client.get(f"/archive/{path}"), client.head(f"/archive/{path}")
    assert got.status_code == head.status_code == 200
    assert got.headers["content-type"] == kind
    assert got.content
    assert head.content == b""
    assert {k: v for k, v in head.headers.items() if k != "date"} == {
        k: v for k, v in got.headers.items() if k != "date"
    }
    policy = got.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; style-src 'self'")
    assert "frame-ancestors 'none'" in policy
    assert got.headers["referrer-policy"] == "no-referrer"
    assert got.headers["x-content-type-options"] == "nosniff"
    assert got.headers["cache-control"] == "public, max-age=300"
    assert "set-cookie" not in got.headers


def test_a_folder_without_its_slash_leads_to_the_one_with_it(client: httpx.Client) -> None:
    for path, to in (("/archive", "archive/"), ("/archive/en", "en/"), ("/archive/act", None)):
        answer = client.get(path)
        if to is None:
            assert answer.status_code == 404
            continue
        assert answer.status_code == 308
        assert answer.headers["location"] == to  # relative: right behind any proxy
        there = client.get(str(httpx.URL(f"http://x.example.org{path}").join(to).path))
        assert there.status_code == 200


def test_a_folder_without_a_first_page_is_nothing(client: httpx.Client) -> None:
    assert client.get("/archive/en/posts/").status_code == 404


def test_what_the_browser_has_is_not_sent_again(client: httpx.Client, built: Site) -> None:
    path = "/archive/en/issues/w47.html"
    first = client.get(path).headers
    tag, changed = first["etag"], first["last-modified"]
    for asked in (
        {"If-None-Match": tag},
        {"If-None-Match": f'"other", W/{tag}'},
        {"If-None-Match": "*"},
        {"If-Modified-Since": changed},
    ):
        for answer in (client.get(path, headers=asked), client.head(path, headers=asked)):
            assert (answer.status_code, answer.content) == (304, b""), asked
            assert answer.headers["etag"] == tag
    for asked in (
        {"If-None-Match": '"other"'},
        {"If-None-Match": '"other"', "If-Modified-Since": changed},  # the tag decides
        {"If-Modified-Since": "Mon, 01 Jan 2001 00:00:00 GMT"},
        {"If-Modified-Since": "yesterday"},
        {"If-Modified-Since": "\x31" * 40},
    ):
        assert client.get(path, headers=asked).status_code == 200, asked
    (built.root / FOLDER / "en/issues/w47.html").write_text("anew")
    answer = client.get(path, headers={"If-None-Match": tag})
    assert (answer.status_code, answer.text) == (200, "anew")


WAYS_OUT = [
    "../secret.html", "..%2fsecret.html", "%2e%2e/secret.html", "en/../../secret.html",
    "....//secret.html", "..%5csecret.html", "%2e%2e%5csecret.html", "//secret.html",
    "%2fetc/passwd", "/etc/passwd", "en/%00.html", ".hidden.html", "people.csv", "out.html",
    "en/feed.atom/", "index.html/", "en//issues/w47.html", ".", "./", "en/.", "x" * 5000,
    "%ff", "%c0%ae%c0%ae/secret.html",
]  # fmt: skip


@pytest.mark.parametrize("way", WAYS_OUT)
def test_nothing_else_is_reached_by_any_way(client: httpx.Client, way: str) -> None:
    # By hand: a client of a person's makes such paths harmless before it asks.
    parts = urlsplit(str(client.base_url))
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port or 0, timeout=10)
    connection.request("GET", f"/archive/{way}")
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    assert answer.status in (400, 404)
    assert SECRET not in body
    if answer.status == 404:
        neutral = client.get("/u/wrong")
        assert without_nonce(body.decode()) == without_nonce(neutral.text)
        assert answer.headers["x-robots-tag"] == "noindex"
        assert answer.headers["cache-control"] == "no-store"


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.sampled_from(
            ["..", ".", "", "en", "out.html", "secret.html", "~", "\\", "/", "\0", "%2e"]
        )
        | st.text(max_size=5),
        max_size=6,
    )
)
def test_no_path_leads_out_of_the_folder(tmp_path: Path, parts: list[str]) -> None:
    top = tmp_path / "build" / "archive"
    if not top.exists():
        (top / "en").mkdir(parents=True)
        (tmp_path / "build" / "secret.html").write_bytes(SECRET)
        (tmp_path / "secret.html").write_bytes(SECRET)
        (top / "en" / "index.html").write_bytes(b"ours")
        (top / "out.html").symlink_to(tmp_path / "secret.html")
    found = look(top, "/".join(parts))
    assert not isinstance(found, File) or found.content == b"ours"


def test_a_loop_of_links_is_nothing(tmp_path: Path) -> None:
    (tmp_path / "a.html").symlink_to("b.html")
    (tmp_path / "b.html").symlink_to("a.html")
    assert look(tmp_path, "a.html") is None


def test_only_reading(client: httpx.Client) -> None:
    for method in ("POST", "PUT", "DELETE", "OPTIONS"):
        assert client.request(method, "/archive/index.html").status_code == 405


def test_before_the_first_build_there_is_nothing(site: Site, store: Store) -> None:
    with browsing(make_app(site, store)) as client:
        for path in ("/archive", "/archive/", "/archive/index.html"):
            assert client.get(path).status_code == 404


def test_a_site_without_an_archive_shows_none(built: Site, store: Store) -> None:
    site = replace(built, archive=ArchiveSettings(enabled=False))
    with browsing(make_app(site, store)) as client:
        for path in ("/archive", "/archive/", "/archive/index.html"):
            assert client.get(path).status_code == 404
        assert client.get("/robots.txt").text == "User-agent: *\nDisallow: /\n"


def test_search_engines_find_the_archive_only_if_they_may(
    client: httpx.Client, built: Site, store: Store
) -> None:
    assert client.get("/robots.txt").text == "User-agent: *\nAllow: /archive\nDisallow: /\n"
    assert "x-robots-tag" not in client.get("/archive/").headers
    site = replace(built, archive=ArchiveSettings(searchable=False))
    with browsing(make_app(site, store)) as other:
        assert other.get("/robots.txt").text == "User-agent: *\nDisallow: /\n"
        assert other.get("/archive/").headers["x-robots-tag"] == "noindex"
