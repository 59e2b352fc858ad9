use anyhow::{Context, bail, ensure};
use http::Uri;

use crate::system::context_file::{ContextFile, StoredContext};
use crate::system::context_name::ContextName;
use crate::system::deployed::DeployedSystem;
use crate::system::local_ports;
use crate::system::stack_outputs::StackOutput;
use crate::terminal::shown_url;
use crate::usage_error::usage_error;

/// The variable that names the target of all commands.
const VARIABLE: &str = "ENTITY_STREAM_URL";
/// The URL of the local system, and of its DynamoDB, if nothing else is said.
const USUAL_URL: &str = "http://localhost:3000";
const USUAL_DYNAMODB_URL: &str = "http://localhost:8000";

/// The option that names the system of a command.
#[derive(Clone, Debug, Default, clap::Args)]
pub(crate) struct TargetOption {
    /// The system to work on: http://localhost:3000, the wss:// URL of a deployed stream, or the name of a context. The other
    /// options for addresses take precedence [env: ENTITY_STREAM_URL] [default: the context in use, or else the local system]
    #[arg(long, value_name = "URL|CONTEXT", help_heading = "Target")]
    target: Option<String>,
}

/// The system that a command works on.
#[derive(Clone, Debug)]
pub(crate) enum ChosenSystem {
    /// A local system.
    Local(LocalAddress),
    /// A deployed system.
    Deployed(DeployedSystem),
}

/// The place of a local system.
#[derive(Clone, Debug)]
pub(crate) struct LocalAddress {
    url: String,
    /// False for the default, which is on the usual ports.
    is_named: bool,
}

impl TargetOption {
    /// True if the command line names the system.
    pub(crate) fn is_given(&self) -> bool {
        self.target.is_some()
    }

    /// The system with this URL.
    pub(crate) fn of_url(url: &str) -> anyhow::Result<ChosenSystem> {
        of_url(url, "--url", &ContextFile::read()?)
    }

    /// The system: that of the option, of the variable, of the context in use, or else the local system.
    pub(crate) fn system(&self) -> anyhow::Result<ChosenSystem> {
        if let Some(target) = &self.target {
            return named(target, "--target").map_err(usage_error);
        }
        if let Some(target) = std::env::var(VARIABLE).ok().filter(|target| !target.is_empty()) {
            return named(&target, VARIABLE).map_err(usage_error);
        }
        let file = ContextFile::read()?;
        let Some(name) = file.in_use() else {
            return Ok(ChosenSystem::Local(LocalAddress { url: USUAL_URL.to_owned(), is_named: false }));
        };
        // A command must not reach another system than the one that was chosen.
        let context = file.get(name).with_context(|| {
            let choose = "choose another one with `entity-stream context use`";
            format!("the context in use, {name}, is not in {}; {choose}", file.shown())
        })?;
        of_context(name, context)
    }
}

/// The system that this text names. `place` is where the text stands.
fn named(text: &str, place: &str) -> anyhow::Result<ChosenSystem> {
    if text.contains("://") {
        return of_url(text, place, &ContextFile::read()?);
    }
    let example = "a URL such as http://localhost:3000 or wss://HOST/STAGE, or the name of a context";
    let Ok(name) = text.parse::<ContextName>() else {
        bail!("{place} must be {example}; found `{}`", shown_url(text));
    };
    let file = ContextFile::read()?;
    match file.get(&name) {
        Some(context) => of_context(&name, context),
        None if name.is_local() => Ok(ChosenSystem::Local(LocalAddress { url: USUAL_URL.to_owned(), is_named: true })),
        None => bail!("{place} must be {example}: {}", file.unknown(text)),
    }
}

fn of_context(name: &ContextName, context: &StoredContext) -> anyhow::Result<ChosenSystem> {
    let StoredContext { url, region, profile, outputs } = context.clone();
    let mut system = match url {
        Some(url) => match of_url(&url, &format!("the URL of the context {name}"), &ContextFile::read()?)? {
            ChosenSystem::Deployed(system) => system,
            local @ ChosenSystem::Local(_) => return Ok(local),
        },
        None => DeployedSystem { context: None, outputs, region: None, profile: None },
    };
    system.context = Some(name.clone());
    system.region = region.or(system.region);
    system.profile = profile.or(system.profile);
    Ok(ChosenSystem::Deployed(system))
}

