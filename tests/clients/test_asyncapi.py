"""`asyncapi.yaml` is valid for the AsyncAPI Initiative's own parser, and the parser finds mistakes."""

import json
import subprocess
from pathlib import Path

import yaml

from harness import PATIENCE, REPOSITORY

DOCUMENT = REPOSITORY / "asyncapi.yaml"


def parse(*documents: Path) -> list[dict]:
    command = ["node", Path(__file__).parent / "asyncapi.mjs", *documents]
    run = subprocess.run([str(part) for part in command], capture_output=True, text=True, timeout=4 * PATIENCE)
    assert run.returncode == 0, run.stderr
    return json.loads(run.stdout)


def test_the_document_is_valid():
    (result,) = parse(DOCUMENT)
    assert result["problems"] == []
    assert result["version"] == "3.0.0"
    asked = {"subscribe", "unsubscribe", "nextSnapshot", "ping", "sync", "authenticate", "dpopBind"}
    assert asked | {"deliver", "publish"} == set(result["operations"])
    assert (len(result["messages"]), result["examples"] >= 20) == (22, True)


def test_the_parser_finds_mistakes(tmp_path):
    """The parser has to find a mistake in the structure, in an example, and in a reference."""
    (tmp_path / "docs").symlink_to(REPOSITORY / "docs")

    def broken(name: str, change) -> Path:
        document = yaml.safe_load(DOCUMENT.read_text())
        change(document)
        path = tmp_path / f"{name}.yaml"
        path.write_text(yaml.safe_dump(document))
        return path

    def structure(document):
        document["operations"]["publish"]["action"] = "fly"

    def example(document):
        document["components"]["messages"]["error"]["examples"][0]["payload"]["code"] = "no_such_code"

    def reference(document):
        document["components"]["messages"]["pong"]["payload"]["$ref"] = "docs/schemas/missing.json"

    for result in parse(*(broken(slip.__name__, slip) for slip in (structure, example, reference))):
        assert result["problems"], result["path"]


def test_the_local_server_is_the_local_system():
    servers = yaml.safe_load(DOCUMENT.read_text())["servers"]
    assert (servers["local"]["protocol"], servers["local"]["host"]) == ("ws", "localhost:3000")
