"""Keeps a copy of all entities of the tenant `demo`. For each line of its input it prints one line: the entities, by id.

`clients/conformance/mirrors` runs it beside the programs of the other clients.
"""

import asyncio
import json
import os
import sys
from pathlib import Path

from entity_stream import EntityStream


def token() -> str:
    return Path(os.environ["MIRROR_TOKEN_FILE"]).read_text().strip()


async def main() -> None:
    options = {
        "rotate_after": float(os.environ["MIRROR_ROTATE_MS"]) / 1000,
        "drain": 1.0,
        "ping_interval": 5.0,
        "pong_timeout": 3.0,
        "backoff_max": 2.0,
    }
    said = lambda change: print(change.state, getattr(change.error, "code", ""), file=sys.stderr)  # noqa: E731
    async with EntityStream(os.environ["MIRROR_URL"], "demo", get_token=token, on_state=said, **options) as stream:
        entities = stream.entities()
        while await asyncio.to_thread(sys.stdin.readline):
            held = {each.id: {"type": each.type, "data": each.data} for each in entities.all()}
            print(json.dumps({"complete": entities.is_complete, "entities": held}), flush=True)


asyncio.run(main())
