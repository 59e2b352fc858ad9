//! The local system and `template.yaml` agree. A difference would work here and fail on AWS.

use std::collections::{BTreeMap, BTreeSet};

use aws_sdk_dynamodb::types::{BillingMode, TimeToLiveStatus};
use entity_stream_local::{
    API_KEYS_TABLE, CONNECTIONS_TABLE, Config, FunctionHost, FunctionNames, HISTORY_TABLE, Times, aws_config,
};
use entity_stream_runtime::environment::{self, AWS_LAMBDA_LOG_LEVEL, JWT_SECRET, RUST_LOG};
use saphyr::{LoadableYamlNode, Scalar, Yaml};
use serde_json::{Map, Value, json};

use crate::harness::{Endpoint, Reply, System, config, until};

/// The template as JSON: `!Ref X` is `{"Ref": "X"}`, `!GetAtt` and the like are `{"Fn::GetAtt": …}`.
fn template() -> Value {
    let documents = Yaml::load_from_str(include_str!("../../template.yaml")).unwrap();
    json_of(&documents[0])
}

fn json_of(yaml: &Yaml<'_>) -> Value {
    match yaml {
        Yaml::Value(Scalar::Boolean(flag)) => json!(flag),
        Yaml::Value(Scalar::Integer(number)) => json!(number),
        Yaml::Value(Scalar::FloatingPoint(number)) => json!(number.into_inner()),
        Yaml::Value(Scalar::String(text)) => json!(text),
        Yaml::Value(Scalar::Null) => Value::Null,
        Yaml::Sequence(items) => items.iter().map(json_of).collect(),
        Yaml::Mapping(entries) => {
            let entries = entries.iter().map(|(key, value)| (key.as_str().unwrap().to_owned(), json_of(value)));
            Value::Object(entries.collect::<Map<_, _>>())
        }
        Yaml::Tagged(tag, value) => {
            let name = if matches!(tag.suffix.as_str(), "Ref" | "Condition") {
                tag.suffix.clone()
            } else {
                format!("Fn::{}", tag.suffix)
            };
            json!({ name: json_of(value) })
        }
        other => panic!("{other:?} is not used in templates"),
    }
}

fn properties<'a>(template: &'a Value, resource: &str) -> &'a Value {
    &template["Resources"][resource]["Properties"]
}

fn of_type<'a>(template: &'a Value, kind: &str) -> BTreeMap<&'a str, &'a Value> {
    let resources = template["Resources"].as_object().unwrap().iter();
    let wanted = resources.filter(|(_, resource)| resource["Type"] == kind);
    wanted.map(|(name, resource)| (name.as_str(), resource)).collect()
}

/// The function of a binary.
fn function_of(template: &Value, binary: &str) -> String {
    let functions = of_type(template, "AWS::Serverless::Function").into_iter();
    let mut built = functions.filter(|(_, function)| function["Metadata"]["BuildProperties"]["Binary"] == binary);
    let (name, function) = built.next().unwrap();
    assert_eq!(function["Properties"]["CodeUri"], format!("crates/{binary}"));
    name.to_owned()
}

/// The function of a route, or `None` for a mock.
fn target_of(template: &Value, route: &Value) -> Option<String> {
    let target = route["Properties"]["Target"]["Fn::Sub"].as_str().unwrap();
    let integration = target.strip_prefix("integrations/${").and_then(|rest| rest.strip_suffix('}')).unwrap();
    let integration = properties(template, integration);
    if integration["IntegrationType"] == "MOCK" {
        return None;
    }
    let uri = integration["IntegrationUri"]["Fn::Sub"].as_str().unwrap();
    let (_, function) = uri.split_once("/functions/${").unwrap();
    Some(function.split_once(".Arn}").unwrap().0.to_owned())
}

/// A system whose functions have the template's names and are served by this endpoint.
async fn system(template: &Value, lambda: &Endpoint) -> System {
    let names = FunctionNames {
        connect: function_of(template, "connect"),
        disconnect: function_of(template, "disconnect"),
        default: function_of(template, "default"),
        broadcast: function_of(template, "broadcast"),
        ingest: function_of(template, "ingest"),
    };
    let functions = FunctionHost::Lambda { endpoint: lambda.url.clone(), names };
    System::start_with(Config { functions, ..config() }).await
}

fn invoked(lambda: &Endpoint) -> Vec<String> {
    let asked = lambda.asked().into_iter();
    asked.map(|asked| asked.path.split('/').nth(3).unwrap().to_owned()).collect()
}