/// The system with this URL. If a context describes the deployed system, it has the context's outputs.
fn of_url(text: &str, place: &str, file: &ContextFile) -> anyhow::Result<ChosenSystem> {
    let uri =
        text.parse::<Uri>().ok().filter(|uri| uri.host().is_some_and(|host| !host.is_empty()) && uri.query().is_none());
    let invalid = || {
        format!("{place} must be a URL such as http://localhost:3000 or wss://HOST/STAGE; found `{}`", shown_url(text))
    };
    let Some(uri) = uri else { bail!("{}", invalid()) };
    let authority = uri.authority().map(ToString::to_string).unwrap_or_default();
    ensure!(!authority.contains('@'), "{}", invalid());
    match uri.scheme_str() {
        // The local system takes a path of its stage only.
        Some("http" | "ws") => {
            ensure!(
                uri.path() == "/",
                "{place} is the URL of a local system, which has no path; found `{}`",
                shown_url(text)
            );
            Ok(ChosenSystem::Local(LocalAddress { url: format!("http://{authority}"), is_named: true }))
        }
        Some("https" | "wss") => {
            let url = format!("wss://{authority}{}", uri.path().trim_end_matches('/'));
            let same = |context: &StoredContext| {
                let outputs = [StackOutput::WebSocketUrl, StackOutput::ManagementEndpoint];
                let tail = |url: &str| url.split_once("://").map(|(_, tail)| tail.trim_end_matches('/').to_owned());
                outputs
                    .into_iter()
                    .filter_map(|output| context.outputs.get(output))
                    .any(|known| tail(known) == tail(&url))
            };
            match file.all().find(|(_, context)| same(context)) {
                Some((name, context)) => of_context(name, context),
                None => Ok(ChosenSystem::Deployed(DeployedSystem::of_url(&url))),
            }
        }
        _ => bail!("{}", invalid()),
    }
}

impl ChosenSystem {
    /// The WebSocket URL of the stream.
    pub(crate) fn stream_url(&self) -> anyhow::Result<String> {
        match self {
            Self::Local(local) => Ok(local.url.replacen("http", "ws", 1)),
            Self::Deployed(system) => system.need(StackOutput::WebSocketUrl, "--url URL").map(str::to_owned),
        }
    }

    /// The `@connections` endpoint.
    pub(crate) fn management_url(&self) -> anyhow::Result<String> {
        match self {
            Self::Local(local) => Ok(local.url.clone()),
            Self::Deployed(system) => system.need(StackOutput::ManagementEndpoint, "--api URL").map(str::to_owned),
        }
    }

    /// The system, if it is deployed.
    pub(crate) fn deployed(&self) -> Option<&DeployedSystem> {
        match self {
            Self::Local(_) => None,
            Self::Deployed(system) => Some(system),
        }
    }
}

impl LocalAddress {
    /// The URL of its main port.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// The URL of its DynamoDB. Asks the system, unless it is on the usual ports.
    pub(crate) async fn dynamodb_url(&self) -> anyhow::Result<String> {
        if self.is_named { local_ports::dynamodb_url(&self.url).await } else { Ok(USUAL_DYNAMODB_URL.to_owned()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn local(target: &str) -> String {
        match named(target, "--target").unwrap() {
            ChosenSystem::Local(local) => local.url,
            ChosenSystem::Deployed(system) => panic!("{system:?}"),
        }
    }

    fn refused(target: &str) -> String {
        named(target, "--target").unwrap_err().to_string()
    }

    #[test]
    fn a_local_system_has_several_spellings() {
        for target in ["http://localhost:3100", "http://localhost:3100/", "ws://localhost:3100"] {
            assert_eq!(local(target), "http://localhost:3100");
        }
        assert_eq!(local("http://[::1]:3100"), "http://[::1]:3100");
    }

    #[test]
    fn a_url_of_api_gateway_tells_its_region_and_its_endpoint() {
        for target in [
            "wss://a1.execute-api.eu-west-1.amazonaws.com/prod",
            "https://a1.execute-api.eu-west-1.amazonaws.com/prod/",
        ] {
            let system = named(target, "--target").unwrap();
            assert_eq!(system.stream_url().unwrap(), "wss://a1.execute-api.eu-west-1.amazonaws.com/prod");
            assert_eq!(system.management_url().unwrap(), "https://a1.execute-api.eu-west-1.amazonaws.com/prod");
            let system = system.deployed().unwrap();
            assert_eq!(system.region(), Some("eu-west-1"));
            let error = system.need(StackOutput::EventBus, "--event-bus NAME").unwrap_err().to_string();
            assert!(error.contains("does not tell the event bus; pass --event-bus NAME, or keep"), "{error}");
        }
    }

    #[test]
    fn a_mistake_is_named() {
        for target in ["ftp://x", "http://", "://", "http://a@b", "http://localhost:3000?x"] {
            assert!(refused(target).starts_with("--target must be a URL such as http://localhost:3000"), "{target}");
        }
        assert!(refused("a b").contains("or the name of a context; found `a b`"));
        assert!(refused("http://localhost:3000/x").contains("which has no path"));
    }
}
