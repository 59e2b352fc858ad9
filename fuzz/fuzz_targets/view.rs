//! Views of an event's `data`. The input has the view and the data, one on each line.

#![no_main]

use entity_stream_protocol::{Representation, View};
use libfuzzer_sys::fuzz_target;
use serde_json::Value;
use serde_json::value::RawValue;

fuzz_target!(|text: &str| {
    let (view, data) = text.split_once('\n').unwrap_or(("{}", text));
    let Ok(view) = serde_json::from_str::<View>(view) else { return };
    let Ok(data) = RawValue::from_string(data.to_owned()) else { return };
    let written = serde_json::to_string(&view).unwrap();
    assert_eq!(serde_json::from_str::<View>(&written).unwrap(), view);
    let shown = view.apply(&data);
    // JSON may nest deeper than this reader goes.
    let (Ok(before), Ok(after)) = (serde_json::from_str::<Value>(data.get()), serde_json::from_str::<Value>(shown.get()))
    else {
        return;
    };
    let (Some(before), Some(after)) = (before.as_object(), after.as_object()) else {
        assert_eq!(before, after);
        return;
    };
    for (name, value) in before {
        let is_shown = ["id", "type", "@context"].contains(&name.as_str())
            || view.attributes().len() == 0
            || view.attributes().any(|attribute| attribute == name);
        assert_eq!(after.contains_key(name), is_shown);
        if is_shown && view.representation() == Representation::Normalized {
            assert_eq!(&after[name], value);
        }
    }
    assert!(after.keys().all(|name| before.contains_key(name)));
});
