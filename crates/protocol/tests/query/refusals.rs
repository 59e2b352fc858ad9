//! Texts that are no queries: each error names the fault, shows the place, and gives advice.

use entity_stream_protocol::limits::{QUERY_BYTES, QUERY_DEPTH, QUERY_TERMS};
use entity_stream_protocol::{Query, QueryFault};

fn message(text: &str) -> String {
    match Query::parse(text) {
        Ok(query) => panic!("{text} reads as {query}"),
        Err(error) => error.to_string(),
    }
}

#[test]
fn the_error_names_the_fault_and_its_place() {
    for (text, start, remedy) in [
        ("", "q: the query is empty", "leave q out"),
        (" ", "q: the query is empty", "leave q out"),
        (
            "sensor{Device:humidity}==40",
            "q, character 7 (`{Device:humidity}==4`): linked entities {Type:attribute}",
            "subscribe to",
        ),
        ("a==%22b%22", "q, character 4 (`%22b%22`): the query is percent-encoded", "plain text"),
        ("a~=%22b", "q, character 4 (`%22b`): the query is percent-encoded", "plain text"),
        ("speed%3E50", "q, character 6 (`%3E50`): the query is percent-encoded", "plain text"),
        ("%28a%29", "q, character 1 (`%28a%29`): the query is percent-encoded", "plain text"),
        ("temperature:20", "q, character 12 (`:20`): ':' is no operator", "write =="),
        ("schema:name==x", "q, character 7", "'schema:name'"),
        ("\u{e4}=5", "q, character 2 (`=5`): '=' is no operator", "write =="),
        ("a==1;", "q, character 6 (the end): an attribute's name is expected", "'a.b'"),
        ("a;;b", "q, character 3 (`;b`): an attribute's name", "quote"),
        ("a||b", "q, character 3 (`|b`): an attribute's name", "quote"),
        ("!(a)", "q, character 2 (`(a)`): an attribute's name", "quote"),
        ("\"a\"==1", "q, character 1", "'a.b'"),
        ("a.==1", "q, character 3", "'a.b'"),
        ("a[]", "q, character 3", "'a.b'"),
        ("a==", "q, character 4 (the end): a value is expected", "quote a value"),
        ("a===b", "q, character 4 (`=b`): a value is expected", "quote a value"),
        ("a==;b", "q, character 4 (`;b`): a value is expected", "quote a value"),
        ("a==1,", "q, character 6 (the end): a value is expected", "quote a value"),
        ("a~=", "q, character 4 (the end): a value is expected", "quote a value"),
        ("a~=;b", "q, character 4 (`;b`): a value is expected", "quote a value"),
        ("a==1...5", "q, character 7 (`.5`): a value that begins or ends with '.'", "a number 0.5"),
        ("a==..5", "q, character 4 (`..5`): a value that begins", "0.5"),
        ("a==1..2..3", "q, character 8 (`..3`): an operator", "special characters"),
        ("a==1....2", "q, character 7 (`..2`): a value that begins", "a range is written 1..5"),
        ("a==x.", "q, character 4 (`x.`): a value that begins or ends", "quoted"),
        ("a==b c", "q, character 6 (`c`): an operator", "\"a b\""),
        ("a b", "q, character 3 (`b`): an operator", "\"a b\""),
        ("a==b==c", "q, character 5 (`==c`): an operator", "\"a b\""),
        ("a==b(c)", "q, character 5 (`(c)`): an operator", "\"a b\""),
        ("(a b)", "q, character 4 (`b)`): an operator", "\"a b\""),
        ("a&b", "q, character 2 (`&b`): an operator", "; or |"),
        ("a[b", "q, character 4 (the end): a path into a value", "closing ]"),
        ("a[*.b]", "q, character 4", "closing ]"),
        ("a==\"b", "q, character 4 (`\"b`): the quoted text does not end", "close it"),
        ("'a==1", "q, character 1 (`'a==1`): the quoted text does not end", "close it"),
        (r#"a~="\d""#, "q, character 4 (`\"\\d\"`): the quoted text is not a JSON string", "\\\\ for a backslash"),
        ("a==\"b\nc\"", "q, character 4 (`\"b c\"`): the quoted text", "\\n for a line break"),
        ("a==\"b\"c", "q, character 7 (`c`): an operator", "quote a value"),
        ("a==b\"", "q, character 5 (`\"`): an operator", "quote a value"),
        ("💥==1", "q, character 1 (`💥==1`): an attribute's name", "quote a name"),
        ("a[1", "q, character 4 (the end): a path into a value", "closing ]"),
        ("(a|b", "q, character 1 (`(a|b`): a closing parenthesis is missing", "add )"),
        ("a)", "q, character 2 (`)`): this closing parenthesis", "remove it"),
        ("a>1,2", "q, character 4 (`,2`): a list or a range follows", "write =="),
        ("a<1..2", "q, character 4 (`..2`): a list or a range follows", "write =="),
        ("a==1..3,5", "q, character 4 (`1..3,5`): a list has no ranges", "(a==1..3|a==5)"),
        ("a==5,1..3", "q, character 7 (`..3`): a list has no ranges", "(a==1..3|a==5)"),
        ("a==1..b", "q, character 4 (`1..b`): the ends of a range", "quote both"),
        ("a==1..\"2\"", "q, character 4", "quote both"),
        ("a==true..false", "q, character 4", "two numbers"),
        ("a==2026-01-02..12:00:00", "q, character 4", "two dates"),
        ("a>true", "q, character 3 (`true`): true, false and null have no order", "quote them"),
        ("a<=null", "q, character 4 (`null`)", "compare them"),
        ("a==1e999", "q, character 4 (`1e999`): the number is too large", "quote it"),
        (
            "a~=\"(\"",
            "q, character 4 (`\"(\"`): not a regular expression of the Rust regex syntax: unclosed group",
            "limits of one idPattern",
        ),
        ("a~=(b;c", "q, character 4 (`(b;c`): the regular expression ends within parentheses", "quote it"),
        (r"a~=b\", r"q, character 4 (`b\`): the regular expression ends within", "quote it"),
        ("a~=(?=b)", "q, character 4 (`(?=b)`): not a regular", "look-around"),
        ("a~=.{1,400}x", "q, character 4 (`.{1,400}x`): the pattern is too slow", "anchor"),
    ] {
        let message = message(text);
        assert!(message.starts_with(start) && message.contains(remedy) && !message.contains('\n'), "{text}: {message}");
    }
}

#[test]
fn the_size_of_a_query_is_limited() {
    let long = |bytes: usize| format!("a==\"{}\"", "b".repeat(bytes - 5));
    assert!(Query::parse(&long(QUERY_BYTES)).is_ok());
    assert!(message(&long(QUERY_BYTES + 1)).starts_with("q: a query has at most 1024 bytes"));
    let terms = |count: usize| vec!["a"; count].join("|");
    assert!(Query::parse(&terms(QUERY_TERMS)).is_ok());
    assert!(message(&terms(QUERY_TERMS + 1)).starts_with("q, character 65 (`a`): a query has at most 32 terms"));
    let nested = |depth: usize| format!("{}a{}", "(".repeat(depth), ")".repeat(depth));
    assert!(Query::parse(&nested(QUERY_DEPTH)).is_ok());
    assert!(
        message(&nested(QUERY_DEPTH + 1)).starts_with("q, character 9 (`(a)))))))))`): parentheses nest at most 8")
    );
    assert!(message(&"(".repeat(1024)).contains("parentheses nest"));
    // Parentheses side by side are one level deep.
    assert!(Query::parse(&["(a)"; 32].join(";")).is_ok());
}

#[test]
fn regular_expressions_share_one_budget() {
    let fault = |text: &str| Query::parse(text).unwrap_err().fault().clone();
    let is_refused = |text: &str| matches!(fault(text), QueryFault::Pattern(_));
    // Each of them is accepted alone.
    for (pattern, most) in [(r"^\w+:\w+$", 8), (".{1,40}x", 4), ("(?i)[a-z\u{e4}-\u{10ffff}]", 2)] {
        let several = |count: usize| vec![format!("a~={pattern}"); count].join("|");
        assert!(Query::parse(&several(1)).is_ok(), "{pattern}");
        assert!(is_refused(&several(most)), "{pattern}");
        assert!(Query::from_stored(&several(most)).is_ok(), "{pattern}");
    }
    let long = format!("^{}", "b".repeat(256));
    assert!(Query::parse(&format!("a~={long}")).is_ok());
    assert!(is_refused(&format!("a~={long}|a~={long}")));
    assert!(Query::parse(&["a~=^Bull"; 32].join("|")).is_ok());
}

#[test]
fn a_fault_has_a_kind_and_a_place() {
    let error = Query::parse("a>1;sensor{x}").unwrap_err();
    assert_eq!((error.fault(), error.character()), (&QueryFault::LinkedEntity, Some(11)));
    assert_eq!(Query::parse("").unwrap_err().character(), None);
}
