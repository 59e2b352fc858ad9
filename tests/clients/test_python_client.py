"""The unmodified Python client of the seeds, on the version of `websockets` for which it was written."""

import sys

from harness import SEEDS, LocalSystem, Process, environment_without_aws

PLACEHOLDER = "wss://{api-id}.execute-api.{region}.amazonaws.com/{stage}"


def test_python_client_receives_events_and_nothing_else(local: LocalSystem, tmp_path):
    source = (SEEDS / "python.py").read_text()
    assert source.count(PLACEHOLDER) == 1
    script = tmp_path / "client.py"
    script.write_text(source.replace(PLACEHOLDER, f"ws://localhost:{local.port}"))

    environment = environment_without_aws(PYTHONUNBUFFERED="1", PYTHONWARNINGS="ignore::DeprecationWarning")
    client = Process([sys.executable, script], name="the Python client", env=environment)
    try:
        local.wait_for_interest("smartcity", "Room")
        for number in range(5):
            local.publish("smartcity", "Printer", f"urn:ngsi-ld:Printer:{number}")
            local.publish("smartcity", "Room", f"urn:ngsi-ld:Room:{number}", '{"temperature":21.5}')
            line = client.next_line(f"event {number}")
            assert line == f"entityUpdated: urn:ngsi-ld:Room:{number} {{'temperature': 21.5}}"

        # The client raises KeyError, and ends with 1, on any frame except events and `pong`. It ends with 0 when the server
        # closes the connection normally.
        local.stop()
        assert client.wait() == 0, client.output()
        assert len(client.lines) == 5, client.output()
    finally:
        client.kill()
