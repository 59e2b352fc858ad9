use std::path::PathBuf;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use entity_stream_auth::Role;
use entity_stream_clock::Clock;
use entity_stream_protocol::{EpochMillis, Tenant};
use entity_stream_runtime::Environment;
use entity_stream_runtime::environment::{JWT_AUDIENCE, JWT_ISSUER};

use crate::commands::inspect;
use crate::credential::Token;
use crate::dpop_key_file::read_or_create_dpop_key;
use crate::lifetime::Lifetime;
use crate::token::{Claim, NewToken, SecretSource, overlay};
use crate::usage_error::usage_error;
use crate::{logs, terminal};

/// Create a token, or explain one
///
/// Signs a token (HS256) with the secret in JWT_SECRET, in JWT_SECRET_ARN or in a file, and prints nothing but the token.
/// With --inspect, explains a token, and says whether functions with the settings in this environment would accept it;
/// exits with 1 if they would refuse it.
#[derive(Debug, clap::Args)]
#[command(
    override_usage = "\
entity-stream token --tenant <TENANT> [OPTIONS]
       entity-stream token --inspect [<TOKEN>|-] [OPTIONS]",
    after_help = "\
Examples:
  export JWT_SECRET=...     # `entity-stream local --auth` prints one
  export ENTITY_STREAM_TOKEN=$(entity-stream token --tenant demo)
  entity-stream token --tenant demo --tenant city \\
      --role tenant_admin --expires-in 15m
  entity-stream token --tenant demo --dpop key.pem
  entity-stream token --role super_admin --secret-arn \"$ARN\"
  entity-stream token --inspect --tenant demo
  entity-stream token --inspect - < token.txt

Environment:
  JWT_SECRET, JWT_SECRET_ARN          the signing secret, or its ARN in Secrets Manager
  JWT_JWKS_URL                        with --inspect: the URL of the identity provider's public keys
  JWT_ISSUER, JWT_AUDIENCE            the defaults of --issuer and --audience
  JWT_TENANT_CLAIMS, JWT_ROLE_CLAIM   the claims for the tenant and the role
  JWT_ROLES                           with --inspect: the names of roles
  ENTITY_STREAM_TOKEN                 the token that --inspect explains if it has no argument"
)]
pub(crate) struct Args {
    /// The tenant of the token; repeat the option for several tenants
    #[arg(long, value_name = "TENANT")]
    tenant: Vec<Tenant>,
    /// The role: publisher, user, tenant_admin, or super_admin for all tenants, which needs no --tenant [default: user]
    #[arg(long, value_name = "ROLE", value_parser = role(), hide_possible_values = true)]
    role: Option<Role>,
    /// The subject [default: your user name]
    #[arg(long, value_name = "NAME")]
    subject: Option<String>,
    /// The lifetime, such as 15m, 8h or 30d [default: 1h]
    #[arg(long, value_name = "TIME")]
    expires_in: Option<Lifetime>,
    /// The issuer, iss; with --inspect, the required one [env: JWT_ISSUER]
    #[arg(long, value_name = "ISSUER")]
    issuer: Option<String>,
    /// The audience, aud; with --inspect, the required one [env: JWT_AUDIENCE]
    #[arg(long, value_name = "AUDIENCE")]
    audience: Option<String>,
    /// Bind the token to the private key in this file (DPoP); creates the file with a new key if it does not exist
    #[arg(long, value_name = "FILE")]
    dpop: Option<PathBuf>,
    /// An additional claim with a JSON or text value; repeat the option for several claims
    #[arg(long, value_name = "NAME=VALUE")]
    claim: Vec<Claim>,
    /// Explain this token instead, the one on standard input if `-`, or the one in ENTITY_STREAM_TOKEN
    #[arg(long, value_name = "TOKEN", num_args = 0..=1, default_missing_value = "",
        conflicts_with_all = ["role", "subject", "expires_in", "dpop", "claim"])]
    inspect: Option<Token>,
    #[command(flatten)]
    source: SecretSource,
}

/// Reads a role.
pub(super) fn role() -> impl TypedValueParser<Value = Role> {
    let roles = [Role::Publisher, Role::User, Role::TenantAdmin, Role::SuperAdmin];
    PossibleValuesParser::new(roles.map(Role::as_str)).try_map(|name| name.parse::<Role>())
}

pub(crate) async fn run(args: Args) -> anyhow::Result<()> {
    logs::start(logs::OF_A_TOOL)?;
    let environment = environment(&args)?;
    let now = Clock::system().now();
    match &args.inspect {
        Some(token) => inspect::run(token, &args.tenant, &args.source, &environment, now).await,
        None => mint(args, &environment, now).await,
    }
}

/// The environment of the process, overridden by the options.
fn environment(args: &Args) -> anyhow::Result<Environment> {
    let mut environment = args.source.environment(&Environment::process())?;
    for (variable, value) in [(JWT_ISSUER, &args.issuer), (JWT_AUDIENCE, &args.audience)] {
        if let Some(value) = value {
            environment = overlay(&environment, [(variable, value.clone())]);
        }
    }
    Ok(environment)
}

async fn mint(args: Args, environment: &Environment, now: EpochMillis) -> anyhow::Result<()> {
    let token = NewToken {
        subject: args.subject.unwrap_or_else(user),
        role: args.role.unwrap_or(Role::User),
        tenants: args.tenant.into_iter().collect(),
        lifetime: args.expires_in.unwrap_or(Lifetime::HOUR),
        bound_to: None,
        more: args.claim,
    };
    token.check(environment).map_err(usage_error)?;
    let key = args.dpop.as_deref().map(read_or_create_dpop_key).transpose()?;
    let token = NewToken { bound_to: key.map(|key| key.thumbprint().to_owned()), ..token };
    let secret = args.source.secret(environment).await?;
    terminal::raw_line(&token.sign(&secret, environment, now)?)
}

/// The name of the current user.
fn user() -> String {
    let names = ["USER", "LOGNAME", "USERNAME"].into_iter().filter_map(|name| std::env::var(name).ok());
    names.into_iter().find(|name| !name.is_empty()).unwrap_or_else(|| "dev".to_owned())
}
