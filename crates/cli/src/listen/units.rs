/// The codes of common units in UN/CEFACT's Recommendation 20, which NGSI's `unitCode` has, and the text that follows a
/// number. The monitor page has the same table.
const SYMBOLS: [(&str, &str); 40] = [
    ("2N", " dB"),
    ("59", " ppm"),
    ("61", " ppb"),
    ("A97", " hPa"),
    ("AMP", " A"),
    ("BAR", " bar"),
    ("C62", ""),
    ("CEL", " °C"),
    ("CMT", " cm"),
    ("D54", " W/m²"),
    ("DAY", " d"),
    ("DD", "°"),
    ("FAH", " °F"),
    ("GP", " mg/m³"),
    ("GQ", " µg/m³"),
    ("GRM", " g"),
    ("HM", " mph"),
    ("HTZ", " Hz"),
    ("HUR", " h"),
    ("KEL", " K"),
    ("KGM", " kg"),
    ("KMH", " km/h"),
    ("KMT", " km"),
    ("KWH", " kWh"),
    ("KWT", " kW"),
    ("LTR", " l"),
    ("LUX", " lx"),
    ("MBR", " mbar"),
    ("MIN", " min"),
    ("MMT", " mm"),
    ("MQH", " m³/h"),
    ("MTK", " m²"),
    ("MTQ", " m³"),
    ("MTR", " m"),
    ("MTS", " m/s"),
    ("P1", "%"),
    ("PAL", " Pa"),
    ("SEC", " s"),
    ("VLT", " V"),
    ("WTT", " W"),
];

/// The text after a number with this unit: a symbol, or the code itself if the table does not have it.
pub(super) fn suffix(code: &str) -> String {
    let known = SYMBOLS.iter().find(|(known, _)| *known == code);
    known.map_or_else(|| format!(" {code}"), |(_, symbol)| (*symbol).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_has_the_same_symbols() {
        let page = include_str!("../../../local/src/monitor/page/units.js");
        let rows: Vec<&str> = page.lines().filter(|line| line.starts_with("  ['")).collect();
        let expected = SYMBOLS.map(|(code, symbol)| format!("  ['{code}', '{symbol}'],"));
        assert_eq!(rows, expected);
    }

    #[test]
    fn an_unknown_code_is_shown() {
        assert_eq!((suffix("CEL").as_str(), suffix("XYZ").as_str()), (" °C", " XYZ"));
    }
}
