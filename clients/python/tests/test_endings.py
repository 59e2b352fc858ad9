"""Programs that end in the middle of something. Python warns of nothing then."""

from __future__ import annotations

import subprocess
import sys
import textwrap
import threading

import pytest
from local import LocalSystem, environment, room
from paths import PACKAGE
from waiting import PATIENCE

from entity_stream._thread import LoopThread

ASYNC = """
import asyncio
from entity_stream import EntityStream

async def main():
    stream = EntityStream(URL, TENANT, backoff_min=0, backoff_max=0, **options())
    called = asyncio.Event()
    async def hang():
        called.set()
        await asyncio.sleep(3600)
"""
#: Without more, `asyncio.run` ends the tasks of the stream.
RUN = "asyncio.run(main())"
#: A loop that nothing tidies up.
BY_HAND = """
loop = asyncio.new_event_loop()
loop.run_until_complete(main())
loop.close()
"""
BLOCKING = """
import sys
from entity_stream.sync import EntityStream
"""


def program(head: str, body: str, tail: str = "") -> str:
    return head + textwrap.indent(textwrap.dedent(body), "    " if tail else "") + tail


PROGRAMS = {
    "not closed": program(ASYNC, "await stream.subscribe().wait_ready()\n", RUN),
    "not closed, while connecting": program(ASYNC, "stream.subscribe()\nawait asyncio.sleep(0)\n", RUN),
    "not closed, in an update": program(
        ASYNC,
        """
        all = stream.entities()
        await all.wait_ready()
        asyncio.ensure_future(all.update(q="a>1"))
        await asyncio.sleep(0)
        """,
        RUN,
    ),
    "cancelled": program(
        ASYNC,
        """
        loop = asyncio.ensure_future(anext(stream.subscribe(q="never==1")))
        stream.entities(load=hang)
        await called.wait()
        loop.cancel()
        """,
        RUN,
    ),
    "closed while get_token hangs": program(
        ASYNC.replace("**options()", "get_token=lambda: hang()"),
        """
        stream.subscribe()
        await called.wait()
        await stream.aclose()
        """,
        BY_HAND,
    ),
    "closed while load hangs": program(
        ASYNC,
        """
        stream.entities(load=hang)
        await called.wait()
        await stream.aclose()
        """,
        BY_HAND,
    ),
    "closed in an update": program(
        ASYNC,
        """
        all = stream.entities()
        await all.wait_ready()
        update = asyncio.ensure_future(all.update(q="a>1"))
        await asyncio.sleep(0)
        await stream.aclose()
        await asyncio.gather(update, return_exceptions=True)
        """,
        BY_HAND,
    ),
    "the blocking form, not closed": program(
        BLOCKING,
        """
        stream = EntityStream(URL, TENANT)
        all, rooms = stream.entities(), stream.subscribe()
        rooms.wait_ready(), all.wait_ready()
        """,
    ),
    "the blocking form, exit in a callback": program(
        BLOCKING,
        """
        with EntityStream(URL, TENANT, backoff_min=0, backoff_max=0) as stream:
            stream.subscribe(snapshot=True, on_item=lambda _: sys.exit(3))
            stream._thread._thread.join()
        """,
    ),
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_it_ends_without_a_warning(name: str, local: LocalSystem, tenant: str):
    local.publish(room(1, data={"a": 1}), tenant=tenant)
    source = f"URL, TENANT = {local.url!r}, {tenant!r}\noptions = dict\n{PROGRAMS[name]}"
    command = [sys.executable, "-W", "always", "-c", source]
    variables = environment(PYTHONPATH=str(PACKAGE / "src"))
    done = subprocess.run(command, env=variables, capture_output=True, text=True, timeout=3 * PATIENCE)
    assert (done.returncode, done.stderr) == (0, "")


def test_a_thread_that_never_ends_holds_up_no_program(monkeypatch: pytest.MonkeyPatch):
    """Ctrl-C can come while the program holds a lock that the thread needs."""
    monkeypatch.setattr("entity_stream._thread._LONGEST_END", 0.05)
    thread, end = LoopThread(), threading.Event()
    thread.post(end.wait)
    thread.stop()
    assert thread.is_stopped
    end.set()
    thread.stop()
