"""boto3 against the three AWS APIs of the local system: the event bus, `@connections` and DynamoDB."""

import json
import uuid

import pytest
from botocore.exceptions import ClientError
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from harness import PATIENCE, LocalSystem, entry, wait_until

TENANT = "smartcity"


@pytest.fixture
def listener(local: LocalSystem):
    """A client that receives every change of the tenant while it is connected."""
    with connect(local.websocket_url(TENANT), open_timeout=PATIENCE) as websocket:
        yield websocket


def detail(**fields) -> str:
    return json.dumps({"type": "entityUpdated", "tenant": TENANT, "entityId": "e", "entityType": "Room"} | fields)


def code(raised: pytest.ExceptionInfo) -> tuple[str, int]:
    response = raised.value.response
    return response["Error"]["Code"], response["ResponseMetadata"]["HTTPStatusCode"]


class TestEventBus:
    def test_a_published_change_arrives_as_it_was_published(self, local, listener):
        data = '{"b":1.0,"a":12345678901234567890}'
        event_id = local.publish(TENANT, "Room", "urn:ngsi-ld:Room:001", data)
        assert uuid.UUID(event_id).version == 4
        message = listener.recv(timeout=PATIENCE)
        assert f'"data":{data}' in message, "data is passed through byte for byte"
        event = json.loads(message)
        assert (event["type"], event["id"], event["tenant"]) == ("entityUpdated", event_id, TENANT)

    def test_ten_entries_are_taken(self, local, listener):
        entries = [entry(detail(entityId=f"urn:{number}")) for number in range(10)]
        answer = local.client("events").put_events(Entries=entries)
        assert answer["FailedEntryCount"] == 0
        published = {result["EventId"]: f"urn:{number}" for number, result in enumerate(answer["Entries"])}
        received = [json.loads(listener.recv(timeout=PATIENCE)) for _ in range(10)]
        assert {event["id"]: event["entityId"] for event in received} == published

    def test_eleven_entries_are_refused(self, local):
        with pytest.raises(ClientError) as raised:
            local.client("events").put_events(Entries=[entry(detail())] * 11)
        assert code(raised) == ("ValidationException", 400)

    def test_entries_fail_one_by_one_and_in_order(self, local, listener):
        entries = [
            entry(detail(entityId="first")),
            entry("{not json"),
            {"DetailType": "Entity Change", "Detail": detail(entityId="no source")},
            entry(detail(entityId="last")),
        ]
        answer = local.client("events").put_events(Entries=entries)
        codes = [result.get("ErrorCode") for result in answer["Entries"]]
        assert (codes, answer["FailedEntryCount"]) == ([None, "MalformedDetail", "InvalidArgument", None], 2)
        received = {json.loads(listener.recv(timeout=PATIENCE))["entityId"] for _ in range(2)}
        assert received == {"first", "last"}

    def test_an_undeliverable_event_is_a_dead_letter(self, local):
        event_id = local.publish("a#*", "Room", "urn:ngsi-ld:Room:001")
        wait_until(lambda: event_id in local.dead_letters(), f"event {event_id} among the dead letters")
        assert isinstance(json.loads(local.dead_letters()), (dict, list))


