//! One proof of possession and two instances of the function, each with its own connection.

use entity_stream_connections::{Authorisation, Connection, Grant, UnprovedGrant};
use serde_json::{Value, json};

use crate::harness::tokens::{ProviderKey, in_seconds};
use crate::harness::{Endpoint, Functions, Hands, Reply, System, lambda_event};

const GUARDED: &[(&str, &str)] = &[("AUTH_ENABLED", "true"), ("JWT_SECRET", "a secret of at least thirty-two bytes")];
const DEPLOYED: &str = include_str!("../../../events/default/ping.json");

/// An unused instance, its `@connections` endpoint, and a connection that waits for a proof of this key.
async fn instance(system: &System, hands: &Hands, id: &str, key: &ProviderKey) -> (Functions, Endpoint, Connection) {
    let api = Endpoint::script([Reply::status(200)]).await;
    let functions = Functions::with_settings(system, &api, hands, GUARDED).await;
    let grant = Grant::new("alice", "user", Some(hands.clock().now().plus(std::time::Duration::from_secs(600))));
    let authorisation = Authorisation::Unproved(UnprovedGrant { grant, key: key.thumbprint(), token: "T".repeat(43) });
    let connection = Connection { authorisation, ..functions.connection(id, "demo") };
    functions.table.register(&connection).await.unwrap();
    (functions, api, connection)
}

/// The answer of an instance to a proof.
async fn bind((functions, api, connection): &(Functions, Endpoint, Connection), proof: &str) -> Value {
    let mut event: Value = serde_json::from_str(DEPLOYED).unwrap();
    event["body"] = json!(json!({ "action": "dpop_bind", "proof": proof }).to_string());
    event["requestContext"]["connectionId"] = json!(connection.id.as_str());
    // A request with the same id is a repetition of the SDK, and may use the proof again.
    event["requestContext"]["requestId"] = json!(format!("{:032x}", fastrand::u128(..)));
    event["requestContext"]["connectedAt"] = json!(connection.connected_at.millis());
    functions.default.handle(lambda_event(&event.to_string())).await.unwrap();
    let posts = api.asked().into_iter().filter(|asked| asked.method == "POST");
    serde_json::from_slice(&posts.last().expect("each proof is answered").body).unwrap()
}

#[tokio::test]
async fn a_proof_that_one_instance_took_is_refused_by_another() {
    let (system, hands, key) = (System::start().await, Hands::default(), ProviderKey::ec("a"));
    let first = instance(&system, &hands, "Qw7LqXg9IAMCGqA=", &key).await;
    let second = instance(&system, &hands, "Qw7LqXg9IAMCGqB=", &key).await;
    let deployed: Value = serde_json::from_str(DEPLOYED).unwrap();
    let context = &deployed["requestContext"];
    let htu = format!("wss://{}/{}", context["domainName"].as_str().unwrap(), context["stage"].as_str().unwrap());
    let proof = |id: &str| key.proof(&json!({}), &json!({ "htu": htu, "iat": in_seconds(0), "jti": id }));
    assert_eq!(bind(&first, &proof("one")).await["type"], "dpop_verified");
    let refused = bind(&second, &proof("one")).await;
    assert_eq!(
        (&refused["code"], &refused["message"]),
        (&json!("unauthorized"), &json!("the DPoP proof was used before: create a new one with another jti"))
    );
    assert_eq!(bind(&second, &proof("two")).await["type"], "dpop_verified");
}
