//! Each case of the table, in each form that can carry it.

use entity_stream_protocol::{EntityData, Query};
use serde_json::Value;
use serde_json::value::RawValue;

use crate::cases::groups;
use crate::forms::{CARRIERS, data};
use crate::oracle::oracle;

/// The product's result.
pub(crate) fn product(query: &Query, data: &Value) -> bool {
    let text = RawValue::from_string(data.to_string()).unwrap();
    query.matches(&EntityData::new(Some(&text)))
}

#[test]
fn the_text_of_the_specification_the_oracle_and_the_product_agree() {
    let (mut cases, mut judged, mut faults) = (0, 0, Vec::new());
    for (attributes, queries) in groups() {
        for (text, expected) in queries {
            cases += 1;
            let carried: Vec<Value> = CARRIERS.iter().filter_map(|carrier| data(&attributes, *carrier)).collect();
            assert!(!carried.is_empty(), "no form carries the case of {text}");
            for data in carried {
                judged += 1;
                let by_oracle = oracle(text, &data);
                let by_product = Query::parse(text).map(|query| product(&query, &data));
                if by_oracle != Ok(expected) || by_product.as_ref().ok() != Some(&expected) {
                    faults.push(format!(
                        "{text} with {data}: expected {expected}, oracle {by_oracle:?}, product {by_product:?}"
                    ));
                }
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    assert!(cases >= 120, "{cases} cases");
    assert!(judged >= 3 * cases, "{judged} judgements of {cases} cases");
}
