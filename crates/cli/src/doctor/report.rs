use std::time::Duration;

use anstyle::{AnsiColor, Style};
use entity_stream_protocol::Tenant;
use serde::Serialize;

use crate::terminal::{self, printable};

const GOOD: Style = AnsiColor::Green.on_default().bold();
const DOUBTFUL: Style = AnsiColor::Yellow.on_default().bold();
const BAD: Style = AnsiColor::Red.on_default().bold();
const SKIPPED: Style = Style::new().dimmed();

/// How a report is printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Output {
    /// A line for each step as it is taken, for people
    Text,
    /// One JSON object at the end, for programs
    Json,
}

/// What is checked, in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Check {
    /// The host has an address.
    Name,
    /// Somebody answers there.
    Reachable,
    /// The certificate is good.
    Tls,
    /// The WebSocket opens.
    Handshake,
    /// We may listen.
    Credential,
    /// The filter is in force.
    Subscribe,
    /// The bus takes a change.
    Publish,
    /// The change arrives.
    Delivery,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Verdict {
    Passed,
    Warning,
    Failed,
    Skipped,
}

/// One step, and what came of it.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Step {
    check: Check,
    verdict: Verdict,
    detail: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    advice: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    milliseconds: Option<u64>,
}

impl Step {
    fn new(check: Check, verdict: Verdict, detail: impl Into<String>) -> Self {
        let detail = printable(&detail.into()).into_owned();
        Self { check, verdict, detail, advice: None, milliseconds: None }
    }

    pub(super) fn passed(check: Check, detail: impl Into<String>) -> Self {
        Self::new(check, Verdict::Passed, detail)
    }

    pub(super) fn warning(check: Check, detail: impl Into<String>) -> Self {
        Self::new(check, Verdict::Warning, detail)
    }

    pub(super) fn failed(check: Check, detail: impl Into<String>) -> Self {
        Self::new(check, Verdict::Failed, detail)
    }

    pub(super) fn skipped(check: Check, detail: impl Into<String>) -> Self {
        Self::new(check, Verdict::Skipped, detail)
    }

    /// What to do about it.
    pub(super) fn advise(mut self, advice: impl Into<String>) -> Self {
        self.advice = Some(advice.into());
        self
    }

    /// How long it took.
    pub(super) fn took(mut self, time: Duration) -> Self {
        self.milliseconds = Some(u64::try_from(time.as_millis()).unwrap_or(u64::MAX));
        self
    }

    fn line(&self) -> String {
        let (style, mark) = match self.verdict {
            Verdict::Passed => (GOOD, '✓'),
            Verdict::Warning => (DOUBTFUL, '!'),
            Verdict::Failed => (BAD, '✗'),
            Verdict::Skipped => (SKIPPED, '-'),
        };
        let name = match self.check {
            Check::Name => "name",
            Check::Reachable => "reachable",
            Check::Tls => "TLS",
            Check::Handshake => "handshake",
            Check::Credential => "credential",
            Check::Subscribe => "subscribe",
            Check::Publish => "publish",
            Check::Delivery => "delivery",
        };
        let time = self.milliseconds.map(|time| format!(" {SKIPPED}({time} ms){SKIPPED:#}")).unwrap_or_default();
        let advice = self.advice.as_ref().map(|advice| format!("\n               → {advice}")).unwrap_or_default();
        format!("{style}{mark}{style:#} {name:<12} {}{time}{advice}", self.detail)
    }
}

#[derive(Debug, Serialize)]
struct OfTenant {
    tenant: String,
    steps: Vec<Step>,
}

/// What was found, tenant by tenant.
#[derive(Debug)]
pub(crate) struct Report {
    output: Output,
    tenants: Vec<OfTenant>,
}

impl Report {
    pub(crate) fn new(output: Output) -> Self {
        Self { output, tenants: Vec::new() }
    }

    /// What follows is about this tenant.
    pub(crate) fn begin(&mut self, tenant: &Tenant, place: &str) -> anyhow::Result<()> {
        self.tenants.push(OfTenant { tenant: tenant.to_string(), steps: Vec::new() });
        match self.output {
            Output::Text => terminal::line(format!("{tenant} at {}", printable(place))),
            Output::Json => Ok(()),
        }
    }

    /// One more step.
    pub(super) fn add(&mut self, step: Step) -> anyhow::Result<()> {
        if self.output == Output::Text {
            terminal::line(step.line())?;
        }
        if let Some(tenant) = self.tenants.last_mut() {
            tenant.steps.push(step);
        }
        Ok(())
    }

    /// Ends the report, and fails if a step has.
    pub(crate) fn end(self) -> anyhow::Result<()> {
        let count = |verdict| {
            self.tenants.iter().flat_map(|tenant| &tenant.steps).filter(|step| step.verdict == verdict).count()
        };
        let failed = count(Verdict::Failed);
        match self.output {
            Output::Json => {
                let report = serde_json::json!({ "ok": failed == 0, "tenants": self.tenants });
                terminal::raw_line(&report.to_string())?;
            }
            Output::Text if failed == 0 && count(Verdict::Skipped) == 0 => terminal::line("everything works")?,
            Output::Text if failed == 0 => terminal::line("everything that was checked works")?,
            Output::Text => {}
        }
        let all = self.tenants.iter().map(|tenant| tenant.steps.len()).sum::<usize>() as u64;
        anyhow::ensure!(failed == 0, "{failed} of {} failed", terminal::counted(all, "check"));
        Ok(())
    }
}
