"""A proxy in front of DynamoDB that records the operations on each table."""

import json
import threading
import urllib.error
import urllib.request
from collections import defaultdict
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

PATIENCE = 30


class Recorder:
    """Forwards requests to an endpoint. `operations` holds the names of the operations by table. A transaction counts as
    the operations that it consists of, because IAM asks for their permissions."""

    def __init__(self, endpoint: str):
        self.operations: dict[str, set[str]] = defaultdict(set)
        recorder = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                operation = self.headers["X-Amz-Target"].partition(".")[2]
                recorder._record(operation, json.loads(body))
                headers = {name: value for name, value in self.headers.items() if name.lower() != "host"}
                request = urllib.request.Request(endpoint, body, headers, method="POST")
                try:
                    with urllib.request.urlopen(request, timeout=PATIENCE) as answer:
                        status, content, kind = answer.status, answer.read(), answer.headers["Content-Type"]
                except urllib.error.HTTPError as error:
                    status, content, kind = error.code, error.read(), error.headers["Content-Type"]
                self.send_response(status)
                self.send_header("Content-Type", kind)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_):
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def _record(self, operation: str, request: dict):
        if operation == "TransactWriteItems":
            for item in request["TransactItems"]:
                ((part, content),) = item.items()
                name = part if part == "ConditionCheck" else part + "Item"
                self.operations[content["TableName"]].add(name)
        elif operation == "BatchWriteItem":
            for table in request["RequestItems"]:
                self.operations[table].add(operation)
        else:
            self.operations[request["TableName"]].add(operation)

    def stop(self):
        self._server.shutdown()
        self._server.server_close()
