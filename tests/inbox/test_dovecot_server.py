"""The server that other tests stand on does what they take for granted."""

from __future__ import annotations

from dovecot_server import Dovecot


def test_mail_to_an_extended_address_is_in_the_box_of_its_user(dovecot: Dovecot) -> None:
    dovecot.deliver("anna", b"Subject: one\r\n\r\nx\r\n", recipient="anna+token@box.example.org")
    dovecot.put("anna", [b"Subject: two\n\nx\n"])
    assert len(dovecot.doveadm("search", "-u", "anna", "all").splitlines()) == 2
    assert dovecot.doveadm("search", "-u", "bela", "all") == ""


def test_boxes_are_empty_for_each_test(dovecot: Dovecot) -> None:
    assert dovecot.doveadm("search", "-u", "anna", "all") == ""
