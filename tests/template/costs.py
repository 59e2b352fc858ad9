"""The cost model of docs/costs.md. Run it to print the rows of its table; test_documents.py compares the table with it."""

from dataclasses import dataclass

SECONDS = 30 * 24 * 60 * 60  # of a month
MINUTES = SECONDS // 60
MILLION = 1_000_000

# List prices of us-east-1 in US dollars.
CONNECTION_MINUTES = 0.25 / MILLION
MESSAGE, MESSAGES_OF_FIRST_PRICE, MESSAGE_BEYOND = 1.00 / MILLION, 1000 * MILLION, 0.80 / MILLION
WRITE_UNIT, READ_UNIT = 0.625 / MILLION, 0.125 / MILLION
INVOCATION, GIGABYTE_SECOND = 0.20 / MILLION, 0.0000166667
EVENT = 1.00 / MILLION

# Each connection is replaced every two hours and pings every five minutes.
HANDSHAKES = SECONDS // 7200
PINGS = MINUTES // 5

# Assumptions, because nothing has been measured on AWS.
SECONDS_PER_MESSAGE = 0.020 / 64  # a call to @connections takes 20 ms, and 64 calls run at once
SECONDS_PER_EVENT = 0.010  # and each event takes another 10 ms
SECONDS_PER_HANDSHAKE = 0.020  # of each of the functions connect and disconnect
INTERESTS_PER_READ_UNIT = 16  # of 256 bytes each


@dataclass(frozen=True)
class Costs:
    connections: int
    events: int
    audience: int

    def connection_minutes(self) -> float:
        return self.connections * MINUTES * CONNECTION_MINUTES

    def published(self) -> int:
        return self.events * SECONDS

    def messages(self) -> float:
        messages = self.published() * self.audience + self.connections * PINGS * 2
        first = min(messages, MESSAGES_OF_FIRST_PRICE)
        return first * MESSAGE + (messages - first) * MESSAGE_BEYOND

    def table(self) -> float:
        writes = self.connections * HANDSHAKES * 4
        reads = self.published() * (2 + self.audience / INTERESTS_PER_READ_UNIT)
        return writes * WRITE_UNIT + reads * READ_UNIT

    def functions(self) -> float:
        handshakes = self.connections * HANDSHAKES
        invocations = self.published() + 2 * handshakes
        broadcast = self.published() * (SECONDS_PER_EVENT + self.audience * SECONDS_PER_MESSAGE) * 0.5
        handshake = handshakes * SECONDS_PER_HANDSHAKE * (0.25 + 0.125)
        return invocations * INVOCATION + (broadcast + handshake) * GIGABYTE_SECOND

    def bus(self) -> float:
        return self.published() * EVENT

    def row(self) -> str:
        parts = [self.connection_minutes(), self.messages(), self.table(), self.functions(), self.bus()]
        figures = " | ".join(f"{part:,.2f}" for part in [*parts, sum(parts)])
        return f"| {self.connections:,} | {self.events:,} | {self.audience:,} | {figures} |"


EXAMPLES = [Costs(100, 1, 10), Costs(10_000, 10, 100), Costs(100_000, 20, 250)]

if __name__ == "__main__":
    for example in EXAMPLES:
        print(example.row())
