use entity_stream_protocol::empty_object;
use serde_json::value::RawValue;

/// The relation of a JSON-LD context.
/// Source: "JSON-LD 1.1", section 6.1, <https://www.w3.org/TR/json-ld11/#interpreting-json-as-json-ld>.
const CONTEXT: &str = "http://www.w3.org/ns/json-ld#context";

/// The address of the JSON-LD context in the values of `Link` (RFC 8288), as JSON.
pub(crate) fn linked_context(link: &str) -> Option<Box<RawValue>> {
    let targets = link.split('<').skip(1).filter_map(|link| link.split_once('>'));
    let (target, _) = targets.into_iter().find(|(_, parameters)| is_context(parameters))?;
    let json = serde_json::to_string(target).ok()?;
    Some(RawValue::from_string(json).unwrap_or_else(|_| empty_object()))
}

/// True if the parameters of a link, which end where the next link begins, name the relation of a context.
fn is_context(parameters: &str) -> bool {
    parameters.split(';').any(|parameter| {
        let Some((name, value)) = parameter.split_once('=') else { return false };
        let value = value.trim().trim_end_matches(',').trim().trim_matches('"');
        name.trim().eq_ignore_ascii_case("rel") && value.split_ascii_whitespace().any(|relation| relation == CONTEXT)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_link_to_a_context_is_found_among_others() {
        let found = |link: &str| linked_context(link).map(|context| context.get().to_owned());
        let context = r#"<https://c.example.org/a.jsonld>; rel="http://www.w3.org/ns/json-ld#context"; type="application/ld+json""#;
        let expected = Some(r#""https://c.example.org/a.jsonld""#.to_owned());
        assert_eq!(found(context), expected);
        assert_eq!(found(&format!(r#"<https://other>; rel="next", {context}"#)), expected);
        assert_eq!(found(&format!(r#"{context}, <https://other>; rel=next"#)), expected);
        for link in ["", "<https://other>; rel=next", "https://c; rel=x", "<", ">", "<>;rel", "<a>b<c>"] {
            assert_eq!(found(link), None, "{link}");
        }
    }
}
