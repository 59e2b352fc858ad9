//! Precedence, types, numbers, times and strings.

use serde_json::json;

use crate::entity::{assert_all, data, data_of_text, query};

#[test]
fn and_binds_before_or_and_parentheses_nest() {
    // Each name is true if the entity has it.
    let data = data(&json!({"t": 1}));
    for (text, expected) in [
        ("t|f;f", true),
        ("(t|f);f", false),
        ("f;f|t", true),
        ("f;(f|t)", false),
        ("t;f|f;t", false),
        ("t;f|t;t", true),
        ("((((((((t))))))))", true),
        ("!t|!f", true),
        ("!t;!f", false),
    ] {
        assert_eq!(query(text).matches(&data), expected, "{text}");
    }
    let car = json!({"speed": {"value": 60}, "rpm": {"value": 1}, "brandName": {"value": "Mercedes"}});
    assert_all(&crate::entity::data(&car), true, &[r#"((speed>50|rpm>3000);brandName=="Mercedes")"#]);
}

#[test]
fn numbers_are_exact() {
    let data = data_of_text(
        r#"{"one":1,"float":1.0,"exp":1e0,"big":9007199254740993,"most":18446744073709551615,"tenth":0.1,
            "long":139.76712345678901,"zero":-0.0}"#,
    );
    assert_all(
        &data,
        true,
        &[
            "one==1.0",
            "float==1",
            "exp==10e-1",
            "big==9007199254740993",
            "big!=9007199254740992",
            "big>9007199254740992",
            "big>9007199254740992.0",
            "most==18446744073709551615",
            "tenth==0.10",
            "tenth==1e-1",
            "long==139.76712345678901",
            "long==13976712345678901e-14",
            "zero==0",
        ],
    );
    assert_all(
        &data,
        false,
        &["big==9007199254740992", "big==9007199254740992.0", "most==18446744073709551616", "one==01"],
    );
}

#[test]
fn ranges_include_their_ends() {
    let data =
        data(&json!({"n": 10, "neg": -5, "s": "b", "d": "2026-01-02", "t": "12:00:00Z", "dt": "2026-01-02T00:00:00Z"}));
    assert_all(
        &data,
        true,
        &[
            "n==10..20",
            "n==0..10",
            "n==9.5..10.5",
            "n!=11..20",
            "neg==-10..-5",
            "neg==-5..5",
            "s==a..b",
            "s==b..c",
            r#"s=="a".."b""#,
            "d==2026-01-01..2026-01-02",
            "d==2026-01-02..2026-01-02",
            "t==11:00:00..12:00:00",
            "dt==2026-01-01..2026-01-02",
            "dt==2026-01-01T23:59:59Z..2026-01-02T00:00:00Z",
            "n!=20..0",
            "n == 10 .. 20",
        ],
    );
    assert_all(
        &data,
        false,
        &["n==11..20", "n==20..0", "s==c..d", "n==a..z", "s==1..9", "s!=a..b", "t==13:00:00..14:00:00"],
    );
}

#[test]
fn times_compare_with_times_only() {
    let data = data(&json!({
        "at": {"type": "Property", "value": 1, "observedAt": "2017-12-24T12:00:00.500Z"},
        "day": "2017-12-24", "time": "12:00:00Z", "local": "2017-12-24T12:00:00", "comma": "2017-12-24T12:00:00,500Z",
        "text": "soon", "number": 20171224,
    }));
    assert_all(
        &data,
        true,
        &[
            "at.observedAt>=2017-12-24T12:00:00Z",
            "at.observedAt==2017-12-24T12:00:00.5Z",
            "at.observedAt==2017-12-24T13:00:00.5+01:00",
            "at.observedAt>2017-12-24",
            "at.observedAt<2017-12-25",
            "day==2017-12-24",
            "day==2017-12-24T00:00:00Z",
            "time==12:00:00",
            "time<12:00:00.1Z",
            "local==2017-12-24T12:00:00Z",
            "comma==2017-12-24T12:00:00.5Z",
            "text!=2017-12-24",
            "number!=2017-12-24",
            "time!=2017-12-24",
            "day!=12:00:00",
            // A quoted time is a string.
            r#"at.observedAt=="2017-12-24T12:00:00.500Z""#,
            r#"at.observedAt!="2017-12-24T12:00:00.5Z""#,
            "at.observedAt~=^2017",
            "day==2017-12-23,2017-12-24",
            r#"day==1,"a",2017-12-24"#,
            "text==2017-12-24,soon",
        ],
    );
    assert_all(
        &data,
        false,
        &[
            "text==2017-12-24",
            "text>2017-12-24",
            "time>2017-12-24",
            "day<12:00:00",
            "number>2017-12-24",
            "day==2017-12-25,soon",
        ],
    );
}

#[test]
fn strings_compare_by_code_points() {
    let data =
        data(&json!({"s": "\u{e4}b", "empty": "", "upper": "Z", "title": "20", "flag": "true", "percent": "%22"}));
    assert_all(
        &data,
        true,
        &[
            "s==\u{e4}b",
            r#"s=="\u00e4b""#,
            "s>z",
            "upper<a",
            r#"empty=="""#,
            "empty==''",
            "empty<a",
            "title=='20'",
            r#"title=="20""#,
            "title!=20",
            "flag=='true'",
            "flag!=true",
            "title<a",
            r#"percent=="%22""#,
        ],
    );
    assert_all(&data, false, &["title==20", "title>1", "flag==true", "s==\u{e4}", "upper==z"]);
}

#[test]
fn true_false_and_null_stand_in_lists() {
    let data = data(&json!({"yes": true, "none": null, "mixed": [true, null, 1]}));
    assert_all(&data, true, &["yes==1,true", "none==null,a", "mixed==false,null", "mixed!=false,2", "yes!=false,null"]);
    assert_all(&data, false, &["yes==false,null", "none!=a,null", "mixed!=true,5"]);
}

#[test]
fn arrays_are_searched_one_level_deep() {
    let data = data(&json!({"a": [[1], {"b": 2}, "x", "2026-01-02T00:00:00Z", null], "empty": []}));
    assert_all(&data, true, &["a==x", "a!=1", "a!=2", "a==2026-01-02", "a==null", "empty", "empty!=1", "a==w..y"]);
    assert_all(&data, false, &["a==1", "a==2", "empty==1", "a>a", "a[b]", "a~=x"]);
}

#[test]
fn names_are_literal() {
    let data = data(&json!({
        "https://uri.example/speed": 5,
        "a.b": {"type": "Property", "value": {"c.d": {"e": 1}, "*": 2}, "x y": {"value": 3}},
        "schema:name": "n", "air-quality_2": 1, "@context": "c", "\u{6e29}\u{5ea6}": 20, "it's": 1, "3d": 1, "true": 7,
    }));
    assert_all(
        &data,
        true,
        &[
            "'https://uri.example/speed'==5",
            "'a.b'['c.d'.e]==1",
            "'a.b'['*']==2",
            "'a.b'[*]==2",
            "'a.b'.'x y'==3",
            "'schema:name'==n",
            "air-quality_2==1",
            "@context==c",
            "\u{6e29}\u{5ea6}>10",
            r"'it\'s'==1",
            "3d==1",
            "true==7",
            "!speed",
            "!a",
            "!'a'.b",
            "'\\u0061.b'",
        ],
    );
}

#[test]
fn regular_expressions_are_quoted_or_bare() {
    let data = data(&json!({"name": "Bull;1", "x": 1, "path": "a\\b", "quote": "\"q\"", "end": "a)"}));
    assert_all(
        &data,
        true,
        &[
            "name~=Bull;x==1",
            "name~=(Bull|Bear);x==1",
            "name~=^(?:Bull;1)$;x==1",
            r#"name~="Bull;1|Bear";x==1"#,
            r#"name~="^\\w+;\\d$""#,
            r"name~=^\w+.\d$",
            r"name~='Bull;\\d'",
            "name~=Bear|x==1",
            "(name~=Bull)",
            "(name~=(B)ull);x",
            r"end~=a\)$",
            r"(end~=a\))",
            r#"path~="a\\\\b""#,
            r"path~=a\\b",
            r#"quote~=^."#,
            r#"quote~='"q"'"#,
            "name!~=bull",
            "name~=(?i)bull",
            "name~=Bull ;x==1",
            r#"name~="""#,
        ],
    );
    assert_all(&data, false, &["name~=Bull;x==2", "name~=^ull", "x~=1", "x!~=2", "none~=a", "none!~=a", "name!~=Bull"]);
}

#[test]
fn a_regular_expression_reads_a_bounded_length() {
    let text = |length: usize| "a".repeat(length);
    let data = data(&json!({
        "fits": text(1024), "long": text(1025),
        "several": [{"value": text(1000), "datasetId": "urn:1"}, {"value": text(25)}, {"value": text(24)}],
        "map": {"languageMap": {"de": text(1025), "en": "a"}},
    }));
    assert_all(
        &data,
        true,
        &["fits~=a$", "fits!~=b", "long!=b", "several~=a", "several~=^a{24}$", "map[*]~=^a$", "several!~=b"],
    );
    assert_all(&data, false, &["long~=a", "long!~=b", "several~=^a{25}$"]);
}

#[test]
fn times_compare_in_the_whole_calendar() {
    let data = data(&json!({"until": "9999-12-31T23:59:59Z", "leap": "2016-12-31T23:59:60Z", "first": "0000-01-01"}));
    let queries = [
        "until>2026-01-02",
        "until==9999-12-31T23:59:59.0Z",
        "until>9999-12-31",
        "until<9999-12-31T23:59:59-01:00",
        "leap>2016-12-31T23:59:59.9Z",
        "leap==2017-01-01",
        "first<2026-01-02",
    ];
    assert_all(&data, true, &queries);
}
