"""Providers of mail for tests: requests as each would make them, signed with keys of our own."""

from __future__ import annotations

import base64
import hmac
import json
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID

from mailout.core.webhook.settings import Login, Ready, SendGrid, Ses, SigningKey

NOW = datetime(2026, 11, 26, 12, 0, tzinfo=UTC)
TOPIC = "arn:aws:sns:eu-central-1:123456789012:harbour-bounces"
CERTIFICATE_URL = (
    "https://sns.eu-central-1.amazonaws.com/SimpleNotificationService-0a1b2c3d4e5f.pem"
)
KEY = "an invented signing key"
ANNA = "anna@quay.example.org"
OUR_ID = "<5f2c@news.example.org>"
DELIVERY = "0" * 30 + "1f"
"""A token as it stands in a return path and in the token header."""

Headers = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Provider:
    """A provider: its name, our settings for it, and how it makes a request of one event."""

    name: str
    settings: Ready
    request: Callable[[Any, datetime], tuple[bytes, Headers]]
    bounce: Mapping[str, Any]
    opened: Mapping[str, Any]


def body_of(value: Any) -> bytes:
    return json.dumps(value).encode()


@cache
def sns_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def certificate(
    begin: datetime = NOW - timedelta(days=9), days: int = 99, key: Any = None
) -> bytes:
    key = key or sns_key()
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "sns.example.org")])
    built = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(7)
        .not_valid_before(begin)
        .not_valid_after(begin + timedelta(days=days))
    )
    return built.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM)


@cache
def lasting_certificate() -> bytes:
    return certificate(datetime(2020, 1, 1, tzinfo=UTC), 9000)


def sns(message: str, at: datetime = NOW, version: str = "2", **other: Any) -> dict[str, Any]:
    """What SNS posts, signed."""
    envelope = {
        "Type": "Notification",
        "MessageId": "0b1c",
        "TopicArn": TOPIC,
        "Message": message,
        "Timestamp": at.strftime("%Y-%m-%dT%H:%M:%S.000Z"),
        "SignatureVersion": version,
        "SigningCertURL": CERTIFICATE_URL,
        **other,
    }
    names = ["Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"]
    if envelope["Type"] != "Notification":
        names = ["Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"]
    text = "".join(f"{name}\n{envelope[name]}\n" for name in names if name in envelope)
    algorithm = hashes.SHA1() if version == "1" else hashes.SHA256()  # noqa: S303
    signature = sns_key().sign(text.encode(), padding.PKCS1v15(), algorithm)
    return {**envelope, "Signature": base64.b64encode(signature).decode()}


def subscription(url: str, **other: Any) -> dict[str, Any]:
    wanted = {"Type": "SubscriptionConfirmation", "Token": "t0k3n", "SubscribeURL": url}
    return sns("You have chosen to subscribe.", **{**wanted, **other})


def _of_ses(event: Any, at: datetime) -> tuple[bytes, Headers]:
    return body_of(sns(event if isinstance(event, str) else json.dumps(event), at)), {}


@cache
def _sendgrid_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def sendgrid_public_key() -> str:
    raw = _sendgrid_key().public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return base64.b64encode(raw).decode()


def signed_by_sendgrid(body: bytes, at: datetime) -> Headers:
    timestamp = str(int(at.timestamp()))
    signature = _sendgrid_key().sign(timestamp.encode() + body, ec.ECDSA(hashes.SHA256()))
    return {
        "x-twilio-email-event-webhook-signature": base64.b64encode(signature).decode(),
        "x-twilio-email-event-webhook-timestamp": timestamp,
    }


def _of_sendgrid(event: Any, at: datetime) -> tuple[bytes, Headers]:
    body = body_of(event if isinstance(event, list) else [event])
    return body, signed_by_sendgrid(body, at)


def mailgun_signature(at: datetime, token: str = "") -> dict[str, str]:
    token = token or secrets.token_hex(25)
    timestamp = str(int(at.timestamp()))
    made = hmac.new(KEY.encode(), f"{timestamp}{token}".encode(), "sha256").hexdigest()
    return {"timestamp": timestamp, "token": token, "signature": made}


def _of_mailgun(event: Any, at: datetime) -> tuple[bytes, Headers]:
    return body_of({"signature": mailgun_signature(at), "event-data": event}), {}


def basic(username: str, password: str) -> Headers:
    return {
        "authorization": "Basic " + base64.b64encode(f"{username}:{password}".encode()).decode()
    }


def _logged_in(event: Any, _: datetime) -> tuple[bytes, Headers]:
    return body_of(event), basic("mailout", "an invented password")


def _with_token(event: Any, _: datetime) -> tuple[bytes, Headers]:
    return body_of(event), {"x-hook-token": "an invented token"}


