use serde_json::{Number, Value, json};

/// The forms of the option.
const EXPECTED: &str = "expected near:LONGITUDE,LATITUDE,METRES such as near:139.7,35.6,2000, or an object with georel, geometry and \
                        coordinates";

/// Reads a geo-query: its JSON object, or the short form of the most frequent one. The numbers are checked with the rest of
/// the filter.
pub(super) fn geo_q(text: &str) -> Result<Value, String> {
    let Some(place) = text.strip_prefix("near:") else {
        let value: Value = serde_json::from_str(text).map_err(|_| EXPECTED.to_owned())?;
        return if value.is_object() { Ok(value) } else { Err(EXPECTED.to_owned()) };
    };
    let parts: Vec<&str> = place.split(',').map(str::trim).collect();
    let [longitude, latitude, metres] = parts[..] else { return Err(EXPECTED.to_owned()) };
    let number = |text: &str| text.parse::<Number>().map_err(|_| EXPECTED.to_owned());
    Ok(json!({
        "georel": format!("near;maxDistance=={metres}"),
        "geometry": "Point",
        "coordinates": [number(longitude)?, number(latitude)?],
    }))
}

#[cfg(test)]
mod tests {
    use entity_stream_protocol::GeoQuery;

    use super::*;

    #[test]
    fn a_place_has_a_short_form() {
        let long = r#"{"georel":"near;maxDistance==2000","geometry":"Point","coordinates":[139.7,-35.6],"geoproperty":"place"}"#;
        let short = geo_q("near:139.7, -35.6, 2000").unwrap();
        assert_eq!(geo_q(&long.replace(r#","geoproperty":"place""#, "")).unwrap(), short);
        assert!(GeoQuery::parse(&short).is_ok());
        assert_eq!(GeoQuery::parse(&geo_q(long).unwrap()).unwrap().geoproperty(), "place");
    }

    #[test]
    fn other_texts_are_explained() {
        for text in ["", "near", "near:1,2", "near:1,2,3,4", "near:a,2,3", "near:inf,2,3", "[1]", "{", "within:1,2,3"] {
            assert_eq!(geo_q(text).unwrap_err(), EXPECTED, "{text}");
        }
        for text in ["near:200,0,5", "near:0,0,far", "near:0,0,-1", "near:0,0,", "{}"] {
            assert!(GeoQuery::parse(&geo_q(text).unwrap()).is_err(), "{text}");
        }
    }
}
