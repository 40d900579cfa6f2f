"""A real PgBouncer in transaction mode before a test's Postgres, where one is installed."""

from __future__ import annotations

import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from sqlalchemy.engine import make_url

from tests.e2e.harness import until
from tests.e2e.loopback import free_port

BINARY = shutil.which("pgbouncer", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
SETTINGS = """
[databases]
{name} = host={host} port={port} dbname={name} user={user}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {listen}
unix_socket_dir =
auth_type = any
pool_mode = transaction
default_pool_size = 3
max_client_conn = 100
logfile = {folder}/log
pidfile = {folder}/pid
"""


@contextmanager
def transaction_pooling(postgres_url: str) -> Iterator[str]:
    """The same database through PgBouncer: few server connections, handed out anew for each transaction."""
    if BINARY is None:
        pytest.skip("pgbouncer is not installed (apt-get install pgbouncer)")
    url, listen = make_url(postgres_url), free_port()
    with tempfile.TemporaryDirectory(prefix="dailies-pooler-") as folder:
        host = url.host or str(url.query.get("host", "127.0.0.1"))
        values = {"name": url.database, "host": host, "port": url.port or 5432, "user": url.username, "listen": listen}
        file = Path(folder) / "pgbouncer.ini"
        file.write_text(SETTINGS.format(**values, folder=folder))
        command = [BINARY, str(file)]
        if os.getuid() == 0:  # it will not run as root, and the server's socket belongs to another
            owner = pwd.getpwuid(Path(host).stat().st_uid).pw_name if host.startswith("/") else "nobody"
            command += ["-u", owner]
            shutil.chown(folder, owner)
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            until(lambda: _answers(listen) or process.poll() is not None)
            yield url.set(host="127.0.0.1", port=listen, password="any", query={}).render_as_string(hide_password=False)
        finally:
            process.terminate()
            process.wait(30)


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