LOGIN = Login(username="mailout", password="an invented password")
TOKEN = Login(header="X-Hook-Token", secret="an invented token")

SES_BOUNCE = {
    "notificationType": "Bounce",
    "bounce": {
        "feedbackId": "0100-bounce",
        "bounceType": "Permanent",
        "bounceSubType": "General",
        "bouncedRecipients": [
            {
                "emailAddress": ANNA,
                "action": "failed",
                "status": "5.1.1",
                "diagnosticCode": "smtp; 550 5.1.1 nobody of this name",
            }
        ],
        "timestamp": "2026-11-26T11:59:00.000Z",
        "remoteMtaIp": "192.0.2.7",
        "reportingMTA": "dsn; out.example.org",
    },
    "mail": {
        "messageId": "0100-mail",
        "sourceIp": "192.0.2.8",
        "destination": [ANNA],
        "headersTruncated": False,
        "headers": [
            {"name": "Received", "value": "from desk.example.org ([192.0.2.9])"},
            {"name": "Message-ID", "value": OUR_ID},
            {"name": "X-Delivery", "value": DELIVERY},
        ],
        "commonHeaders": {"messageId": "0100-mail"},
    },
}

PROVIDERS = {
    one.name: one
    for one in (
        Provider(
            "ses",
            Ses(topics=(TOPIC,)),
            _of_ses,
            SES_BOUNCE,
            {"eventType": "Open", "mail": {}, "open": {"ipAddress": "192.0.2.1"}},
        ),
        Provider(
            "sendgrid",
            SendGrid(public_key=sendgrid_public_key()),
            _of_sendgrid,
            {
                "email": ANNA,
                "timestamp": 1795694340,
                "smtp-id": OUR_ID,
                "event": "bounce",
                "type": "bounce",
                "reason": "550 5.1.1 nobody of this name",
                "status": "5.1.1",
                "sg_event_id": "event-1",
                "sg_message_id": "message-1.recv",
                "ip": "192.0.2.7",
                "delivery": DELIVERY,
            },
            {"email": ANNA, "event": "open", "sg_event_id": "event-2", "useragent": "A browser"},
        ),
        Provider(
            "postmark",
            LOGIN,
            _logged_in,
            {
                "RecordType": "Bounce",
                "ID": 4242,
                "Type": "HardBounce",
                "TypeCode": 1,
                "MessageID": "d3b0",
                "Details": "smtp;550 5.1.1 nobody of this name",
                "Email": ANNA,
                "BouncedAt": "2026-11-26T11:59:00Z",
                "Metadata": {"delivery": DELIVERY},
                "Content": f"Received: from [192.0.2.7]\r\nMessage-ID: {OUR_ID}\r\n\r\nDear Anna",
            },
            {"RecordType": "Open", "Recipient": ANNA, "UserAgent": "A browser"},
        ),
        Provider(
            "mailgun",
            SigningKey(key=KEY),
            _of_mailgun,
            {
                "event": "failed",
                "id": "id-1",
                "timestamp": 1795694340.25,
                "severity": "permanent",
                "reason": "bounce",
                "recipient": ANNA,
                "delivery-status": {
                    "code": 550,
                    "message": "5.1.1 nobody of this name",
                    "description": "",
                    "attempt-no": 1,
                },
                "message": {"headers": {"message-id": OUR_ID.strip("<>"), "to": ANNA}, "size": 9},
                "user-variables": {"delivery": DELIVERY},
                "envelope": {"sending-ip": "192.0.2.7", "targets": ANNA},
                "storage": {"url": "https://storage.example.org/1"},
            },
            {"event": "opened", "id": "id-2", "ip": "192.0.2.1", "geolocation": {"city": "Quay"}},
        ),
        Provider(
            "brevo",
            TOKEN,
            _with_token,
            {
                "event": "hard_bounce",
                "email": ANNA,
                "id": 77,
                "message-id": OUR_ID,
                "ts_event": 1795694340,
                "ts_epoch": 1795694340000,
                "reason": "550 5.1.1 nobody of this name",
                "sending_ip": "192.0.2.7",
                "X-Mailin-custom": DELIVERY,
            },
            {"event": "unique_opened", "email": ANNA, "message-id": OUR_ID, "user_agent": "A"},
        ),
        Provider(
            "mailjet",
            LOGIN,
            _logged_in,
            {
                "event": "bounce",
                "time": 1795694340,
                "MessageID": 19421777835146490,
                "Message_GUID": "1ab2",
                "email": ANNA,
                "CustomID": DELIVERY,
                "blocked": False,
                "hard_bounce": True,
                "error_related_to": "recipient",
                "error": "user unknown",
                "comment": "550 5.1.1 nobody of this name",
            },
            {"event": "open", "time": 1795694341, "email": ANNA, "ip": "192.0.2.1", "agent": "A"},
        ),
    )
}
