use std::time::Duration;

use anstyle::{AnsiColor, Style};
use entity_stream_protocol::Tenant;
use serde::Serialize;

use crate::terminal::{self, printable};

const GOOD: Style = AnsiColor::Green.on_default().bold();
const DOUBTFUL: Style = AnsiColor::Yellow.on_default().bold();
const BAD: Style = AnsiColor::Red.on_default().bold();
const SKIPPED: Style = Style::new().dimmed();

/// The form in which a diagnosis is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum DiagnosisOutput {
    /// A line for each check as it ends, for people
    Text,
    /// One JSON object at the end, for programs
    Json,
}

/// The checks, in their order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Check {
    /// The host has an address.
    Name,
    /// The address accepts connections.
    Reachable,
    /// The certificate is valid.
    Tls,
    /// The WebSocket opens.
    Handshake,
    /// The server accepts the credential.
    Credential,
    /// The filter is in force.
    Subscribe,
    /// The server answers a ping, with its id.
    Ping,
    /// The bus accepts a change.
    Publish,
    /// The change arrives.
    Delivery,
    /// A client that comes back receives the change that it missed.
    Resume,
    /// The server knows the entity of a change as a whole.
    State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum CheckVerdict {
    Passed,
    Warning,
    Failed,
    Skipped,
}

/// The result of one check.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Finding {
    check: Check,
    verdict: CheckVerdict,
    detail: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    advice: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    milliseconds: Option<u64>,
}

impl Finding {
    fn new(check: Check, verdict: CheckVerdict, detail: impl Into<String>) -> Self {
        let detail = printable(&detail.into()).into_owned();
        Self { check, verdict, detail, advice: None, milliseconds: None }
    }

    pub(super) fn passed(check: Check, detail: impl Into<String>) -> Self {
        Self::new(check, CheckVerdict::Passed, detail)
    }

    pub(super) fn warning(check: Check, detail: impl Into<String>) -> Self {
        Self::new(check, CheckVerdict::Warning, detail)
    }

    pub(super) fn failed(check: Check, detail: impl Into<String>) -> Self {
        Self::new(check, CheckVerdict::Failed, detail)
    }

    pub(super) fn skipped(check: Check, detail: impl Into<String>) -> Self {
        Self::new(check, CheckVerdict::Skipped, detail)
    }

    /// Adds the remedy.
    pub(super) fn advise(mut self, advice: impl Into<String>) -> Self {
        // A part can be a server's text.
        self.advice = Some(printable(&advice.into()).into_owned());
        self
    }

    /// Adds the duration.
    pub(super) fn took(mut self, time: Duration) -> Self {
        self.milliseconds = Some(u64::try_from(time.as_millis()).unwrap_or(u64::MAX));
        self
    }

    fn line(&self) -> String {
        let (style, mark) = match self.verdict {
            CheckVerdict::Passed => (GOOD, '✓'),
            CheckVerdict::Warning => (DOUBTFUL, '!'),
            CheckVerdict::Failed => (BAD, '✗'),
            CheckVerdict::Skipped => (SKIPPED, '-'),
        };
        let name = match self.check {
            Check::Name => "name",
            Check::Reachable => "reachable",
            Check::Tls => "TLS",
            Check::Handshake => "handshake",
            Check::Credential => "credential",
            Check::Subscribe => "subscribe",
            Check::Ping => "ping",
            Check::Publish => "publish",
            Check::Delivery => "delivery",
            Check::Resume => "resume",
            Check::State => "entity state",
        };
        let time = self.milliseconds.map(|time| format!(" {SKIPPED}({time} ms){SKIPPED:#}")).unwrap_or_default();
        let advice = self.advice.as_ref().map(|advice| format!("\n               → {advice}")).unwrap_or_default();
        format!("{style}{mark}{style:#} {name:<12} {}{time}{advice}", self.detail)
    }
}

#[derive(Debug, Serialize)]
struct TenantFindings {
    tenant: String,
    steps: Vec<Finding>,
}

/// The findings, tenant by tenant.
#[derive(Debug)]
pub(crate) struct Diagnosis {
    output: DiagnosisOutput,
    tenants: Vec<TenantFindings>,
    /// The first failure of standard output. The checks go on, because the exit code is their result too.
    printed: anyhow::Result<()>,
}

impl Diagnosis {
    pub(crate) fn new(output: DiagnosisOutput) -> Self {
        Self { output, tenants: Vec::new(), printed: Ok(()) }
    }

    /// Begins the findings of this tenant.
    pub(crate) fn begin(&mut self, tenant: &Tenant, url: &str) {
        self.tenants.push(TenantFindings { tenant: tenant.to_string(), steps: Vec::new() });
        self.print(format!("{tenant} at {}", printable(url)));
    }

    /// Prints a line for people.
    fn print(&mut self, line: String) {
        if self.output == DiagnosisOutput::Text && self.printed.is_ok() {
            self.printed = terminal::line(line);
        }
    }

    /// Adds a finding, and prints it.
    pub(super) fn add(&mut self, finding: Finding) {
        self.print(finding.line());
        if let Some(tenant) = self.tenants.last_mut() {
            tenant.steps.push(finding);
        }
    }

    /// Prints the end. It fails if a check failed.
    pub(crate) fn end(mut self) -> anyhow::Result<()> {
        let count = |verdict| {
            self.tenants.iter().flat_map(|tenant| &tenant.steps).filter(|step| step.verdict == verdict).count()
        };
        let failed = count(CheckVerdict::Failed);
        let skipped = count(CheckVerdict::Skipped);
        match self.output {
            DiagnosisOutput::Json => {
                let report = serde_json::json!({ "ok": failed == 0, "tenants": self.tenants });
                self.printed = terminal::raw_line(&report.to_string());
            }
            DiagnosisOutput::Text if failed > 0 => {}
            DiagnosisOutput::Text if skipped > 0 => self.print("all checks passed; some were skipped".to_owned()),
            DiagnosisOutput::Text => self.print("all checks passed".to_owned()),
        }
        let all = self.tenants.iter().map(|tenant| tenant.steps.len()).sum::<usize>() as u64;
        anyhow::ensure!(failed == 0, "{failed} of {} failed", terminal::counted(all, "check"));
        self.printed
    }
}