#[tokio::test]
async fn the_tables_are_the_same() {
    let template = template();
    let local =
        [("ApiKeysTable", API_KEYS_TABLE), ("ConnectionsTable", CONNECTIONS_TABLE), ("HistoryTable", HISTORY_TABLE)];
    assert!(of_type(&template, "AWS::DynamoDB::Table").into_keys().eq(local.map(|(resource, _)| resource)));
    let system = System::start().await;
    let dynamodb = aws_sdk_dynamodb::Client::new(&aws_config(&system.local.dynamodb_url()));
    for (resource, name) in local {
        the_table_is_the_same(properties(&template, resource), &dynamodb, name).await;
    }
}

async fn the_table_is_the_same(wanted: &Value, dynamodb: &aws_sdk_dynamodb::Client, name: &str) {
    let table = dynamodb.describe_table().table_name(name).send().await.unwrap().table.unwrap();
    let keys = table.key_schema().iter();
    let keys = keys.map(|key| json!({ "AttributeName": key.attribute_name(), "KeyType": key.key_type().as_str() }));
    assert_eq!(keys.collect::<Value>(), wanted["KeySchema"]);
    let types: BTreeSet<_> = table.attribute_definitions().iter().map(|definition| {
        json!({ "AttributeName": definition.attribute_name(), "AttributeType": definition.attribute_type().as_str() }).to_string()
    }).collect();
    let wanted_types = wanted["AttributeDefinitions"].as_array().unwrap().iter().map(Value::to_string).collect();
    assert_eq!(types, wanted_types);
    let mode = table.billing_mode_summary().and_then(|summary| summary.billing_mode());
    assert_eq!(mode.map(BillingMode::as_str), wanted["BillingMode"].as_str());
    assert!(table.global_secondary_indexes().is_empty() && wanted["GlobalSecondaryIndexes"].is_null());

    let ttl = dynamodb.describe_time_to_live().table_name(name).send().await.unwrap();
    let ttl = ttl.time_to_live_description.unwrap();
    assert_eq!(ttl.attribute_name(), wanted["TimeToLiveSpecification"]["AttributeName"].as_str());
    assert_eq!(
        ttl.time_to_live_status() == Some(&TimeToLiveStatus::Enabled),
        wanted["TimeToLiveSpecification"]["Enabled"].as_bool().unwrap_or_default()
    );
}

