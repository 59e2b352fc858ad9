//! Queries with the result that the text of the specification gives for an entity.

use serde_json::json;

use crate::cases_of_structures::{compound, paths};
use crate::forms::{Entity, Expectations, Known, one};

pub(crate) fn groups() -> Vec<(Entity, Expectations)> {
    [scalars(), instants(), compound(), paths(), combinations(), patterns()].concat()
}

fn scalars() -> Vec<(Entity, Expectations)> {
    vec![
        (
            one("speed", json!(50)),
            vec![
                ("speed==50", true),
                ("speed==50.0", true),
                ("speed==5e1", true),
                ("speed==-50", false),
                ("speed!=50", false),
                ("speed!=51", true),
                ("speed>50", false),
                ("speed>49.9", true),
                ("speed>=50", true),
                ("speed<50", false),
                ("speed<50.1", true),
                ("speed<=50", true),
                ("speed==\"50\"", false),
                ("speed!=\"50\"", true),
                ("speed>\"40\"", false),
                ("speed==true", false),
                ("speed!=null", true),
                ("speed==40..50", true),
                ("speed==50..60", true),
                ("speed==51..60", false),
                ("speed!=40..50", false),
                ("speed!=51..60", true),
                ("speed==60..40", false),
                ("speed==49.5..50.5", true),
                ("speed==10,50,60", true),
                ("speed==10,60", false),
                ("speed!=10,50", false),
                ("speed!=10,60", true),
                ("speed==\"50\",50", true),
                ("speed~=50", false),
                ("speed!~=50", false),
            ],
        ),
        (one("n", json!(9_007_199_254_740_993_i64)), vec![("n==9007199254740993", true), ("n>9007199254740992", true)]),
        (one("n", json!(-0.5)), vec![("n==-0.5", true), ("n==-5E-1", true), ("n==-1..0", true), ("n<0", true)]),
        (one("n", json!(u64::MAX)), vec![("n==18446744073709551615", true), ("n>18446744073709551614", true)]),
        (
            one("status", json!("open")),
            vec![
                ("status==open", true),
                ("status==\"open\"", true),
                ("status=='open'", true),
                ("status==Open", false),
                ("status==\"\\u006fpen\"", true),
                ("status!=open", false),
                ("status!=closed", true),
                ("status==closed,open", true),
                ("status==\"closed\",'open'", true),
                ("status!=closed,open", false),
                ("status>closed", true),
                ("status<closed", false),
                ("status==a..p", true),
                ("status==\"a\"..\"b\"", false),
                ("status!=50", true),
                ("status>50", false),
                ("status==true", false),
                ("status==2026-01-02", false),
                ("status!=2026-01-02", true),
                ("status>2026-01-02", false),
                ("status<03:04:05", false),
            ],
        ),
        (one("title", json!("20")), vec![("title=='20'", true), ("title==20", false), ("title!=20", true)]),
        (one("title", json!("a,b")), vec![("title=='a,b'", true), ("title==a,b", false), ("title==\"a;b\"", false)]),
        (one("title", json!("say \"hi\"")), vec![("title==\"say \\\"hi\\\"\"", true), ("title=='say \"hi\"'", true)]),
        (one("title", json!("true")), vec![("title==true", false), ("title==\"true\"", true), ("title!=true", true)]),
        (
            one("title", json!("")),
            vec![("title==\"\"", true), ("title", true), ("title<a", true), ("title~=\"^$\"", true)],
        ),
        (one("title", json!("ｚ")), vec![("title<\"😀\"", true), ("title==\"\\ud83d\\ude00\"", false)]),
        (
            one("on", json!(true)),
            vec![
                ("on==true", true),
                ("on==false", false),
                ("on!=false", true),
                ("on!=true", false),
                ("on==\"true\"", false),
                ("on==1", false),
                ("on", true),
                ("!on", false),
                ("on==false,true", true),
            ],
        ),
        (
            one("gone", json!(null)),
            vec![
                ("gone==null", true),
                ("gone!=null", false),
                ("gone==\"null\"", false),
                ("gone!=1", true),
                ("gone<1", false),
            ],
        ),
        (
            vec![("owner", Known::relationship(json!("urn:ngsi-ld:Person:1")))],
            vec![
                ("owner==urn:ngsi-ld:Person:1", true),
                ("owner==\"urn:ngsi-ld:Person:1\"", true),
                ("owner!=urn:ngsi-ld:Person:1", false),
                ("owner==urn:ngsi-ld:Person:2,urn:ngsi-ld:Person:1", true),
                ("owner~=\"Person:[0-9]$\"", true),
            ],
        ),
        (
            one("page", json!("http://a.example/b")),
            vec![("page==http://a.example/b", true), ("page==http://a.example", false)],
        ),
        (vec![("kind", Known::vocab(json!("Diesel")))], vec![("kind==Diesel", true), ("kind==Petrol", false)]),
    ]
}

