//! A notification of a broker, and the changes that it becomes.

#![no_main]

use entity_stream_ingest::{NotificationFacts, read_notification};
use entity_stream_protocol::{EntityChange, EpochMillis, Tenant};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &str| {
    // The first line has the headers: service paths, the format, and the link to the context.
    let (headers, body) = input.split_once('\n').unwrap_or(("", input));
    let mut headers = headers.splitn(3, '|').map(str::to_owned);
    let paths = headers.next().unwrap_or_default();
    let facts = NotificationFacts {
        tenant: Tenant::parse("city").expect("a tenant"),
        service_paths: paths.split(',').filter(|path| path.starts_with('/')).map(str::to_owned).collect(),
        attrs_format: headers.next(),
        link: headers.next(),
        received_at: EpochMillis::new(1_767_323_045_678),
    };
    let changes = match read_notification(body, &facts) {
        Ok(changes) => changes,
        Err(error) => return assert!(!error.to_string().is_empty()),
    };
    for change in changes {
        let change = match change {
            Ok(change) => change,
            Err(refused) => {
                assert!(!refused.fault.to_string().is_empty());
                continue;
            }
        };
        assert_eq!(change.tenant, facts.tenant, "nothing crosses from one tenant to another");
        let json = change.to_json();
        let _: &serde_json::value::RawValue = serde_json::from_str(&json).expect("the detail is JSON");
        // Events that the contract does not allow are refused before they reach the bus. All else reads back.
        if let Ok(read) = EntityChange::parse(&json) {
            assert_eq!(read.to_json(), json);
            // The attributes come from the body, byte for byte, and no member was made up.
            let data: Result<Vec<_>, _> = members(read.data.get());
            for (name, _) in data.expect("data is an object") {
                assert!(body.contains(&name));
            }
        }
    }
});

/// The members of an object, with their names as they are written.
fn members(object: &str) -> Result<Vec<(String, String)>, &'static str> {
    let raw: &serde_json::value::RawValue = serde_json::from_str(object).map_err(|_| "not JSON")?;
    let members = entity_stream_protocol::JsonMembers::read(raw).ok_or("not an object")?;
    Ok(members.0.into_iter().map(|(name, value)| (name.get().to_owned(), value.get().to_owned())).collect())
}