#[tokio::test]
async fn the_routes_lead_to_the_same_functions() {
    let template = template();
    let (_, api) = of_type(&template, "AWS::ApiGatewayV2::Api").pop_first().unwrap();
    assert_eq!(api["Properties"]["RouteSelectionExpression"], "$request.body.action");
    let routes: BTreeMap<String, Option<String>> = of_type(&template, "AWS::ApiGatewayV2::Route")
        .into_values()
        .map(|route| (route["Properties"]["RouteKey"].as_str().unwrap().to_owned(), target_of(&template, route)))
        .collect();

    let lambda = Endpoint::script([Reply::json(r#"{"statusCode":200}"#)]).await;
    let system = system(&template, &lambda).await;
    let mut expected = Vec::new();
    let mut client = system.connect("tenant=demo").await;
    expected.extend(routes["$connect"].clone());
    assert_eq!(invoked(&lambda), expected);

    for action in ["subscribe", "unsubscribe", "ping", "authenticate", "connect", "broadcast", "anything"] {
        client.send(&json!({ "action": action, "requestId": "1" }).to_string()).await;
        match routes.get(action).unwrap_or(&routes["$default"]) {
            Some(function) => expected.push(function.clone()),
            // A mock answers and invokes no function.
            None => assert_eq!(client.json().await, json!({ "type": "pong", "requestId": "1" })),
        }
        until("the message is handled", async || invoked(&lambda).len() >= expected.len()).await;
        assert_eq!(invoked(&lambda), expected, "{action}");
    }
    client.send("not JSON").await;
    expected.extend(routes["$default"].clone());
    until("the text is handled", async || invoked(&lambda).len() >= expected.len()).await;
    client.close().await;
    expected.extend(routes["$disconnect"].clone());
    until("the end is handled", async || invoked(&lambda).len() >= expected.len()).await;
    assert_eq!(invoked(&lambda), expected);
    assert_eq!(routes.len(), 4, "this test does not know all routes: {routes:?}");
}

#[tokio::test]
async fn the_rule_matches_the_same_events_and_invokes_the_same_function() {
    let template = template();
    let (_, rule) = of_type(&template, "AWS::Events::Rule").pop_first().unwrap();
    let pattern = &rule["Properties"]["EventPattern"];
    let types: Vec<&str> = pattern["detail"]["type"].as_array().unwrap().iter().map(|t| t.as_str().unwrap()).collect();
    assert_eq!(pattern["detail"].as_object().unwrap().len(), 1, "the local rule checks only the type");
    let target = rule["Properties"]["Targets"][0]["Arn"]["Fn::GetAtt"].as_str().unwrap();
    let target = target.strip_suffix(".Arn").unwrap();

    let lambda = Endpoint::script([Reply::json("{}")]).await;
    let system = system(&template, &lambda).await;
    let candidates =
        ["entityCreated", "entityUpdated", "entityDeleted", "entityMoved", "entityupdated", "entityCreated2", ""];
    assert!(types.iter().all(|change_type| candidates.contains(change_type)), "{types:?}");
    let mut matched = 0;
    for candidate in candidates {
        system.publish(&json!({ "type": candidate, "tenant": "demo", "entityId": "a", "entityType": "Room" })).await;
        system.local.settled().await;
        matched += usize::from(types.contains(&candidate));
        assert_eq!(invoked(&lambda), vec![target; matched], "{candidate:?}");
    }
    system.publish(&json!({ "tenant": "demo" })).await;
    system.local.settled().await;
    assert_eq!(invoked(&lambda).len(), matched);
}

#[test]
fn the_times_are_the_same() {
    let template = template();
    let times = Times::default();
    let seconds = |function: &str| properties(&template, &function_of(&template, function))["Timeout"].as_u64();
    assert_eq!(seconds("broadcast"), Some(times.broadcast_timeout.as_secs()));
    for function in ["connect", "disconnect", "default", "ingest"] {
        assert_eq!(seconds(function), Some(times.integration_timeout.as_secs()), "{function}");
    }
    for (name, integration) in of_type(&template, "AWS::ApiGatewayV2::Integration") {
        if integration["Properties"]["IntegrationType"] != "MOCK" {
            let limit = integration["Properties"]["TimeoutInMillis"].as_u64();
            assert_eq!(limit.map(u128::from), Some(times.integration_timeout.as_millis()), "{name}");
        }
    }
    let retries = &properties(&template, &function_of(&template, "broadcast"))["EventInvokeConfig"];
    assert_eq!(retries["MaximumRetryAttempts"].as_u64(), u64::try_from(times.retry_delays.len()).ok());
}

#[test]
fn the_template_sets_exactly_the_known_variables() {
    let template = template();
    let known: BTreeSet<&str> = environment::ALL.iter().map(|variable| variable.name).collect();
    let mut set = BTreeSet::new();
    for (name, function) in of_type(&template, "AWS::Serverless::Function") {
        for variable in function["Properties"]["Environment"]["Variables"].as_object().unwrap().keys() {
            assert!(known.contains(variable.as_str()), "{name} sets {variable}, but no function reads it");
            set.insert(variable.clone());
        }
    }
    // On AWS no variable contains the secret. Lambda sets its log level from LoggingConfig.
    let elsewhere = [JWT_SECRET.name, AWS_LAMBDA_LOG_LEVEL.name, RUST_LOG.name];
    let globals = &template["Globals"]["Function"];
    assert_eq!(globals["LoggingConfig"]["ApplicationLogLevel"], "TRACE");
    assert_eq!(globals["Environment"]["Variables"][RUST_LOG.name], json!({ "Ref": "LogLevel" }));
    assert!(elsewhere.iter().all(|name| !set.contains(*name)));
    let missing: Vec<_> = known.iter().filter(|name| !set.contains(**name) && !elsewhere.contains(name)).collect();
    assert!(missing.is_empty(), "no function has {missing:?}");
}

#[test]
fn local_invocations_set_variables_that_the_template_has() {
    let template = template();
    let settings: Value = serde_json::from_str(include_str!("../../local-invoke.json")).unwrap();
    let globals = template["Globals"]["Function"]["Environment"]["Variables"].as_object().unwrap();
    let functions = of_type(&template, "AWS::Serverless::Function").into_values();
    let declared: BTreeSet<&String> = functions
        .flat_map(|function| function["Properties"]["Environment"]["Variables"].as_object().unwrap().keys())
        .chain(globals.keys())
        .collect();
    for (name, value) in settings["Parameters"].as_object().unwrap() {
        assert!(declared.contains(name), "`sam local invoke` ignores {name}, which the template does not have");
        assert!(value.is_string(), "{name}");
    }
    // Only these invocations need the variables for local endpoints.
    for (name, value) in globals.iter().filter(|(name, _)| *name != RUST_LOG.name) {
        assert_eq!(value, &json!({ "Ref": "AWS::NoValue" }), "{name}");
        assert!(settings["Parameters"][name].is_string(), "{name}");
    }
}
