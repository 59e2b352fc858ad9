use std::fmt::Write;

use anstyle::{AnsiColor, Style};
use entity_stream_local::{Config, Local, TABLE};
use entity_stream_protocol::Tenant;

use crate::terminal;

const TITLE: Style = AnsiColor::Green.on_default().bold();
const URL: Style = AnsiColor::Cyan.on_default();
/// Where `listen` looks unless told otherwise.
const USUAL_URL: &str = "ws://localhost:3000";

/// What the local system says when it has started.
#[derive(Debug)]
pub(crate) struct Banner {
    stage: String,
    tenant: String,
    simulated: bool,
    remarks: Vec<&'static str>,
}

impl Banner {
    pub(crate) fn new(config: &Config, simulated: Option<&Tenant>) -> Self {
        let mut remarks = Vec::new();
        if !config.event_streaming_enabled {
            remarks.push("EVENT_STREAMING_ENABLED=false: connections are refused with 503, and events are dropped.");
        }
        if config.auth_enabled {
            remarks.push("AUTH_ENABLED=true: a connection needs a token.");
        }
        Self {
            stage: config.stage.clone(),
            tenant: simulated.map_or_else(|| "demo".to_owned(), Tenant::to_string),
            simulated: simulated.is_some(),
            remarks,
        }
    }

    /// Writes it to standard output. A start script may read the URLs there, and may have stopped reading.
    pub(crate) fn show(&self, local: &Local) {
        let _ = terminal::line(self.text(&local.websocket_url(), &local.http_url(), &local.dynamodb_url()));
    }

    fn text(&self, websocket: &str, http: &str, dynamodb: &str) -> String {
        let mut text = format!("\n  {TITLE}Entity Stream{TITLE:#} is running on this machine\n\n");
        let mut row = |what: &str, url: &str, remark: &str| {
            let _ = writeln!(text, "  {what:<14}{URL}{url}{URL:#}{remark}");
        };
        row("WebSocket", &format!("{websocket}?tenant={}", self.tenant), "");
        row("@connections", &format!("{http}/{}", self.stage), "");
        row("Event bus", http, "  (PutEvents)");
        row("DynamoDB", dynamodb, &format!("  (table {TABLE})"));
        text.push('\n');
        for remark in &self.remarks {
            let _ = writeln!(text, "  {remark}");
        }
        if self.simulated {
            let _ = writeln!(text, "  Simulated changes are being published to the tenant {}.", self.tenant);
        }
        let url = if websocket == USUAL_URL { String::new() } else { format!(" --url {websocket}") };
        let _ = writeln!(text, "  Try: {} listen {}{url}      (Ctrl-C stops the system)", program(), self.tenant);
        text
    }
}

/// This program as it was called, so that the line to try works from the same place.
fn program() -> String {
    let called = std::env::args_os().next().map(|name| name.to_string_lossy().into_owned());
    called.filter(|name| !name.is_empty()).unwrap_or_else(|| "entity-stream".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(config: &Config, tenant: Option<&str>, websocket: &str) -> String {
        let tenant = tenant.map(|tenant| Tenant::parse(tenant).unwrap());
        let text = Banner::new(config, tenant.as_ref()).text(websocket, "http://localhost:3000", "http://x:8000");
        anstream::adapter::strip_str(&text).to_string()
    }

    #[test]
    fn says_where_everything_is_and_what_to_try() {
        let usual = text(&Config::default(), None, USUAL_URL);
        for part in
            ["ws://localhost:3000?tenant=demo", "http://localhost:3000/local\n", "http://x:8000", " listen demo  "]
        {
            assert!(usual.contains(part), "{usual}");
        }
        let other = text(&Config::default(), Some("City"), "ws://localhost:3100");
        assert!(other.contains(" listen city --url ws://localhost:3100"), "{other}");
        assert!(other.contains("published to the tenant city"), "{other}");
        let off = Config { event_streaming_enabled: false, ..Config::default() };
        assert!(text(&off, None, USUAL_URL).contains("503"));
    }
}
