//! Requests to `@connections` have a valid signature. The test computes the signature a second time, from the specification
//! and not with the library that made it.
//! Source: "Create a signed AWS API request", AWS Identity and Access Management User Guide.

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::hmac::{HMAC_SHA256, Key, sign};
use entity_stream_delivery::{ManagementApi, Message, Outcome};
use entity_stream_local::{REGION, aws_config};
use entity_stream_protocol::ConnectionId;

use crate::harness::{Asked, Endpoint, Reply};

/// The secret key of the local system's fixed credentials.
const SECRET: &str = "local";

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn hmac(key: &[u8], text: &str) -> Vec<u8> {
    sign(&Key::new(HMAC_SHA256, key), text.as_bytes()).as_ref().to_vec()
}

fn header<'a>(asked: &'a Asked, name: &str) -> &'a str {
    asked.headers.get(name).unwrap_or_else(|| panic!("{name} is missing")).to_str().unwrap()
}

fn signature(asked: &Asked, path: &str, signed_headers: &str) -> String {
    let headers: String = signed_headers.split(';').map(|name| format!("{name}:{}\n", header(asked, name))).collect();
    let payload = hex(digest(&SHA256, &asked.body).as_ref());
    let canonical = format!("{}\n{path}\n\n{headers}\n{signed_headers}\n{payload}", asked.method);
    let time = header(asked, "x-amz-date");
    let scope = format!("{}/{REGION}/execute-api/aws4_request", &time[..8]);
    let to_sign = format!("AWS4-HMAC-SHA256\n{time}\n{scope}\n{}", hex(digest(&SHA256, canonical.as_bytes()).as_ref()));
    let key = hmac(format!("AWS4{SECRET}").as_bytes(), &time[..8]);
    let key = [REGION, "execute-api", "aws4_request"].into_iter().fold(key, |key, part| hmac(&key, part));
    hex(&hmac(&key, &to_sign))
}

#[tokio::test]
async fn requests_carry_the_signature_that_aws_computes() {
    let endpoint = Endpoint::script([Reply::status(200)]).await;
    let url = format!("{}/prod/", endpoint.url);
    let api = ManagementApi::new(&aws_config(&url), entity_stream_delivery::Endpoint::parse(&url).unwrap());
    let id = ConnectionId::parse("XyZ-2_deIAMCJ1g=").unwrap();
    assert_eq!(api.post(&id, &Message::new("é")).await, Outcome::Delivered);
    assert_eq!(api.close(&id).await, Ok(()));
    let asked = endpoint.asked();
    assert_eq!(asked.iter().map(|asked| asked.method.as_str()).collect::<Vec<_>>(), ["POST", "DELETE"]);
    for asked in asked {
        assert_eq!(asked.path, "/prod/@connections/XyZ-2_deIAMCJ1g%3D");
        let authorization = header(&asked, "authorization");
        let (scheme, fields) = authorization.split_once(' ').unwrap();
        assert_eq!(scheme, "AWS4-HMAC-SHA256");
        let field = |name: &str| {
            let field = fields.split(", ").find_map(|field| field.strip_prefix(name)?.strip_prefix('='));
            field.unwrap_or_else(|| panic!("{name} is missing: {fields}"))
        };
        let scope = format!("local/{}/{REGION}/execute-api/aws4_request", &header(&asked, "x-amz-date")[..8]);
        assert_eq!(field("Credential"), scope);
        let signed_headers = field("SignedHeaders");
        assert!(signed_headers.split(';').any(|name| name == "host"), "{signed_headers}");
        // The canonical request contains the path in doubly encoded form.
        let path = "/prod/%40connections/XyZ-2_deIAMCJ1g%253D";
        assert_eq!(field("Signature"), signature(&asked, path, signed_headers));
    }
}
