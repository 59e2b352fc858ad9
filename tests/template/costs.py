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
        writes = self.connections * HANDSHAKES * 6
        reads = self.published() * (3 + self.audience / INTERESTS_PER_READ_UNIT)
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


# The most that a minute can cost. Quotas of an account, and the defaults of the template's parameters.
HANDSHAKES_A_SECOND = 500  # of an account
CALLS_A_SECOND = 10_000  # of @connections, of an account
ENTRIES_A_SECOND = 10_000  # of PutEvents, of an account in us-east-1
INVOCATIONS_AT_ONCE = 1_000  # of an account
MESSAGES_A_SECOND = 1_000  # ThrottlingRateLimit
CONNECTIONS_OF_SUBJECT = 100  # MaxConnectionsPerSubject
BROADCAST_GIGABYTES = 0.5  # BroadcastMemory

# A transaction costs each item twice, and by the KB: the interests that come and go, up to 50 and 49 of them with 32 KB each
# way, and the connection with up to 32 KB.
UNITS_OF_LARGEST_CHANGE = 2 * (32 + 49 + 32 + 50 + 33)
SCOPES = 49  # of a connection
LOG_BYTES, LOG_GIGABYTE = 1_000, 0.50  # of a handshake or a message, as an assumption; the price of a GB
MESSAGES_OF_LARGEST_FRAME = 4  # 128 KB in units of 32 KB
UNITS_OF_LARGEST_EVENT = 16  # 1 MB in units of 64 KB


@dataclass(frozen=True)
class Worst:
    """The most that one kind of client can cost in a minute."""

    who: str
    what: str
    amount: float
    limit: str

    def row(self) -> str:
        return f"| {self.who} | {self.what} | {self.amount:.2f} | {self.limit} |"


def call(megabytes: int, seconds: float) -> float:
    """An invocation with its log lines."""
    time = seconds * megabytes / 1024 * GIGABYTE_SECOND
    return INVOCATION + time + LOG_BYTES * LOG_GIGABYTE / 1e9


def worst() -> list[Worst]:
    refused = MESSAGE + call(256, SECONDS_PER_HANDSHAKE) + READ_UNIT
    changed = 2 * MESSAGE + call(256, 0.05) + UNITS_OF_LARGEST_CHANGE * WRITE_UNIT + (1 + SCOPES) * READ_UNIT
    opened = 2 * MESSAGE + call(256, SECONDS_PER_HANDSHAKE) + call(128, SECONDS_PER_HANDSHAKE)
    opened += 2 * 2 * (1 + SCOPES) * WRITE_UNIT + 4 * WRITE_UNIT
    waiting = 2 * MESSAGE + call(256, SECONDS_PER_HANDSHAKE) + call(128, SECONDS_PER_HANDSHAKE) + 2 * WRITE_UNIT
    deliveries = 60 * CALLS_A_SECOND * MESSAGES_OF_LARGEST_FRAME * MESSAGE
    broadcasts = 60 * INVOCATIONS_AT_ONCE * BROADCAST_GIGABYTES * GIGABYTE_SECOND
    entries = 60 * ENTRIES_A_SECOND * UNITS_OF_LARGEST_EVENT * EVENT
    return [
        Worst(
            "anonymous client", "refused handshakes, 500 a second", 60 * HANDSHAKES_A_SECOND * refused,
            "the account's quota of handshakes, `ThrottlingRateLimit`",
        ),
        Worst(
            "anonymous client, `AuthInBand=true`", "connections that stay open for two hours, 500 a second",
            7200 * HANDSHAKES_A_SECOND * CONNECTION_MINUTES + 60 * HANDSHAKES_A_SECOND * waiting,
            "`AuthInBand`, `ThrottlingRateLimit`",
        ),
        Worst(
            "authenticated client", "the largest changes of subscriptions, 1,000 a second",
            60 * MESSAGES_A_SECOND * changed, "`ThrottlingRateLimit`",
        ),
        Worst(
            "authenticated client", f"connections with {SCOPES} types that open and close, 500 a second",
            60 * HANDSHAKES_A_SECOND * opened, "the account's quota of handshakes, `ThrottlingRateLimit`",
        ),
        Worst(
            "authenticated client", f"{CONNECTIONS_OF_SUBJECT} open connections, without messages",
            CONNECTIONS_OF_SUBJECT * CONNECTION_MINUTES, "`MaxConnectionsPerSubject`",
        ),
        Worst(
            "publisher", "10,000 events of 1 MB a second on the bus", entries,
            "`events:PutEvents` in IAM, the account's quota",
        ),
        Worst(
            "publisher", "deliveries of 128 KB, 10,000 a second", deliveries,
            "the account's quota of calls, `BroadcastReservedConcurrency`",
        ),
        Worst(
            "publisher", "broadcasts, 1,000 at once", broadcasts,
            "`BroadcastReservedConcurrency`, `BroadcastMemory`",
        ),
    ]  # fmt: skip


if __name__ == "__main__":
    for example in EXAMPLES:
        print(example.row())
    for each in worst():
        print(each.row())