fn instants() -> Vec<(Entity, Expectations)> {
    vec![
        (
            one("at", json!("2026-01-02T03:04:05Z")),
            vec![
                ("at==2026-01-02T03:04:05Z", true),
                ("at==2026-01-02T03:04:05.000Z", true),
                ("at==2026-01-02T12:04:05+09:00", true),
                ("at==2026-01-01T22:04:05-05:00", true),
                ("at==2026-01-02T03:04:05", true),
                ("at!=2026-01-02T03:04:05.001Z", true),
                ("at>2026-01-02", true),
                ("at<2026-01-03", true),
                ("at==2026-01-02", false),
                ("at==\"2026-01-02T12:04:05+09:00\"", false),
                ("at==2026-01-01..2026-01-03", true),
                ("at!=2026-01-03..2026-01-04T00:00:00Z", true),
                ("at<\"2027\"", true),
                ("at==03:04:05Z", false),
                ("at==2025-01-01,2026-01-02T03:04:05Z", true),
            ],
        ),
        (
            one("until", json!("9999-12-31T23:59:59Z")),
            vec![("until>2026-01-02", true), ("until==9999-12-31T23:59:59.0Z", true), ("until<9999-12-31", false)],
        ),
        (
            one("day", json!("2024-02-29")),
            vec![
                ("day==2024-02-29", true),
                ("day==2024-02-29T00:00:00Z", true),
                ("day>2024-02-28T23:59:59.999Z", true),
            ],
        ),
        (
            one("opens", json!("08:30:00Z")),
            vec![
                ("opens==08:30:00Z", true),
                ("opens==10:30:00+02:00", true),
                ("opens<09:00:00Z", true),
                ("opens==08:00:00Z..09:00:00Z", true),
                ("opens==\"08:30:00Z\"", true),
                ("opens>2026-01-02", false),
            ],
        ),
    ]
}

fn combinations() -> Vec<(Entity, Expectations)> {
    let entity = [("a", 1), ("b", 2), ("c", 3)].map(|(name, value)| (name, Known::property(json!(value))));
    vec![(
        entity.to_vec(),
        vec![
            ("a==1;b==2", true),
            ("a==1;b==3", false),
            ("a==0|b==2", true),
            ("a==0|b==0", false),
            ("a==1|b==0;c==0", true),
            ("(a==1|b==0);c==0", false),
            ("a==0;b==2|c==3", true),
            ("a==0;(b==2|c==3)", false),
            ("((a==1|b==9);c==3)", true),
            ("((((((((a==1))))))))", true),
            ("a|x", true),
            ("a;x", false),
            ("a;!x", true),
            ("!x;!y|z", true),
            ("x!=1", false),
            ("x!=1|a", true),
            ("x!~=a", false),
            ("x==1..2", false),
            ("x!=1,2", false),
        ],
    )]
}

fn patterns() -> Vec<(Entity, Expectations)> {
    vec![(
        one("name", json!("Room 12")),
        vec![
            ("name~=Room", true),
            ("name~=oom", true),
            ("name~=^oom", false),
            ("name~=\"^Room [0-9]+$\"", true),
            ("name~='^Room [0-9]+$'", true),
            ("name~=\"\\\\d\\\\d$\"", true),
            ("name~=(Hall|Room);name", true),
            ("name~=Hall|name~=Room", true),
            ("name~=\"Hall|Room\"", true),
            ("(name~=Room)", true),
            ("(name~=(Hall))", false),
            ("name!~=Hall", true),
            ("name!~=Room", false),
            ("name~=room", false),
            ("name~=\"(?i)room\"", true),
            ("name~=R.*2$;name!~=3", true),
        ],
    )]
}
