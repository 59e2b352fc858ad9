//! The operations of the table, by name. Errors of requests that are not well-formed have DynamoDB's types; their texts differ.

use dynoxide::{Database, DynoxideError, Result};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// The prefixes by which the engine's request types name the kind of an error in a message of `serde_json`.
const MARKS: [(&str, NewError); 5] = [
    ("SERIALIZATION:", DynoxideError::SerializationException),
    ("SERIALIZATION_AS_READ:", DynoxideError::SerializationException),
    ("VALIDATION:", DynoxideError::ValidationException),
    ("VALIDATION_AS_READ:", DynoxideError::ValidationException),
    ("VALIDATION_REQUEST:", DynoxideError::EnvelopedValidation),
];

type NewError = fn(String) -> DynoxideError;

/// An operation of DynamoDB.
pub(super) struct Operation {
    pub(super) name: &'static str,
    call: fn(&Database, &str) -> Result<String>,
}

macro_rules! operations {
    ($($name:literal: $method:ident,)+) => {
        &[$(Operation { name: $name, call: |database, body| write(&database.$method(read(body)?)?) },)+]
    };
}

const OPERATIONS: &[Operation] = operations! {
    "CreateTable": create_table,
    "DeleteTable": delete_table,
    "DescribeTable": describe_table,
    "UpdateTable": update_table,
    "ListTables": list_tables,
    "PutItem": put_item,
    "GetItem": get_item,
    "DeleteItem": delete_item,
    "UpdateItem": update_item,
    "Query": query,
    "Scan": scan,
    "BatchGetItem": batch_get_item,
    "BatchWriteItem": batch_write_item,
    "TransactWriteItems": transact_write_items,
    "TransactGetItems": transact_get_items,
    "ListStreams": list_streams,
    "DescribeStream": describe_stream,
    "GetShardIterator": get_shard_iterator,
    "GetRecords": get_records,
    "UpdateTimeToLive": update_time_to_live,
    "DescribeTimeToLive": describe_time_to_live,
    "ExecuteStatement": execute_statement,
    "ExecuteTransaction": execute_transaction,
    "BatchExecuteStatement": batch_execute_statement,
    "TagResource": tag_resource,
    "UntagResource": untag_resource,
    "ListTagsOfResource": list_tags_of_resource,
};

/// The operation of this name.
pub(super) fn find(name: &str) -> Option<&'static Operation> {
    OPERATIONS.iter().find(|operation| operation.name == name)
}

impl Operation {
    /// Runs the operation with a request in JSON. Returns the response in JSON.
    pub(super) fn run(&self, database: &Database, body: &str) -> Result<String> {
        (self.call)(database, body).map_err(|error| match error {
            DynoxideError::EnvelopedValidation(message) => DynoxideError::ValidationException(self.enveloped(message)),
            error => error,
        })
    }

    /// DynamoDB announces faults of a request in these operations only.
    fn enveloped(&self, message: String) -> String {
        if matches!(self.name, "PutItem" | "UpdateItem" | "DeleteItem") {
            format!("1 validation error detected: {message}")
        } else {
            message
        }
    }
}

fn read<A: DeserializeOwned>(body: &str) -> Result<A> {
    serde_json::from_str(body).map_err(|error| {
        let message = error.to_string();
        let message = message.rsplit_once(" at line ").map_or(message.as_str(), |(message, _)| message);
        let marked = MARKS.iter().find_map(|(mark, kind)| Some(kind(message.strip_prefix(mark)?.to_owned())));
        marked.unwrap_or_else(|| {
            // Apart from text that is no JSON, DynamoDB calls only a value of another type a serialization error.
            let other_type = message.starts_with("invalid type") && !message.starts_with("invalid type: null");
            if error.is_data() && !other_type {
                DynoxideError::ValidationException(message.to_owned())
            } else {
                DynoxideError::SerializationException(message.to_owned())
            }
        })
    })
}

fn write<R: Serialize>(response: &R) -> Result<String> {
    serde_json::to_string(response).map_err(|error| DynoxideError::InternalServerError(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(database: &Database, operation: &str, body: &str) -> std::result::Result<String, (u16, String)> {
        let result = find(operation).unwrap().run(database, body);
        result.map_err(|error| (error.status_code(), error.to_json()))
    }

    #[test]
    fn faults_have_dynamodbs_types() {
        let database = Database::memory().unwrap();
        let table = r#"{"TableName":"things","BillingMode":"PAY_PER_REQUEST",
            "AttributeDefinitions":[{"AttributeName":"pk","AttributeType":"S"}],
            "KeySchema":[{"AttributeName":"pk","KeyType":"HASH"}]}"#;
        run(&database, "CreateTable", table).unwrap();
        run(&database, "PutItem", r#"{"TableName":"things","Item":{"pk":{"S":"a"}}}"#).unwrap();
        let item = run(&database, "GetItem", r#"{"TableName":"things","Key":{"pk":{"S":"a"}}}"#).unwrap();
        assert_eq!(item, r#"{"Item":{"pk":{"S":"a"}}}"#);
        for (operation, body, kind) in [
            ("PutItem", r#"{"TableName":"nothing","Item":{"pk":{"S":"a"}}}"#, "ResourceNotFoundException"),
            ("PutItem", r#"{"TableName":"things","Item":{"pk":{"N":"1"}}}"#, "ValidationException"),
            ("PutItem", r#"{"TableName":"things","Item":{"pk":{}}}"#, "ValidationException"),
            ("PutItem", r#"{"TableName":1}"#, "SerializationException"),
            ("PutItem", "{", "SerializationException"),
            ("GetItem", "{}", "ValidationException"),
            (
                "PutItem",
                r#"{"TableName":"things","Item":{"pk":{"S":"a"}},"ConditionExpression":"attribute_not_exists(pk)"}"#,
                "ConditionalCheckFailedException",
            ),
        ] {
            let (status, error) = run(&database, operation, body).unwrap_err();
            assert!(status == 400 && error.contains(kind), "{operation} {body}: {error}");
            assert!(!error.contains("VALIDATION"), "{error}");
        }
    }
}
