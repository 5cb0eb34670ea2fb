"""Tables that people made themselves: headings in their language, names of languages and countries,
and addresses as a mail program copies them."""

from __future__ import annotations

from collections import Counter

import pytest

from mailout.catalogue.named import country_called, language_called
from mailout.core.site import Site
from mailout.core.subscription import SubscriptionState
from mailout.roster import columns, headings
from mailout.roster.reading import Row
from mailout.store.engine import Store
from roster_tools import Import, accounted, person, state

TABLES = {
    "de": "Vorname;Nachname;E-Mail-Adresse;Sprache;Land;Schlagwörter",
    "ru": "Имя;Фамилия;Электронная почта;Язык;Страна;Теги",
    "kk": "Аты;Тегі;Электрондық пошта;Тілі;Елі;Тегтер",
    "uk": "Ім’я;Прізвище;Електронна пошта;Мова;Країна;Теги",
    "fr": "Prénom;Nom;Adresse e-mail;Langue;Pays;Étiquettes",
    "es": "Nombre;Apellidos;Correo electrónico;Idioma;País;Etiquetas",
    "pt": "Nome;Sobrenome;Endereço de e-mail;Idioma;País;Etiquetas",
    "it": "Nome;Cognome;Indirizzo e-mail;Lingua;Paese;Etichette",
    "tr": "Adı;Soyadı;E-posta;Dil;Ülke;Etiketler",
    "pl": "Imię;Nazwisko;Adres e-mail;Język;Kraj;Etykiety",
    "ar": "الاسم الأول;اسم العائلة;البريد الإلكتروني;اللغة;البلد;الوسوم",
}
LEFT = (
    "Abgemeldet", "Austritt", "Отписан", "Отписался", "Бас тартты", "Відписався", "Désabonné le",
    "Désinscrit", "Fecha de baja", "Baja", "Descadastrado", "Disiscritto", "Ayrıldı", "Wypisany",
    "إلغاء الاشتراك",
)  # fmt: skip


@pytest.mark.parametrize("language", TABLES)
def test_a_table_has_headings_in_its_own_language(language: str) -> None:
    found = columns.recognise(Row(1, tuple(TABLES[language].split(";"))), {}, "people.csv")
    fields = ("first_name", "last_name", "email", "language", "country", "tags")
    assert [found.at(field) for field in fields] == [0, 1, 2, 3, 4, 5]


def test_a_table_in_its_own_language_is_imported(take: Import, store: Store, site: Site) -> None:
    rows = "Anna;Weiß;anna@x.org;Deutsch;Deutschland;press\n"
    accounted(take(f"{TABLES['de']}\n{rows}"))
    anna = person(store, site, "anna@x.org")
    assert (anna.name, anna.language, anna.country, anna.tags) == (
        "Anna Weiß", "de", "DE", ("press",)
    )  # fmt: skip


def test_no_heading_is_known_for_two_fields() -> None:
    every = Counter(name for names in headings.KNOWN.values() for name in names)
    assert [name for name, times in every.items() if times > 1] == []
    assert [name for name in every if headings.normal(name) != name] == []
    assert [name for name in every if headings.LEFT.match(name)] == []


@pytest.mark.parametrize("heading", LEFT)
def test_who_left_is_known_by_a_heading_in_their_language(heading: str) -> None:
    found = columns.recognise(Row(1, ("email", heading)), {}, "people.csv")
    assert found.positions["left"] == (1,) and not found.ignored


def test_who_left_by_such_a_heading_is_not_mailed(take: Import, store: Store, site: Site) -> None:
    take("почта,Отписан\nanna@x.org,2026-02-01\nboris@x.org,нет\n")
    assert state(store, site, "anna@x.org") is SubscriptionState.UNSUBSCRIBED
    assert state(store, site, "boris@x.org") is SubscriptionState.ACTIVE


def test_a_part_of_a_country_is_no_sign_that_somebody_left(
    take: Import, store: Store, site: Site
) -> None:
    take("email,Estado,Baja California\nanna@x.org,Sonora,no\nboris@x.org,Baja,x\n")
    assert state(store, site, "anna@x.org") is SubscriptionState.ACTIVE
    assert state(store, site, "boris@x.org") is SubscriptionState.ACTIVE


