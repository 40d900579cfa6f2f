"""An S3 server in a process of its own, so that its work is not counted as anybody's: `python -m benchmarks.store`."""

from __future__ import annotations

import logging
import os
import threading

from moto.server import ThreadedMotoServer


def main() -> None:
    """Serve on a free port until the parent is gone; the first line on stdout is the address."""
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    print(f"http://{host}:{port}", flush=True)
    parent = os.getppid()
    while os.getppid() == parent:
        threading.Event().wait(1)


if __name__ == "__main__":
    main()
