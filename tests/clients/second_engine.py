"""Runs a command beside a second, independent DynamoDB engine: moto's.

    python second_engine.py cargo test -p entity-stream-connections --test table

The engine's address is in ENTITY_STREAM_TEST_DYNAMODB_ENDPOINT. The exit code is that of the command. The engine is moto and
not dynalite, because dynalite has neither TransactWriteItems nor UpdateTimeToLive.
"""

import os
import subprocess
import sys
import threading

from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import WSGIRequestHandler, make_server

VARIABLE = "ENTITY_STREAM_TEST_DYNAMODB_ENDPOINT"


class OneAtATime:
    """Serialises the requests, because moto takes no locks. Otherwise a request sometimes fails because another one changes
    the table during it. And a failing transaction, for which moto restores a copy of the table, undoes concurrent writes."""

    def __init__(self, application):
        self.application = application
        self.lock = threading.Lock()

    def __call__(self, environ, start_response):
        with self.lock:
            return list(self.application(environ, start_response))


class Quiet(WSGIRequestHandler):
    def log(self, *_):
        pass


def main(command: list[str]) -> int:
    if not command:
        print(__doc__, file=sys.stderr)
        return 2
    application = OneAtATime(DomainDispatcherApplication(create_backend_app))
    server = make_server("127.0.0.1", 0, application, threaded=True, request_handler=Quiet)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        endpoint = f"http://127.0.0.1:{server.server_port}"
        return subprocess.run(command, env=os.environ | {VARIABLE: endpoint}).returncode
    finally:
        server.shutdown()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
