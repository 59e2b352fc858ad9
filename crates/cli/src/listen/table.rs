//! A table of entities, as lines of text.

use std::time::Duration;

use console::{measure_text_width, truncate_str};
use entity_stream_client::Entity;
use entity_stream_protocol::EpochMillis;

use super::pretty::{attributes, entity_id};
use crate::terminal::{grouped, printable};

/// The widest id and the widest type, in columns of the terminal.
const ID_WIDTH: usize = 48;
const TYPE_WIDTH: usize = 24;
/// A narrower terminal has no column of versions, so that ages and attributes have room.
const WITH_VERSIONS: usize = 80;
/// The lines that are no entities: the titles, the number of entities that do not fit, and the state of the connection.
const OTHER_LINES: usize = 3;

/// The place for a table, in rows and columns of the terminal.
#[derive(Clone, Copy, Debug)]
pub(super) struct TableSize {
    pub(super) rows: usize,
    pub(super) columns: usize,
}

/// The entities as a table that is at most this large. The last line is the footer.
pub(super) fn table<'a>(
    entities: impl ExactSizeIterator<Item = &'a Entity>,
    footer: &str,
    now: EpochMillis,
    size: TableSize,
) -> Vec<String> {
    let (count, most) = (entities.len(), size.rows.saturating_sub(OTHER_LINES).max(1));
    let rows: Vec<_> = entities.take(most).map(|entity| row(entity, now, size.columns)).collect();
    let mut titles = vec!["ID", "TYPE", "AGE"];
    if size.columns >= WITH_VERSIONS {
        titles.insert(2, "VERSION");
    }
    let titles: Vec<_> = titles.into_iter().map(str::to_owned).collect();
    let width = |column: usize| {
        let cells = rows.iter().map(|(cells, _)| &cells[column]).chain([&titles[column]]);
        cells.map(|cell| measure_text_width(cell)).max().unwrap_or_default()
    };
    let widths: Vec<_> = (0..titles.len()).map(width).collect();
    let line = |cells: &[String], rest: &str| {
        let padded = cells.iter().zip(&widths).map(|(cell, width)| {
            let padding = " ".repeat(width.saturating_sub(measure_text_width(cell)));
            format!("{cell}{padding}")
        });
        let line = format!("{} {rest}", padded.collect::<Vec<_>>().join("  "));
        truncate_str(line.trim_end(), size.columns, "…").into_owned()
    };
    let mut lines = vec![line(&titles, " ATTRIBUTES")];
    lines.extend(rows.iter().map(|(cells, attributes)| line(cells, attributes)));
    if count > most {
        lines.push(format!("… and {} more", grouped((count - most) as u64)));
    }
    lines.push(truncate_str(&printable(footer), size.columns, "…").into_owned());
    lines
}

fn row(entity: &Entity, now: EpochMillis, columns: usize) -> (Vec<String>, String) {
    let cell = |text: &str, width| truncate_str(&printable(text), width, "…").into_owned();
    let age = EpochMillis::from_rfc3339(entity.timestamp()).map_or_else(|| "-".to_owned(), |time| age(now.since(time)));
    let is_wide = columns >= WITH_VERSIONS;
    let (id_width, type_width) = if is_wide { (columns / 2, columns / 4) } else { (columns / 3, columns / 6) };
    let id = cell(&entity_id(entity), ID_WIDTH.min(id_width));
    let mut cells = vec![id, cell(&entity.types().display(), TYPE_WIDTH.min(type_width)), age];
    if is_wide {
        cells.insert(2, entity.version().map_or_else(|| "-".to_owned(), |version| version.to_string()));
    }
    (cells, attributes(entity))
}

