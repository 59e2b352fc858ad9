use std::collections::BTreeSet;
use std::io::{IsTerminal, Read};

use anyhow::{Context, bail, ensure};
use entity_stream_auth::{Refusal, Role, Unverified, Verified};
use entity_stream_protocol::{EpochMillis, Tenant};
use entity_stream_runtime::Environment;

use crate::credential::Token;
use crate::terminal;
use crate::token::{ClaimNames, Judge, SecretSource, explain, is_bound, listed, reason};

/// The longest input that is read as a token, in bytes.
const TOKEN_BYTES: u64 = 64 * 1024;

/// Explains a token. Fails if the functions would refuse it for one of these tenants, or of its own tenants if none is
/// given.
pub(super) async fn run(
    token: &Token,
    tenants: &[Tenant],
    source: &SecretSource,
    environment: &Environment,
    now: EpochMillis,
) -> anyhow::Result<()> {
    let token = given(token)?;
    let Some(said) = Unverified::read(&token) else {
        bail!("this is not a token: expected three parts of URL-safe base64 with dots between them, without `Bearer`");
    };
    let names = ClaimNames::of(environment)?;
    let own = said.tenants(names.paths());
    let is_publisher = said.role(names.paths()) == Some(Role::Publisher);
    let judge = Judge::new(environment, source).await?;
    // The verdict is the exit code, also for a reader that takes a part of the text.
    let mut printed = terminal::line(explain(&said, &names, now));
    let mut condition = "";
    if !judge.checks_signatures() {
        let unchecked = "The signature was not checked: set JWT_SECRET, JWT_SECRET_ARN or JWT_JWKS_URL to check it.";
        printed = printed.and(terminal::line(unchecked));
        condition = ", if its signature is valid";
    }
    let mut refusals = BTreeSet::new();
    for tenant in asked(tenants, &own)? {
        match judge.admit(&token, &tenant, now).await {
            Ok(Verified { identity, binding }) => {
                let all = tenants.is_empty() && identity.role == Role::SuperAdmin;
                let condition = match binding {
                    Some(_) => format!("{condition}, if the client proves that it has the key (DPoP)"),
                    None => condition.to_owned(),
                };
                let scope = if all { "every tenant".to_owned() } else { format!("the tenant {tenant}") };
                let accepted = format!("The functions would accept it for {scope}{condition}.");
                printed = printed.and(terminal::line(accepted));
            }
            // The verdict is about listening. A publisher's token is for notifications.
            Err(Refusal::Tenant) if is_publisher && own.contains(&tenant) && is_bound(&said) => {
                refusals.insert(
                    "it is bound to a key, and senders of notifications cannot prove that they have it".to_owned(),
                );
            }
            Err(Refusal::Tenant) if is_publisher && own.contains(&tenant) => {
                let accepted = format!(
                    "The function for notifications would accept it for the tenant {tenant}{condition}. A publisher cannot listen."
                );
                printed = printed.and(terminal::line(accepted));
            }
            Err(Refusal::Tenant) if own.is_empty() => {
                refusals.insert(format!("it names no tenant in {}", names.shown()));
            }
            Err(Refusal::Tenant) => {
                refusals.insert(format!("it is not for the tenant {tenant}, but for {}", listed(&own)));
            }
            Err(refusal) => {
                refusals.insert(reason(refusal, &said, environment));
            }
        }
    }
    let refusals: Vec<_> = refusals.into_iter().collect();
    ensure!(refusals.is_empty(), "the functions would refuse the token: {}", refusals.join("; "));
    printed
}

/// The tenants to check. If the token names no tenant, one stands for all, because a super admin's token needs none.
fn asked(given: &[Tenant], own: &BTreeSet<Tenant>) -> anyhow::Result<BTreeSet<Tenant>> {
    Ok(match (given, own.is_empty()) {
        ([], true) => BTreeSet::from([Tenant::parse("any")?]),
        ([], false) => own.clone(),
        (given, _) => given.iter().cloned().collect(),
    })
}

/// The token to explain.
fn given(token: &Token) -> anyhow::Result<String> {
    match token.expose() {
        "" => match std::env::var("ENTITY_STREAM_TOKEN").ok().filter(|token| !token.trim().is_empty()) {
            Some(token) => Ok(token.trim().to_owned()),
            None => bail!("--inspect: pass a token or `-` for standard input, or set ENTITY_STREAM_TOKEN"),
        },
        "-" => {
            let stdin = std::io::stdin();
            if stdin.is_terminal() {
                terminal::note("reading a token from standard input; press Ctrl-D at its end");
            }
            let mut bytes = Vec::new();
            stdin.lock().take(TOKEN_BYTES).read_to_end(&mut bytes).context("cannot read standard input")?;
            // Invalid UTF-8 is not a token either.
            Ok(String::from_utf8_lossy(&bytes).trim().to_owned())
        }
        token => Ok(token.to_owned()),
    }
}