@pytest.mark.parametrize(
    ("header", "cells", "name"),
    [
        ("Vorname,Name", "Anna,Weiß", "Anna Weiß"),
        ("Name,Vorname", "Weiß,Anna", "Anna Weiß"),
        ("Vorname,Name,Nachname", "Anna,Anna W.,Weiß", "Anna W."),
        ("Nom", "Weiß", "Weiß"),
        ("Имя", "Анна", "Анна"),
        ("ФИО,Имя", "Анна Вайс,Анна", "Анна Вайс"),
        ("Pre\u0301nom,NOM", "Anna,Weiß", "Anna Weiß"),  # an accent of its own, as on a Mac
    ],
)
def test_parts_of_a_name(
    take: Import, store: Store, site: Site, header: str, cells: str, name: str
) -> None:
    take(f"email,{header}\nanna@x.org,{cells}\n")
    assert person(store, site, "anna@x.org").name == name


def test_a_map_prevails_over_what_a_heading_means() -> None:
    header = Row(1, ("Почта", "Vorname", "Name"))
    found = columns.recognise(header, {"Name": "name"}, "people.csv")
    assert found.at("name") == 2 and found.at("last_name") == -1


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ("Германия", "DE"), ("kazakhstan", "KZ"), ("Қазақстан", "KZ"), ("Соединённые Штаты", "US"),
        ("USA", "US"), ("KAZ", "KZ"), ("Великобритания", "GB"), ("ألمانيا", "DE"), ("Türkei", "TR"),
        ("SUN", ""), ("Atlantis", ""), ("", ""),
    ],
)  # fmt: skip
def test_countries_in_words(words: str, code: str) -> None:
    assert country_called(words) == code


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ("Russian", "ru"), ("РУССКИЙ", "ru"), ("русский язык", "ru"), ("Deutsch", "de"),
        ("қазақ тілі", "kk"), ("rus", "ru"), ("ger", "de"), ("العربية", "ar"), ("ckb", ""),
        ("English (United States)", "en"), ("Martian", ""), ("Ladino", ""), ("", ""),
    ],
)  # fmt: skip
def test_languages_in_words(words: str, code: str) -> None:
    assert language_called(words) == code


def test_codes_stay_as_they_are(take: Import, store: Store, site: Site) -> None:
    take("email,language,country\na@x.org,pt_BR,de\nb@x.org,ckb,IQ\nc@x.org,rus,UK\n")
    spoken = [person(store, site, f"{one}@x.org") for one in "abc"]
    assert [(one.language, one.country) for one in spoken] == [
        ("pt-br", "DE"), ("ckb", "IQ"), ("ru", "GB")
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("cell", "given", "name"),
    [
        ("Анна <anna@x.org>", "", "Анна"),
        ('"Weiß, Anna" <anna@x.org>', "", "Weiß, Anna"),
        ("<anna@x.org>", "", ""),
        ("anna@x.org (Anna Weiß)", "", "Anna Weiß"),
        ("Annie <anna@x.org>", "Anna", "Anna"),
    ],
)
def test_an_address_as_a_mail_program_copies_it(
    take: Import, store: Store, site: Site, cell: str, given: str, name: str
) -> None:
    quoted = '"' + cell.replace('"', '""') + '"'
    report = accounted(take(f"email,name\n{quoted},{given}\n"))
    assert (report.added, report.refused) == (1, ())
    found = person(store, site, "anna@x.org")
    assert (found.address, found.name) == ("anna@x.org", name)


def test_what_is_no_address_within_brackets_is_refused_with_the_cell(take: Import) -> None:
    report = take("email,name\nAnna <anna@>,\nA <a@x.org> B <b@x.org>,\n=cmd <c@x.org>,\n")
    assert [one.row for one in report.refused][:2] == [2, 3]
    assert report.refused[1].why == "more than one address in a cell"
