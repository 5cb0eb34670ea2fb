"""Headings: the names of columns that are known everywhere, in a dozen languages.

The first of a field's names that a file has is its column.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from mailout.core.spelling import composed

KNOWN: Mapping[str, tuple[str, ...]] = {
    # "Address" is the postal one where another column is called "Email Address".
    "email": (
        "email", "e mail", "email address", "e mail address", "mail", "address",
        "e mail adresse", "email adresse", "mailadresse",
        "электронная почта", "адрес электронной почты", "эл. почта", "эл почта", "e mail адрес",
        "email адрес", "почта", "имейл",
        "электрондық пошта", "эл. пошта", "пошта", "електронна пошта", "ел. пошта",
        "adresse e mail", "adresse email", "adresse électronique", "courriel",
        "correo electrónico", "dirección de correo electrónico", "correo", "correio eletrônico",
        "correio eletrónico", "endereço de e mail", "endereço de email",
        "indirizzo e mail", "indirizzo email", "posta elettronica",
        "e posta", "eposta", "e posta adresi", "adres e mail",
        "البريد الإلكتروني", "البريد الالكتروني", "بريد إلكتروني", "الإيميل",
    ),
    "name": (
        "name", "full name", "display name",
        "vor und nachname", "vollständiger name", "фио", "ф.и.о.", "полное имя", "имя и фамилия",
        "аты жөні", "толық аты", "піб", "повне ім'я", "nom complet", "nom et prénom",
        "nombre completo", "nombre y apellidos", "nome completo", "nome e cognome",
        "ad soyad", "adı soyadı", "imię i nazwisko", "الاسم الكامل", "الاسم",
    ),
    "first_name": (
        "first name", "firstname", "given name",
        "vorname", "имя", "аты", "ім'я", "ім’я", "prénom", "nombre", "nome", "isim", "adı", "imię",
        "الاسم الأول",
    ),
    "last_name": (
        "last name", "lastname", "surname", "family name",
        "nachname", "familienname", "zuname", "фамилия", "тегі", "прізвище", "nom de famille",
        "nom", "apellidos", "apellido", "sobrenome", "apelido", "cognome", "soyad", "soyadı",
        "nazwisko", "اسم العائلة", "اللقب",
    ),
    "language": (
        "language", "lang", "locale", "preferred language",
        "sprache", "язык", "тіл", "тілі", "мова", "langue", "idioma", "lingua", "dil", "język",
        "اللغة", "لغة",
    ),
    "country": (
        "country", "country code",
        "land", "страна", "ел", "елі", "країна", "pays", "país", "paese", "ülke", "kraj",
        "البلد", "الدولة",
    ),
    "tags": (
        "tags", "tag", "segments", "segment", "labels",
        "schlagwörter", "schlagworte", "теги", "метки", "тегтер", "мітки", "étiquettes",
        "etiquetas", "etichette", "etiketler", "etykiety", "الوسوم",
    ),
    # Not `estado`, `stato`: a part of a country, too.
    "status": (
        "status", "subscription status", "subscriber status", "global status", "mailout status",
        "статус", "мәртебе", "statut", "durum", "الحالة",
    ),
    # Yes or no, or the date: nothing in it means that they never did, or do no longer.
    "opted_in": (
        "subscribed", "is subscribed", "opted in", "is opted in", "opt in", "email opt in",
        "newsletter opt in", "marketing opt in", "accepts marketing", "accepts email marketing",
    ),
    "opt_in_time": ("optin time", "opt in time", "opt in date", "opted in at"),
    "confirm_time": ("confirm time", "confirmed at", "confirmation time"),
    "list": ("list",),
    # Of our own exports as JSON lines: an object.
    "bag": ("fields",),
    # Passed over without a word: the store keeps its own time of joining.
    "joined": ("joined", "date", "created", "created at", "joined at", "subscription date"),
    # Those of our own mend files.
    "mended": ("mailout row", "mailout why"),
}  # fmt: skip

# Columns that are filled in only for people who left or whose address died.
LEFT = re.compile(
    r"unsub\w*|opted? out|opt out|email disabled|(?:email )?blacklist\w*|(?:is )?deleted\b"
    r"|abgemeldet|abmeldung|abbestellt|ausgetreten|austritt|отпис|отказ|бас тарт|відпис|відмов"
    r"|désabonn|désinscri|dado de baja|dada de baja|fecha de baja|baja$|descadastrad|disiscri"
    r"|ayrıl|wypisan|إلغاء الاشتراك|ألغى الاشتراك"
)
DEAD = re.compile(r"clean time|cleaned|bounced at")
IP = re.compile(r"(?:.* )?ip(?: address)?")


def normal(name: str) -> str:
    """A column's name as it is compared: lower case, with single blanks for `_` and `-`."""
    return " ".join(re.sub(r"[\s_-]+", " ", composed(name).casefold()).split())


def field_of(name: str) -> str:
    """The field that is known by that name; empty for another one."""
    plain = normal(name)
    return next((field for field, known in KNOWN.items() if plain in known), "")


def in_pairs(plain: Sequence[str]) -> list[str]:
    """Normal names of a file's columns, with a German `Name` beside a `Vorname` as the family's."""
    if "vorname" in plain and not {"nachname", "familienname", "zuname"} & set(plain):
        return ["nachname" if name == "name" else name for name in plain]
    return list(plain)
