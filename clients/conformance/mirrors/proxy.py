"""A proxy for TCP that cuts connections, and that swallows what they carry."""

import asyncio
import threading


class Proxy:
    """Forwards connections to a port of this machine."""

    def __init__(self, port: int):
        self.target = port
        self.opened = 0
        self.most_at_once = 0
        self._open: set[asyncio.StreamWriter] = set()
        self._carries = asyncio.Event()
        self._loop = asyncio.new_event_loop()
        threading.Thread(target=self._loop.run_forever, daemon=True).start()
        self.port: int = self._call(self._start())

    def cut(self) -> None:
        """Resets all connections."""
        self._call(self._cut())

    def swallow(self, swallows: bool) -> None:
        """While it swallows, connections stay open and carry nothing."""
        self._call(self._set(not swallows))

    def _call(self, coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(10)

    async def _start(self) -> int:
        self._carries.set()
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return server.sockets[0].getsockname()[1]

    async def _cut(self) -> None:
        for writer in [*self._open]:
            writer.transport.abort()

    async def _set(self, carries: bool) -> None:
        if carries:
            self._carries.set()
        else:
            self._carries.clear()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.opened += 1
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self.target)
        pair = {writer, far_writer}
        self._open |= pair
        self.most_at_once = max(self.most_at_once, len(self._open) // 2)
        try:
            await asyncio.gather(self._pump(reader, far_writer), self._pump(far_reader, writer))
        except OSError:
            pass
        finally:
            self._open -= pair
            for each in pair:
                each.transport.abort()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            await self._carries.wait()
            writer.write(data)
            await writer.drain()
        writer.write_eof()
