use entity_stream_protocol::{FilterFields, Representation, SubscriptionName};

use super::*;

fn stream_url(url: &str) -> Result<StreamUrl, InvalidStreamUrl> {
    StreamUrl::new(url, &Tenant::parse("Demo").unwrap(), Format::Json, None)
}

fn opening(url: &str, subscription: Subscription) -> String {
    stream_url(url).unwrap().opening_with(&[subscription]).to_string()
}

fn uri(url: &str, types: &[&str], pattern: Option<&str>) -> String {
    opening(url, Filter::new(types.iter().copied(), pattern).unwrap().into())
}

fn default_of(fields: FilterFields) -> Subscription {
    fields.check().unwrap().into()
}

#[test]
fn the_query_holds_everything() {
    assert_eq!(uri("ws://localhost:3000", &[], None), "ws://localhost:3000/?tenant=demo&batch=true");
    assert_eq!(
        uri("wss://x.test/prod?group_id=g", &["Room", "urn:a#b"], Some("^urn:.*&")),
        "wss://x.test/prod?group_id=g&tenant=demo&batch=true&entityTypes=Room%2Curn%3Aa%23b&idPattern=%5Eurn%3A.%2A%26"
    );
    let ids = default_of(FilterFields { entity_ids: vec!["a".into(), "b:c".into()], ..FilterFields::default() });
    assert_eq!(opening("ws://h", ids), "ws://h/?tenant=demo&batch=true&entityIds=a%2Cb%3Ac");
    let (tenant, group) = (Tenant::parse("d").unwrap(), GroupId::parse("g").unwrap());
    let cloud = StreamUrl::new("ws://h", &tenant, Format::CloudEvents, Some(&group)).unwrap();
    let everything = cloud.opening_with(&[Subscription::default()]);
    assert_eq!(everything.to_string(), "ws://h/?tenant=d&format=cloudevents&group_id=g&batch=true");
    assert!(StreamUrl::new("ws://h?group_id=x", &tenant, Format::Json, Some(&group)).is_err());
}

#[test]
fn a_connection_opens_without_a_subscription_that_no_url_can_hold() {
    let none = "ws://h/?tenant=demo&batch=true&subscribe=none";
    let url = stream_url("ws://h").unwrap();
    assert_eq!(url.opening_with(&[]).to_string(), none);
    let map = Subscription { name: SubscriptionName::parse("map").unwrap(), ..Subscription::default() };
    assert_eq!(url.opening_with(std::slice::from_ref(&map)).to_string(), none);
    let both = [map, Filter::new(["Room"], None).unwrap().into()];
    assert_eq!(url.opening_with(&both).to_string(), "ws://h/?tenant=demo&batch=true&entityTypes=Room");

    let fields = FilterFields::default;
    let geo = serde_json::json!({ "georel": "near;maxDistance==1", "geometry": "Point", "coordinates": [1, 2] });
    for fields in [
        FilterFields { entity_types: vec!["a,b".into()], ..fields() },
        FilterFields { entity_ids: vec!["a".into(), "b,c".into()], ..fields() },
        FilterFields { entity_ids: vec!["caf\u{fffd}".into()], ..fields() },
        FilterFields { id_pattern: Some("caf\u{fffd}".into()), ..fields() },
        FilterFields { notification_trigger: vec!["entityCreated".into()], ..fields() },
        FilterFields { watched_attributes: vec!["a".into()], ..fields() },
        FilterFields { q: Some("a>1".into()), ..fields() },
        FilterFields { geo_q: Some(geo), ..fields() },
        FilterFields { service_path: Some("/a".into()), ..fields() },
    ] {
        assert_eq!(opening("ws://h", default_of(fields.clone())), none, "{fields:?}");
    }
    let view = View::new(["a"], Representation::default()).unwrap();
    assert_eq!(opening("ws://h", Subscription { view, ..Subscription::default() }), none);
    let long = uri(&format!("ws://h/{}", "p".repeat(3000)), &["x".repeat(256).as_str()], Some(&"é".repeat(300)));
    assert!(long.ends_with("?tenant=demo&batch=true&subscribe=none"), "{long}");
}

#[test]
fn an_error_shows_a_valid_url_and_no_secret() {
    for url in ["localhost:3000", "", "ws://", "ftp://h", "/x", "ws://h h", "http://localhost:3000/x?token=eyJsecret"] {
        let message = stream_url(url).unwrap_err().to_string();
        assert!(message.contains("ws://localhost:3000") && !message.contains("eyJsecret"), "{message}");
    }
    for url in ["ws://u:eyJsecret@h", "ws://u:eyJsecret@h h", "ws://h h?token=eyJsecret"] {
        let error = stream_url(url).unwrap_err();
        assert!(!format!("{error} {error:?}").contains("eyJsecret"));
    }
    for name in ["tenant", "entityTypes", "entityIds", "idPattern", "subscribe", "format", "batch"] {
        let error = stream_url(&format!("ws://h?{name}=x")).unwrap_err();
        assert_eq!(error, InvalidStreamUrl::Parameter(name.to_owned()));
    }
    let with_token = stream_url("ws://h/p?token=eyJsecret").unwrap();
    assert_eq!(with_token.to_string(), "ws://h/p");
    assert_eq!(format!("{with_token:?}"), "StreamUrl(ws://h/p)");
}

#[test]
fn a_credential_is_exposed_only_without_tls_on_a_network() {
    for (url, exposed) in [
        ("ws://localhost:3000", false),
        ("ws://127.0.0.2", false),
        ("ws://[::1]:1", false),
        ("wss://example.com", false),
        ("ws://example.com", true),
        ("ws://192.168.1.7:3000", true),
    ] {
        assert_eq!(stream_url(url).unwrap().is_exposed(), exposed, "{url}");
    }
    assert_eq!(stream_url("ws://[::1]:1").unwrap().host(), ("::1", 1));
}
