"""Runs a command beside a second, independent DynamoDB engine: moto's.

    python second_engine.py cargo test -p entity-stream-connections --test table

The engine's address is in ENTITY_STREAM_TEST_DYNAMODB_ENDPOINT. The exit code is that of the command. The engine is moto and
not dynalite, because dynalite has neither TransactWriteItems nor UpdateTimeToLive.
"""

import json
import os
import subprocess
import sys
import threading
from collections import defaultdict
from contextlib import ExitStack
from io import BytesIO

from moto.core.model_instances import reset_model_data
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import WSGIRequestHandler, make_server

VARIABLE = "ENTITY_STREAM_TEST_DYNAMODB_ENDPOINT"


class OneAtATime:
    """Serialises the requests to a table, because moto takes no locks. Otherwise a request sometimes fails because another one
    changes the table during it. And a failing transaction, for which moto restores a copy of the table, undoes concurrent
    writes.

    Requests to different tables do not wait for each other. Each test has a table of its own. With one lock for all tables,
    a test that has many large transactions at once would delay the requests of the other tests by seconds, and the time
    limits of the tested code would end their changes."""

    def __init__(self, application):
        self.application = application
        self.locks = defaultdict(threading.Lock)

    def __call__(self, environ, start_response):
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        environ["wsgi.input"] = BytesIO(body)
        with ExitStack() as held:
            # In the order of their names, so that two requests never wait for each other.
            for table in sorted(tables(json.loads(body))):
                held.enter_context(self.locks[table])
            response = list(self.application(environ, start_response))
        # moto keeps each object for its own tests, the copy of a table for each transaction included. The garbage collector
        # of Python would stop all requests for a second and more after some thousand of them.
        reset_model_data()
        return response


def tables(request: dict) -> set[str]:
    """The tables that a request names: one, those of a batch, or those of a transaction."""
    writes = [write for item in request.get("TransactItems", []) for write in item.values()]
    names = {part["TableName"] for part in [request, *writes] if "TableName" in part}
    return names | set(request.get("RequestItems", {}))


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
