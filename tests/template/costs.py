"""The cost model of docs/costs.md. Run it to print the rows of its tables; test_documents.py compares the tables with it."""

from dataclasses import dataclass
from math import ceil

SECONDS = 30 * 24 * 60 * 60  # of a month
MINUTES = SECONDS // 60
MILLION = 1_000_000

# List prices of us-east-1 in US dollars.
CONNECTION_MINUTES = 0.25 / MILLION
MESSAGE, MESSAGES_OF_FIRST_PRICE, MESSAGE_BEYOND = 1.00 / MILLION, 1000 * MILLION, 0.80 / MILLION
WRITE_UNIT, READ_UNIT = 0.625 / MILLION, 0.125 / MILLION
INVOCATION, GIGABYTE_SECOND = 0.20 / MILLION, 0.0000166667
EVENT = 1.00 / MILLION
STORED_GIGABYTE = 0.25  # in a table, for a month

# Each connection is replaced every two hours and pings every five minutes.
HANDSHAKES = SECONDS // 7200
PINGS = MINUTES // 5

# Assumptions, because nothing has been measured on AWS.
SECONDS_PER_MESSAGE = 0.020 / 64  # a call to @connections takes 20 ms, and 64 calls run at once
SECONDS_PER_EVENT = 0.010  # and each event takes another 10 ms
SECONDS_PER_HANDSHAKE = 0.020  # of each of the functions connect and disconnect
INTERESTS_PER_READ_UNIT = 16  # of 256 bytes each

# The history. An event of up to 1 KB is one write unit, and four are one read unit.
HISTORY_SECONDS = 60 * 60  # HistoryMinutes
SECONDS_UNTIL_DELETED = 2 * 24 * 60 * 60  # an assumption: DynamoDB deletes expired items within a few days
EVENT_GIGABYTES = 1e-6
EVENTS_PER_READ_UNIT = 4
PARTITIONS = 4  # of a tenant and time
SECONDS_OF_RESUME = 30  # read from the table; an instance keeps what is older
SECONDS_PER_RESUME = 0.050  # another assumption

# The entity state. An item has each attribute and, beside it, its value before its last change.
DAYS = SECONDS // (24 * 60 * 60)
STATE_DAYS = 7  # EntityStateDays
ITEM_KILOBYTES = 0.35  # of an entity without attributes
ENTITY_KILOBYTES = 0.8  # the attributes of an entity, an assumption
INDEX_ITEMS = 2  # of an entity with one type
INDEX_KILOBYTES = 0.25
SNAPSHOT_ENTITIES = 100  # in the scopes of a snapshot, an assumption
FRAME_KILOBYTES, ENVELOPE_KILOBYTES = 32, 0.3  # of an `events` frame; of an `entitySnapshot` without its data


@dataclass(frozen=True)
class Costs:
    connections: int
    events: int
    audience: int
    entities: int

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

    def without_history(self) -> float:
        return self.connection_minutes() + self.messages() + self.table() + self.functions() + self.bus()

    def history(self) -> float:
        """The writes and the storage."""
        stored = self.events * (HISTORY_SECONDS + SECONDS_UNTIL_DELETED) * EVENT_GIGABYTES
        return self.published() * WRITE_UNIT + stored * STORED_GIGABYTE

    def without_state(self) -> float:
        return self.without_history() + self.history()

    def state(self) -> float:
        """The writes and the storage. A state is written with each event, its index items once in EntityStateDays."""
        index = self.entities * INDEX_ITEMS * DAYS / STATE_DAYS
        stored = self.entities * (item_kilobytes() + INDEX_ITEMS * INDEX_KILOBYTES) / 1e6
        return (self.published() * write_units() + index) * WRITE_UNIT + stored * STORED_GIGABYTE

    def snapshots(self) -> float:
        """One `subscribe` with `snapshot` for each connection, answered in `events` frames."""
        frames = ceil(SNAPSHOT_ENTITIES * (ENTITY_KILOBYTES + ENVELOPE_KILOBYTES) / FRAME_KILOBYTES)
        call = (2 + frames) * MESSAGE + INVOCATION + SECONDS_PER_RESUME * 0.25 * GIGABYTE_SECOND
        writes = 2 * 3
        # The connection, the index and the entities.
        reads = 1 + ceil(SNAPSHOT_ENTITIES * INDEX_KILOBYTES / 4) + SNAPSHOT_ENTITIES * ceil(item_kilobytes() / 4)
        return self.connections * HANDSHAKES * (call + writes * WRITE_UNIT + reads * READ_UNIT)

    def syncs(self) -> float:
        """What `sync` costs more than the `ping` in whose place it is sent."""
        each = INVOCATION + SECONDS_PER_HANDSHAKE * 0.25 * GIGABYTE_SECOND + READ_UNIT
        return self.connections * PINGS * each

    def resumes(self) -> float:
        """One `subscribe` with `since` for each connection that takes the place of another. All events are of one tenant."""
        call = 2 * MESSAGE + INVOCATION + SECONDS_PER_RESUME * 0.25 * GIGABYTE_SECOND
        # A transaction writes the connection, and the interest in its former and its new place.
        writes = 2 * 3
        # The connection, the epoch, and the events.
        reads = 2 + PARTITIONS + self.events * SECONDS_OF_RESUME / EVENTS_PER_READ_UNIT
        return self.connections * HANDSHAKES * (call + writes * WRITE_UNIT + reads * READ_UNIT)

    def row(self) -> str:
        parts = [self.connection_minutes(), self.messages(), self.table(), self.functions(), self.bus()]
        parts += [self.history(), self.state()]
        return self._row([self.connections, self.events, self.audience], *parts, sum(parts))

    def history_row(self) -> str:
        with_history = self.without_history() + self.history()
        more = [self.syncs(), self.resumes()]
        example = [self.connections, self.events, self.audience]
        return self._row(example, self.without_history(), with_history, *more, with_history + sum(more))

    def state_row(self) -> str:
        with_state = self.without_state() + self.state()
        example = [self.connections, self.events, self.audience, self.entities]
        return self._row(example, self.without_state(), with_state, self.snapshots(), with_state + self.snapshots())

    def _row(self, example: list[int], *figures: float) -> str:
        cells = [f"{number:,}" for number in example] + [f"{figure:,.2f}" for figure in figures]
        return f"| {' | '.join(cells)} |"