class TestDeadLetters:
    def queue(self, local: LocalSystem) -> str:
        return f"{local.url}/000000000000/entity-stream-dead-letters"

    def receive(self, local: LocalSystem, **options) -> list[dict]:
        answer = local.client("sqs").receive_message(
            QueueUrl=self.queue(local),
            MaxNumberOfMessages=10,
            AttributeNames=["All"],
            MessageAttributeNames=["All"],
            WaitTimeSeconds=20,
            **options,
        )
        return answer.get("Messages", [])

    def test_a_message_is_received_given_back_and_deleted(self, local):
        sqs, queue = local.client("sqs"), self.queue(local)
        event_id = local.publish("a#*", "Room", "urn:ngsi-ld:Room:001")
        (message,) = self.receive(local)
        assert json.loads(message["Body"])["id"] == event_id
        assert message["MessageAttributes"]["ErrorCode"]["StringValue"] == "UndeliverableChange"
        assert message["Attributes"]["ApproximateReceiveCount"] == "1"
        counts = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["All"])["Attributes"]
        assert (counts["ApproximateNumberOfMessages"], counts["ApproximateNumberOfMessagesNotVisible"]) == ("0", "1")
        sqs.change_message_visibility(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"], VisibilityTimeout=0)
        (again,) = self.receive(local)
        assert (again["MessageId"], again["Attributes"]["ApproximateReceiveCount"]) == (message["MessageId"], "2")
        sqs.delete_message(QueueUrl=queue, ReceiptHandle=again["ReceiptHandle"])
        assert local.dead_letters() == "[]"

    def test_a_handle_that_is_none_is_refused(self, local):
        with pytest.raises(ClientError) as raised:
            local.client("sqs").delete_message(QueueUrl=self.queue(local), ReceiptHandle="x")
        assert "ReceiptHandleIsInvalid" in code(raised)[0]

    def test_the_queue_is_purged(self, local):
        sqs, queue = local.client("sqs"), self.queue(local)
        for number in range(3):
            sqs.send_message(QueueUrl=queue, MessageBody=str(number))
        assert len(json.loads(local.dead_letters())) == 3
        sqs.purge_queue(QueueUrl=queue)
        assert local.dead_letters() == "[]"

    def test_an_event_is_delivered_again_through_lambda(self, local, listener):
        event = {
            "version": "0", "id": "e-1", "detail-type": "Entity Change", "source": "com.example.broker",
            "time": "2026-01-02T03:04:05Z", "detail": json.loads(detail()),
        }
        answer = local.client("lambda").invoke(FunctionName="broadcast", Payload=json.dumps(event))
        assert answer["StatusCode"] == 200 and "FunctionError" not in answer
        assert json.loads(answer["Payload"].read())["delivered"] == 1
        assert json.loads(listener.recv(timeout=PATIENCE))["id"] == "e-1"
        failed = local.client("lambda").invoke(FunctionName="broadcast", Payload="{}")
        assert "FunctionError" not in failed, "a malformed event is a dead letter and no failure"
        with pytest.raises(ClientError) as raised:
            local.client("lambda").invoke(FunctionName="other", Payload="{}")
        assert code(raised) == ("ResourceNotFoundException", 404)


# The endpoint contains the stage on API Gateway, but not behind a custom domain.
@pytest.mark.parametrize("stage", ["", "/local"])
class TestConnections:
    def test_post_get_and_delete(self, local, listener, stage):
        api = local.client("apigatewaymanagementapi", local.url + stage)
        (connection,) = local.connection_ids()

        api.post_to_connection(ConnectionId=connection, Data='{"hello":"wörld"}'.encode())
        assert listener.recv(timeout=PATIENCE) == '{"hello":"wörld"}'

        described = api.get_connection(ConnectionId=connection)
        assert described["ConnectedAt"] <= described["LastActiveAt"]
        assert described["Identity"]["SourceIp"] in ("127.0.0.1", "::1")
        assert described["Identity"]["UserAgent"].startswith("Python/")

        answer = api.delete_connection(ConnectionId=connection)
        assert answer["ResponseMetadata"]["HTTPStatusCode"] == 204
        with pytest.raises(ConnectionClosed) as closed:
            listener.recv(timeout=PATIENCE)
        assert closed.value.rcvd.code == 1000

        for operation in [api.get_connection, api.delete_connection]:
            with pytest.raises(api.exceptions.GoneException):
                operation(ConnectionId=connection)
        wait_until(lambda: not local.table_keys(), "$disconnect to empty the table")

    def test_an_unknown_connection_is_gone(self, local, stage):
        api = local.client("apigatewaymanagementapi", local.url + stage)
        with pytest.raises(api.exceptions.GoneException) as raised:
            api.post_to_connection(ConnectionId="Qw7LAbg9IAMCXyA=", Data=b"{}")
        assert code(raised) == ("GoneException", 410)

    def test_a_malformed_id_is_a_bad_request(self, local, stage):
        with pytest.raises(ClientError) as raised:
            local.client("apigatewaymanagementapi", local.url + stage).get_connection(ConnectionId="no such id")
        assert code(raised) == ("BadRequestException", 400)

    def test_over_128_kb_is_too_large(self, local, listener, stage):
        api = local.client("apigatewaymanagementapi", local.url + stage)
        (connection,) = local.connection_ids()
        largest = "x" * 131_072
        api.post_to_connection(ConnectionId=connection, Data=largest.encode())
        assert listener.recv(timeout=PATIENCE) == largest
        with pytest.raises(api.exceptions.PayloadTooLargeException) as raised:
            api.post_to_connection(ConnectionId=connection, Data=largest.encode() + b"x")
        assert code(raised) == ("PayloadTooLargeException", 413)


class TestDynamoDb:
    def test_the_table_is_as_the_template_creates_it(self, local):
        dynamodb = local.dynamodb()
        table = dynamodb.describe_table(TableName=local.table())["Table"]
        assert table["TableStatus"] == "ACTIVE"
        assert {key["AttributeName"]: key["KeyType"] for key in table["KeySchema"]} == {"pk": "HASH", "sk": "RANGE"}
        assert {each["AttributeName"]: each["AttributeType"] for each in table["AttributeDefinitions"]} == {
            "pk": "S",
            "sk": "S",
        }
        assert table["BillingModeSummary"]["BillingMode"] == "PAY_PER_REQUEST"
        time_to_live = dynamodb.describe_time_to_live(TableName=local.table())["TimeToLiveDescription"]
        assert time_to_live == {"TimeToLiveStatus": "ENABLED", "AttributeName": "expiresAt"}

    def test_the_table_holds_a_connection_while_it_is_open(self, local):
        with connect(local.websocket_url(TENANT, entityTypes="Room,Sensor"), open_timeout=PATIENCE):
            partitions = {pk for pk, _ in local.table_keys()}
            (connection,) = local.connection_ids()
            assert partitions == {f"C#{connection}", f"T#{TENANT}#Room", f"T#{TENANT}#Sensor"}
        wait_until(lambda: not local.table_keys(), "$disconnect to empty the table")
