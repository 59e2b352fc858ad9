//! Canonical texts.

use crate::entity::query;

#[test]
fn a_query_has_one_canonical_text() {
    for (text, canonical) in [
        ("a", "a"),
        (" ( a ) ", "a"),
        ("((a;b));c", "a;b;c"),
        ("(a|b)|c", "a|b|c"),
        ("(a;b)|c", "a;b|c"),
        ("(a|b);(c|(d;e))", "(a|b);(c|d;e)"),
        ("! a", "!a"),
        (r#"a == "x" "#, "a==x"),
        ("a=='20'", r#"a=="20""#),
        ("a=='true'", r#"a=="true""#),
        (r#"a=="2026-01-02""#, r#"a=="2026-01-02""#),
        ("a==1.0", "a==1.0"),
        ("a==05", "a==05"),
        ("a==3,1,2,1.0", "a==1,2,3"),
        ("a==b,2026-01-02,1,true,null", "a==null,true,1,2026-01-02,b"),
        ("a==1,1", "a==1"),
        ("a!=1 .. 2", "a!=1..2"),
        (r#"a=="b..c""#, r#"a=="b..c""#),
        ("a==urn:ngsi-ld:T:1", "a==urn:ngsi-ld:T:1"),
        ("a==http://x/~y?b=c&d", "a==http://x/~y?b=c&d"),
        (r#"a=='"'"#, r#"a=='"'"#),
        (r#"a=='\''"#, r#"a=="'""#),
        (r#"a=="b\\c""#, r"a==b\c"),
        (r#"a=="\u000a\u0001""#, r#"a=="\n\u0001""#),
        (r#"a==''"#, r#"a=="""#),
        (r#"a=="%22""#, r#"a=="%22""#),
        ("'a'.'b c'['d'.'*']", "a.'b c'[d.'*']"),
        (r"'it\'s'[*]", r"'it\'s'[*]"),
        (r#"a~="^\\w+$""#, r"a~=^\w+$"),
        (r#"a~="b|c""#, r#"a~="b|c""#),
        (r#"a~="(b|c)";d"#, "a~=(b|c);d"),
        (r#"a<"=""#, r#"a<"=""#),
        (r#"a~="[(]""#, r#"a~="[(]""#),
        (r#"a!~=" b ""#, r#"a!~=" b ""#),
        (r#"a~="%22""#, r#"a~="%22""#),
    ] {
        let read = query(text);
        assert_eq!(read.to_string(), canonical, "{text}");
        assert_eq!(query(canonical), read, "{text}");
    }
}

#[test]
fn a_query_tells_the_attributes_that_it_reads() {
    let query = query("b>1;(a.x==1|b[c]);!'d.e'");
    assert_eq!(query.attributes().into_iter().collect::<Vec<_>>(), ["a", "b", "d.e"]);
}
