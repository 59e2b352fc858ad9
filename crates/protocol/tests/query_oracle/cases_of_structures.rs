//! Queries on values with parts, and on paths to them, with the result that the text of the specification gives.

use serde_json::json;

use crate::forms::{Entity, Expectations, Known, one};

pub(crate) fn compound() -> Vec<(Entity, Expectations)> {
    let name = || vec![("name", Known::language(json!({ "en": "Kyoto", "ja": "京都" })))];
    let place = json!({ "type": "Point", "coordinates": [135.76, 35.01] });
    vec![
        (
            one("tags", json!(["a", 5, true, "2026-01-02"])),
            vec![
                ("tags==a", true),
                ("tags==b", false),
                ("tags!=a", false),
                ("tags!=b", true),
                ("tags==5", true),
                ("tags==\"5\"", false),
                ("tags==true", true),
                ("tags==4..6", true),
                ("tags!=4..6", false),
                ("tags==2026-01-02", true),
                ("tags==x,a", true),
                ("tags!=x,a", false),
                ("tags>4", false),
                ("tags<6", false),
                ("tags~=a", false),
                ("tags!~=z", false),
                ("tags", true),
            ],
        ),
        (one("tags", json!([])), vec![("tags==a", false), ("tags!=a", true), ("tags", true), ("!tags", false)]),
        (one("tags", json!([["a"]])), vec![("tags==a", false), ("tags!=a", true)]),
        (
            one("address", json!({ "city": "Kyoto", "geo": { "zone": 5 }, "a.b": 1, "tags": ["x", "y"] })),
            vec![
                ("address[city]==\"Kyoto\"", true),
                ("address[city]!=\"Kyoto\"", false),
                ("address[city]!=Osaka", true),
                ("address[geo.zone]==5", true),
                ("address[geo.zone]<5", false),
                ("address[geo.none]!=5", false),
                ("address[street]==x", false),
                ("address[street]!=x", false),
                ("!address[street]", true),
                ("address[city]", true),
                ("address[city.x]", false),
                ("address['a.b']==1", true),
                ("address[tags]==y", true),
                ("address==Kyoto", false),
                ("address!=Kyoto", true),
                ("address>1", false),
                ("address.city==Kyoto", false),
            ],
        ),
        (one("flat", json!("x")), vec![("flat[city]==x", false), ("flat[city]!=x", false), ("!flat[city]", true)]),
        (
            name(),
            vec![
                ("name[en]==Kyoto", true),
                ("name[ja]==\"京都\"", true),
                ("name[de]==Kyoto", false),
                ("name[*]==\"京都\"", true),
                ("name[*]==Osaka", false),
                ("name[*]~=yo", true),
                ("name[*]!=Osaka", true),
                ("name[*]!=Kyoto", false),
                ("name[*]!~=yo", false),
                ("name[*]!~=Osaka", true),
                ("name==Kyoto", true),
                ("name==\"京都\",Osaka", true),
                ("name!=Kyoto", false),
                ("name!=Osaka", true),
                ("name~=^K", true),
                ("name", true),
            ],
        ),
        (
            vec![("name", Known::language(json!({ "en": ["red", "cat"], "de": ["rot", "Katze"] })))],
            vec![("name[en]==cat", true), ("name[*]==Katze", true), ("name[*]!=rot", false), ("name[*]!=noir", true)],
        ),
        (
            vec![("sizes", Known::list(json!([1, "x"])))],
            vec![("sizes==1", true), ("sizes==x", true), ("sizes!=x", false), ("sizes!=2", true), ("sizes>0", false)],
        ),
        (
            vec![("parts", Known::relationships(json!(["urn:a", "urn:b"])))],
            vec![("parts==urn:b", true), ("parts!=urn:b", false), ("parts==urn:c", false), ("parts", true)],
        ),
        (
            vec![("owner", Known::relationship(json!(["urn:a", "urn:b"])))],
            vec![("owner==urn:b", true), ("owner!=urn:a", false), ("owner==urn:c,urn:a", true)],
        ),
        (
            one("address", json!({ "a": 1, "b": 2 })),
            vec![("address[*]==2", true), ("address[*]!=2", false), ("address[*]>1", true)],
        ),
        (one("address", json!({})), vec![("address[*]", false), ("address[*]!=2", false), ("!address[*]", true)]),
        (vec![("doc", Known::json(json!({ "a": { "b": 2 } })))], vec![("doc[a.b]==2", true), ("doc[a]==2", false)]),
        (vec![("location", Known::geo(place))], vec![("location[type]==Point", true), ("location", true)]),
        (
            vec![("t", Known::property(json!(1)).and(Known::property(json!(9))))],
            vec![("t==1", true), ("t==9", true), ("t==5", false), ("t>5", true), ("t!=1", true), ("!t", false)],
        ),
    ]
}

pub(crate) fn paths() -> Vec<(Entity, Expectations)> {
    let accuracy = || Known::property(json!(0.9)).with("by", Known::relationship(json!("urn:a")));
    vec![
        (
            vec![(
                "temperature",
                Known::property(json!(25))
                    .with("accuracy", Known::property(json!(0.9)))
                    .with("detail", Known::property(json!({ "a": { "b": "x" } })))
                    .fact("observedAt", "2017-12-24T12:00:00Z")
                    .fact("unitCode", "CEL"),
            )],
            vec![
                ("temperature==25", true),
                ("temperature.accuracy==0.9", true),
                ("temperature.accuracy>0.95", false),
                ("temperature.accuracy", true),
                ("temperature.none", false),
                ("!temperature.none", true),
                ("temperature.none!=1", false),
                ("temperature.observedAt>=2017-12-24T12:00:00Z", true),
                ("temperature.observedAt>2017-12-24T12:00:00Z", false),
                ("temperature.observedAt<=2017-12-24T14:00:00+02:00", true),
                ("temperature.unitCode==CEL", true),
                ("temperature.unitCode!=FAH", true),
                ("temperature.detail[a.b]==x", true),
                ("'temperature'.'accuracy'==0.9", true),
                ("temperature[accuracy]==0.9", false),
            ],
        ),
        (
            vec![("temperature", Known::property(json!(25)).with("accuracy", accuracy()))],
            vec![("temperature.accuracy.by==urn:a", true), ("temperature.accuracy.by==urn:b", false)],
        ),
        (
            one("a.b", json!(1)),
            vec![("'a.b'==1", true), ("a.b==1", false), ("!a.b", true), ("!'a.b'", false), ("'a.b'.w", false)],
        ),
        (
            vec![("a.b", Known::property(json!(1)).with("w", Known::property(json!(2))))],
            vec![("'a.b'.w==2", true), ("'a.b'.w!=2", false)],
        ),
        (one("schema:name", json!("5")), vec![("'schema:name'==\"5\"", true), ("'schema:name'==5", false)]),
        (one("温度", json!(7)), vec![("温度==7", true), ("'温度'>6", true), ("温>6", false)]),
        (one("true", json!(1)), vec![("true==1", true), ("true", true)]),
        (
            one("https://uri.etsi.org/ngsi-ld/default-context/speed", json!(7)),
            vec![("'https://uri.etsi.org/ngsi-ld/default-context/speed'==7", true), ("speed==7", false)],
        ),
    ]
}
