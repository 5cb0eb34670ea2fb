"""The real Dovecot, for every test of this folder."""

from dovecot_server import dovecot, dovecot_installed, session_dovecot

__all__ = ["dovecot", "dovecot_installed", "session_dovecot"]
