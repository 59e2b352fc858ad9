use serde_json::error::Category;

/// The reason why a JSON text cannot be read. Unlike the error of serde, it repeats no value of the text: values of entities and
/// credentials stay out of logs and answers.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason}{}", self.position.map_or_else(String::new, |(line, column)| format!(" at line {line} column {column}")))]
pub struct InvalidJson {
    reason: String,
    /// The line and the column, if the fault has a place.
    position: Option<(usize, usize)>,
}

impl InvalidJson {
    /// Takes the reason and the place of an error.
    pub fn new(error: &serde_json::Error) -> Self {
        let (line, column) = (error.line(), error.column());
        let text = error.to_string();
        let text = text.strip_suffix(&format!(" at line {line} column {column}")).unwrap_or(&text);
        let is_named = ["missing field `", "duplicate field `"].iter().any(|start| text.starts_with(start));
        match error.classify() {
            // The names are those of our types. A missing field has no place.
            Category::Data if is_named => Self { reason: text.to_owned(), position: None },
            Category::Data => Self {
                reason: "a value of another type or form is expected".to_owned(),
                position: Some((line, column)),
            },
            Category::Syntax | Category::Eof | Category::Io => {
                Self { reason: text.to_owned(), position: Some((line, column)) }
            }
        }
    }

    /// The reason without the place.
    pub fn reason(&self) -> &str {
        &self.reason
    }

    /// The column, if the fault has a place.
    pub fn column(&self) -> Option<usize> {
        self.position.map(|(_, column)| column)
    }
}

impl From<serde_json::Error> for InvalidJson {
    fn from(error: serde_json::Error) -> Self {
        Self::new(&error)
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[expect(dead_code, reason = "the test reads it from JSON only")]
    struct Named {
        number: u8,
        kind: Kind,
    }

    #[derive(Debug, Deserialize)]
    enum Kind {
        A,
    }

    fn reason(text: &str) -> String {
        InvalidJson::new(&serde_json::from_str::<Named>(text).unwrap_err()).to_string()
    }

    #[test]
    fn the_reason_names_fields_and_places_but_no_value() {
        assert_eq!(reason("{}"), "missing field `number`");
        assert_eq!(reason(r#"{"number":1,"number":2}"#), "duplicate field `number`");
        assert_eq!(reason(r#"{"number":1"#), "EOF while parsing an object at line 1 column 11");
        for text in [
            r#""4111-1111""#,
            r#"{"number":"4111-1111"}"#,
            r#"{"number":41111111}"#,
            r#"{"number":1,"kind":"4111-1111"}"#,
            r#"{"number":1,"kind":{"missing field `4111`":1}}"#,
            r#"{"number":"x, expected 4111"}"#,
            r#"{"number":1,"kind":"A","4111":x}"#,
            r#"{"number":4111e}"#,
        ] {
            let reason = reason(text);
            assert!(!reason.contains("4111") && reason.contains("at line 1 column"), "{reason}");
        }
    }
}
