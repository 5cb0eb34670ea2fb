"""`[webhooks]` and the token header: what cannot work is refused with its line."""

from __future__ import annotations

from pathlib import Path

import pytest

from mailout.config.site import read_site
from mailout.config.webhooks import configured
from mailout.core.errors import BadFile
from mailout.core.webhook.settings import Login, Ses, SigningKey
from providers import TOPIC, sendgrid_public_key


def written(root: Path, text: str) -> Path:
    path = root / "config.toml"
    path.write_text(path.read_text("utf-8") + "\n" + text, encoding="utf-8")
    return root


def test_providers_are_read_with_their_secrets_from_the_environment(
    site_root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOOK_PASSWORD", "an invented password")
    monkeypatch.setenv("HOOK_KEY", " an invented key\n")
    monkeypatch.delenv("HOOK_TOKEN", raising=False)
    text = f"""
[webhooks.ses]
topics = ["{TOPIC}"]
[webhooks.sendgrid]
public_key = "{sendgrid_public_key()}"
[webhooks.mailgun]
signing_key_env = "HOOK_KEY"
[webhooks.mailjet]
username = "mailout"
password_env = "HOOK_PASSWORD"
[webhooks.brevo]
header = "Authorization"
secret_env = "HOOK_TOKEN"
"""
    found = {one.name: one for one in configured(read_site(written(site_root, text)).webhooks)}
    assert sorted(found) == ["brevo", "mailgun", "mailjet", "sendgrid", "ses"]
    assert found["ses"].settings == Ses(topics=(TOPIC,))
    assert found["mailgun"].settings == SigningKey(key="an invented key")
    assert found["mailjet"].settings == Login(username="mailout", password="an invented password")
    assert found["mailjet"].login == "mailout:$HOOK_PASSWORD"
    assert (found["brevo"].settings, found["brevo"].missing) == (None, "HOOK_TOKEN")


def test_a_site_without_them_has_none(site_root: Path) -> None:
    assert configured(read_site(site_root).webhooks) == ()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[webhooks.ses]\ntopics = []", "`topics` is empty"),
        ("[webhooks.ses]\ntopics = ['mailout']", "`mailout` is no name of a topic"),
        ("[webhooks.ses]\ntopic = 'x'", "unknown key `topic`"),
        ("[webhooks.sendgird]\npublic_key = 'x'", "Did you mean `sendgrid`?"),
        ("[webhooks.sendgrid]\npublic_key = 'x'", "it is not base64"),
        ("[webhooks.sendgrid]\npublic_key = 'MFkw'", "it is no public key"),
        ("[webhooks.mailgun]\nsigning_key_env = 'key-0123-secret'", "`signing_key_env` is no name"),
        ("[webhooks.postmark]", "needs either a login or a header, and has none"),
        (
            "[webhooks.postmark]\nusername = 'a'\npassword_env = 'B'\nheader = 'X-C'",
            "needs either a login or a header, and has both",
        ),
        ("[webhooks.postmark]\nheader = 'X C'\nsecret_env = 'B'", "no name of a header"),
        ("[webhooks.postmark]\nheader = 'X-C'", "`secret_env` is no name of a variable"),
        ("[webhooks.brevo]\nusername = 'a:b'\npassword_env = 'B'", "`username` has to be letters"),
        ("[webhooks.brevo]\npassword_env = 'B'", "`username` has to be letters"),
        ("[webhooks.mailjet]\nheader = 'X-C'\nsecret_env = 'B'", "Mailjet sends no header"),
    ],
)
def test_what_cannot_work_is_refused_with_its_line(site_root: Path, text: str, said: str) -> None:
    root = written(site_root, text)
    with pytest.raises(BadFile) as refused:
        read_site(root)
    assert said in str(refused.value)
    assert refused.value.where.startswith("config.toml:")
    assert "secret" not in str(refused.value).replace("secret_env", "").replace(
        "holds the secret", ""
    )


@pytest.mark.parametrize(
    "name",
    [
        "Delivery",
        "X",
        "X-",
        "X-A B",
        "X-A:",
        "X-Ä",
        "X-A\\nBcc",
        "X-" + "a" * 41,
        "X-a-",
        "x-Auto-Response-Suppress",
    ],
)
def test_a_token_header_is_one_that_can_be_ours(site_root: Path, name: str) -> None:
    path = site_root / "config.toml"
    text = path.read_text("utf-8").replace('token_header = ""', f'token_header = "{name}"')
    path.write_text(text, encoding="utf-8")
    with pytest.raises(BadFile, match="cannot be a header of ours"):
        read_site(site_root)


@pytest.mark.parametrize(
    "name", ["X-Delivery", "X-PM-Metadata-delivery", "X-MJ-CustomID", "X-Mailin-custom"]
)
def test_names_that_providers_want_are_taken(site_root: Path, name: str) -> None:
    path = site_root / "config.toml"
    text = path.read_text("utf-8").replace('token_header = ""', f'token_header = "{name}"')
    path.write_text(text, encoding="utf-8")
    assert read_site(site_root).sending.token_header == name
