use std::fmt::Write;

use anstyle::{AnsiColor, Style};
use entity_stream_local::{API_KEYS_TABLE, CONNECTIONS_TABLE, Config, HISTORY_TABLE, Local};
use entity_stream_protocol::Tenant;
use entity_stream_runtime::environment::HISTORY_MINUTES;

use crate::commands::invitation::Invitation;
use crate::terminal;

const TITLE: Style = AnsiColor::Green.on_default().bold();
const URL: Style = AnsiColor::Cyan.on_default();
/// The default URL of `listen`.
const USUAL_URL: &str = "ws://localhost:3000";

/// The text that the local system prints after its start.
#[derive(Debug)]
pub(crate) struct Banner {
    stage: String,
    tenant: Tenant,
    simulated: bool,
    keeps_history: bool,
    remarks: Vec<&'static str>,
    invitation: Option<Invitation>,
}

impl Banner {
    pub(crate) fn new(config: &Config, tenant: &Tenant, simulated: bool, invitation: Option<Invitation>) -> Self {
        let mut remarks = Vec::new();
        if !config.event_streaming_enabled {
            remarks.push("EVENT_STREAMING_ENABLED=false: the system refuses connections and drops events.");
        }
        let invitation = invitation.or_else(|| config.auth_enabled.then(Invitation::without_token));
        let keeps_history = config.environment.optional(HISTORY_MINUTES).as_deref() != Some("0");
        Self { stage: config.stage.clone(), tenant: tenant.clone(), simulated, keeps_history, remarks, invitation }
    }

    /// Writes the banner to standard output. A script may read the URLs there, and may have closed the pipe since.
    pub(crate) fn show(&self, local: &Local) {
        let _ = terminal::line(self.text(&local.websocket_url(), &local.http_url(), &local.dynamodb_url()));
    }

    fn text(&self, websocket: &str, http: &str, dynamodb: &str) -> String {
        let mut text = format!("\n  {TITLE}Entity Stream{TITLE:#} is running on this machine\n\n");
        let mut row = |what: &str, url: &str, remark: &str| {
            let _ = writeln!(text, "  {what:<14}{URL}{url}{URL:#}{remark}");
        };
        row("Monitor", &format!("{http}/"), "");
        row("WebSocket", &format!("{websocket}?tenant={}", self.tenant), "");
        row("@connections", &format!("{http}/{}", self.stage), "");
        row("Event bus", http, "  (PutEvents)");
        let history = if self.keeps_history { format!(", {HISTORY_TABLE}") } else { String::new() };
        row("DynamoDB", dynamodb, &format!("  (tables {CONNECTIONS_TABLE}, {API_KEYS_TABLE}{history})"));
        text.push('\n');
        for remark in &self.remarks {
            let _ = writeln!(text, "  {remark}");
        }
        if self.simulated {
            let _ = writeln!(text, "  The simulation publishes changes of the tenant {}.", self.tenant);
        }
        let url = if websocket == USUAL_URL { String::new() } else { format!(" --url {websocket}") };
        let try_it = format!("{} listen {}{url}", program(), self.tenant);
        let _ = match &self.invitation {
            Some(invitation) => text.write_str(&invitation.text(&program(), &self.tenant, &try_it)),
            None => writeln!(text, "  Try: {try_it}      (Ctrl-C stops the system)"),
        };
        text
    }
}

/// The program as it was called, so that the suggested command works in the same folder.
fn program() -> String {
    let called = std::env::args_os().next().map(|name| name.to_string_lossy().into_owned());
    called.filter(|name| !name.is_empty()).unwrap_or_else(|| "entity-stream".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(config: &Config, tenant: Option<&str>, websocket: &str) -> String {
        let banner = Banner::new(config, &Tenant::parse(tenant.unwrap_or("demo")).unwrap(), tenant.is_some(), None);
        let text = banner.text(websocket, "http://localhost:3000", "http://x:8000");
        anstream::adapter::strip_str(&text).to_string()
    }

    #[test]
    fn the_banner_has_all_urls_and_a_command_to_try() {
        let usual = text(&Config::default(), None, USUAL_URL);
        for part in [
            "http://localhost:3000/\n",
            "ws://localhost:3000?tenant=demo",
            "http://localhost:3000/local\n",
            "http://x:8000",
            " listen demo  ",
        ] {
            assert!(usual.contains(part), "{usual}");
        }
        let other = text(&Config::default(), Some("City"), "ws://localhost:3100");
        assert!(other.contains(" listen city --url ws://localhost:3100"), "{other}");
        assert!(other.contains("changes of the tenant city"), "{other}");
        let off = Config { event_streaming_enabled: false, ..Config::default() };
        assert!(text(&off, None, USUAL_URL).contains("refuses connections"));
        let guarded = text(&Config { auth_enabled: true, ..Config::default() }, None, USUAL_URL);
        let with_token = guarded.lines().find(|line| line.contains(" listen demo")).unwrap();
        assert!(with_token.contains("Connections require a token. Try: ENTITY_STREAM_TOKEN=... "), "{guarded}");
    }
}
