//! The payload of the broadcast function.

#![no_main]

mod system;

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use serde_json::value::RawValue;

use crate::system::{System, TENANT, lambda_event};

static SYSTEM: LazyLock<System> = LazyLock::new(System::start);

fuzz_target!(|text: &str| {
    let Ok(payload) = serde_json::from_str::<Box<RawValue>>(text) else { return };
    let report = SYSTEM.run(SYSTEM.broadcast.handle(lambda_event(payload)));
    let report = report.expect("only the table or the bus can fail");
    assert_eq!((report.failed, report.gone, report.rejected), (0, 0, 0), "{report:?}");
    assert_eq!(report.delivered, report.matched);
    assert!(report.matched == 0 || text.to_ascii_lowercase().contains(TENANT) || text.contains('\\'));
});