def item_kilobytes(attributes: float = ENTITY_KILOBYTES) -> float:
    """The size of the state of an entity whose attributes have all changed."""
    return ITEM_KILOBYTES + 2 * attributes


def write_units(attributes: float = ENTITY_KILOBYTES) -> int:
    return ceil(item_kilobytes(attributes))


def size_row(attributes: float) -> str:
    """What a million changes of an entity with attributes of this size cost, whatever the size of the change."""
    units = write_units(attributes)
    return f"| {attributes:g} KB | {item_kilobytes(attributes):.2f} KB | {units} | {units * MILLION * WRITE_UNIT:.3f} |"


EXAMPLES = [Costs(100, 1, 10, 100), Costs(10_000, 10, 100, 5_000), Costs(100_000, 20, 250, 20_000)]
SIZES = [0.3, 0.8, 3, 16, 100]


# The most that a minute can cost. Quotas of an account, and the defaults of the template's parameters.
HANDSHAKES_A_SECOND = 500  # of an account
CALLS_A_SECOND = 10_000  # of @connections, of an account
ENTRIES_A_SECOND = 10_000  # of PutEvents, of an account in us-east-1
INVOCATIONS_AT_ONCE = 1_000  # of an account
MESSAGES_A_SECOND = 1_000  # ThrottlingRateLimit
CONNECTIONS_OF_SUBJECT = 100  # MaxConnectionsPerSubject
BROADCAST_GIGABYTES = 0.5  # BroadcastMemory

TABLE_UNITS_A_SECOND = 40_000  # of a table, to read and as many to write

# A transaction costs each item twice, and by the KB: the interests that come and go, up to 49 of them with 32 KB each way, and
# the connection with up to 32 KB.
SCOPES = 49  # of a connection
UNITS_OF_LARGEST_CHANGE = 2 * (32 + SCOPES + 32 + SCOPES + 33)
UNITS_OF_SMALL_CHANGE = 2 * 3
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
    # Each quota is used up by itself: the messages, the time of the functions, the reads, and the replayed events.
    asked = 2 * MESSAGE + call(256, 0) + UNITS_OF_SMALL_CHANGE * WRITE_UNIT
    resumed = 60 * MESSAGES_A_SECOND * asked + 60 * INVOCATIONS_AT_ONCE * 0.25 * GIGABYTE_SECOND
    resumed += 60 * TABLE_UNITS_A_SECOND * READ_UNIT + deliveries
    recorded = 60 * TABLE_UNITS_A_SECOND * WRITE_UNIT
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
            "authenticated client", "requests for past events or snapshots, 1,000 a second", resumed,
            "`HistoryMinutes`, `EntityState`, `ThrottlingRateLimit`, the quotas of the account and of the table",
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
        Worst(
            "publisher", "large events in the history and large entities, 40,000 write units a second", recorded,
            "`HistoryMinutes`, `EntityState`, `events:PutEvents` in IAM, the table's quota",
        ),
    ]  # fmt: skip


if __name__ == "__main__":
    for example in EXAMPLES:
        print(example.row())
    for example in EXAMPLES:
        print(example.history_row())
    for size in SIZES:
        print(size_row(size))
    for example in EXAMPLES:
        print(example.state_row())
    for each in worst():
        print(each.row())