/// A time in its largest unit.
fn age(time: Duration) -> String {
    let seconds = time.as_secs();
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3_600 => format!("{} min", seconds / 60),
        3_600..172_800 => format!("{} h", seconds / 3_600),
        _ => format!("{} d", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use entity_stream_protocol::ServerMessage;

    use super::*;

    #[test]
    fn an_age_has_one_unit() {
        for (seconds, expected) in [
            (0, "0 s"),
            (59, "59 s"),
            (60, "1 min"),
            (3_599, "59 min"),
            (3_600, "1 h"),
            (172_799, "47 h"),
            (172_800, "2 d"),
        ] {
            assert_eq!(age(Duration::from_secs(seconds)), expected);
        }
    }

    fn entity(id: &str, data: &str, timestamp: &str) -> Entity {
        let frame = format!(
            r#"{{"type":"entitySnapshot","id":"1","tenant":"t","servicePath":"/","entityId":"{id}","entityType":["Room","Place"],
            "data":{data},"timestamp":"{timestamp}","version":1795212000999}}"#
        );
        Entity::of(ServerMessage::parse(&frame).unwrap().event().unwrap())
    }

    fn plain(lines: &[String]) -> Vec<String> {
        lines.iter().map(|line| anstream::adapter::strip_str(line).to_string()).collect()
    }

    #[test]
    fn each_entity_is_a_row_that_fits() {
        let entities = [
            entity(
                "urn:1",
                r#"{"temperature":{"type":"Property","value":21.5,"unitCode":"CEL"},"co2":412}"#,
                "2026-01-02T03:04:05Z",
            ),
            entity("会議室", r#"{"name":"\u001b[2J"}"#, "noon"),
        ];
        let now = EpochMillis::from_rfc3339("2026-01-02T03:06:06Z").unwrap();
        let draw = |rows, columns| plain(&table(entities.iter(), "2 entities", now, TableSize { rows, columns }));
        assert_eq!(
            draw(24, 100),
            [
                "ID      TYPE         VERSION        AGE    ATTRIBUTES",
                "urn:1   Room, Place  1795212000999  2 min  temperature=21.5 °C co2=412",
                r#"会議室  Room, Place  1795212000999  -      name="\u001b[2J""#,
                "2 entities",
            ]
        );
        for columns in [20, 50, 61, 62, 63, 100] {
            for line in draw(24, columns) {
                assert!(measure_text_width(&line) <= columns, "{line:?}");
            }
        }
        assert_eq!(draw(24, 40)[1], "urn:1   Room,…  2 min  temperature=21.5…");
        assert_eq!(draw(4, 100)[2..], ["… and 1 more", "2 entities"]);
        assert_eq!(draw(0, 100).len(), 4, "one entity at least");
    }

    #[test]
    fn a_narrow_table_has_ages_and_attributes() {
        let entities = [entity("urn:ngsi-ld:Vehicle:001", r#"{"speed":50}"#, "2026-01-02T03:04:05Z")];
        let now = EpochMillis::from_rfc3339("2026-01-02T03:05:00Z").unwrap();
        let lines = plain(&table(entities.iter(), "1 entity", now, TableSize { rows: 24, columns: 40 }));
        assert_eq!(lines[1], "urn:ngsi-ld:…  Room,…  55 s  speed=50");
    }

    #[test]
    fn entities_of_two_paths_differ() {
        let frame = r#"{"type":"entitySnapshot","id":"1","tenant":"t","servicePath":"/madrid","entityId":"urn:1",
            "entityType":"Room","data":{},"timestamp":"noon","version":7,"partial":true,"state":"unavailable"}"#;
        let entities = [Entity::of(ServerMessage::parse(frame).unwrap().event().unwrap())];
        let size = TableSize { rows: 24, columns: 80 };
        let lines = plain(&table(entities.iter(), "1 entity", EpochMillis::new(0), size));
        assert_eq!(lines[1], "urn:1 /madrid  Room  7        -    (partial)");
    }

    #[test]
    fn without_entities_there_are_titles_and_a_footer() {
        let size = TableSize { rows: 24, columns: 30 };
        let lines =
            table(std::iter::empty(), "no entities\u{1b}[2J of demo at ws://localhost", EpochMillis::new(0), size);
        assert_eq!(lines, ["ID  TYPE  AGE  ATTRIBUTES", "no entities\u{fffd}[2J of demo at ws…"]);
    }
}
