//! The options of `local`, and the configuration that follows from them and from the environment.

use std::net::{IpAddr, Ipv4Addr};
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{anyhow, bail};
use entity_stream_local::{Access, AllowedHost, AllowedOrigin, Config, FunctionHost, FunctionNames, RefuseWith, Times};
use entity_stream_protocol::Tenant;
use entity_stream_runtime::Environment;
use entity_stream_runtime::environment::{AUTH_ENABLED, EVENT_STREAMING_ENABLED, Variable};
use entity_stream_simulation::{NgsiFormat, Rate};

use crate::arguments::{duration, ngsi_format};
use crate::usage_error::usage_error;

/// Run the whole system on this machine
///
/// Runs the production functions behind the wire formats of API Gateway, EventBridge and DynamoDB. Nothing leaves the
/// machine, and no AWS account is needed. The log goes to standard error; RUST_LOG sets its level.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  entity-stream local --simulate demo
  entity-stream local --simulate demo --simulate-format ngsi-v2
  entity-stream local --auth
  entity-stream local --port 3100 --dynamodb-port 8100 --data connections.db
  entity-stream local --allow-origin https://app.example.com
  entity-stream local --lambda-endpoint http://localhost:9000
      with `cargo lambda watch` in another terminal

Environment:
  EVENT_STREAMING_ENABLED   true to stream events, false to refuse connections [default: true]
  AUTH_ENABLED              true to require a token for connections [default: false]
  INGEST_ENABLED            true to accept the notifications of brokers [default: true]
  JWT_SECRET, JWT_SECRET_ARN, JWT_JWKS_URL, JWT_ISSUER, JWT_AUDIENCE, JWT_TENANT_CLAIMS,
  JWT_ROLE_CLAIM, JWT_ROLES, AUTH_QUERY_TOKEN, PUBLIC_TENANTS, AUTH_IN_BAND, SUBSCRIBE_ACK,
  ALLOWED_ORIGINS, MAX_CONNECTIONS_PER_SUBJECT, HISTORY_MINUTES, ENTITY_STATE, ENTITY_STATE_DAYS,
  INGEST_DEFAULT_TENANT, INGEST_TENANT_MAP, INGEST_SOURCE, BROADCAST_CONCURRENCY,
  BROADCAST_SPLIT_AT
                            the same as for the functions on AWS
  RUST_LOG                  the level or the directives of the log [default: info for Entity Stream]")]
pub(crate) struct Args {
    /// The address to listen on: localhost, or an IP address such as 0.0.0.0
    #[arg(long, value_name = "HOST", default_value = "localhost", value_parser = host)]
    host: IpAddr,
    /// The port of the WebSocket gateway, the @connections API and the event bus; 0 for any free port
    #[arg(long, value_name = "PORT", default_value = "3000")]
    port: u16,
    /// The port of the embedded DynamoDB; 0 for any free port
    #[arg(long, value_name = "PORT", default_value = "8000")]
    dynamodb_port: u16,
    /// Keep the tables in this file [default: in memory]
    #[arg(long, value_name = "FILE")]
    data: Option<PathBuf>,
    /// Accept requests that address this machine by this name, beside localhost, IP addresses and host.docker.internal;
    /// may be repeated
    #[arg(long = "allow-host", value_name = "NAME")]
    allow_hosts: Vec<AllowedHost>,
    /// Accept pages of this origin, beside those on localhost: scheme and host, null for pages from files, or * for all;
    /// may be repeated
    #[arg(long = "allow-origin", value_name = "ORIGIN")]
    allow_origins: Vec<AllowedOrigin>,
    /// The name of the stage in the @connections URL
    #[arg(long, value_name = "NAME", default_value = "local")]
    stage: String,
    /// The refusal of a client: a close with 1008 or 1013, or a status such as 401, 429 or 503 in the handshake as on API Gateway
    #[arg(long, value_name = "FORM", value_enum, default_value_t = RefusalMode::Close)]
    refuse_with: RefusalMode,
    /// Require tokens, and print one; generate a secret unless JWT_SECRET, JWT_SECRET_ARN or JWT_JWKS_URL is set, or JWT_ISSUER is a URL
    #[arg(long, conflicts_with = "lambda_endpoint")]
    pub(super) auth: bool,
    /// Publish simulated changes of this tenant's rooms, sensors, vehicles and depots
    #[arg(long, value_name = "TENANT")]
    pub(super) simulate: Option<Tenant>,
    /// The number of simulated changes per second
    #[arg(long, value_name = "N", allow_negative_numbers = true, default_value = "1", requires = "simulate")]
    pub(super) simulate_rate: Rate,
    /// The NGSI format of the simulated attributes
    #[arg(long, value_name = "FORMAT", default_value = NgsiFormat::default().as_str(), requires = "simulate",
        value_parser = ngsi_format())]
    pub(super) simulate_format: NgsiFormat,
    /// Simulate events with only the changed attributes of an entity, not the whole entity
    #[arg(long, requires = "simulate")]
    pub(super) simulate_partial: bool,
    #[command(flatten)]
    functions: Functions,
    #[command(flatten)]
    times: Advanced,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
enum RefusalMode {
    /// The handshake completes and the connection is closed with 1008
    Close,
    /// The handshake fails with 401 or 403
    Status,
}

/// The options for functions that run in another process.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Functions")]
struct Functions {
    /// Invoke the functions through Lambda's Invoke API at this URL, instead of running them in this process
    #[arg(long, value_name = "URL")]
    lambda_endpoint: Option<String>,
    /// The name of the function for $connect at that URL
    #[arg(long, value_name = "NAME", default_value = "connect", requires = "lambda_endpoint")]
    connect_function: String,
    /// The name of the function for $disconnect at that URL
    #[arg(long, value_name = "NAME", default_value = "disconnect", requires = "lambda_endpoint")]
    disconnect_function: String,
    /// The name of the function for $default at that URL
    #[arg(long, value_name = "NAME", default_value = "default", requires = "lambda_endpoint")]
    default_function: String,
    /// The name of the function for the event rule at that URL
    #[arg(long, value_name = "NAME", default_value = "broadcast", requires = "lambda_endpoint")]
    broadcast_function: String,
    /// The name of the function for brokers' notifications at that URL
    #[arg(long, value_name = "NAME", default_value = "ingest", requires = "lambda_endpoint")]
    ingest_function: String,
}

/// The options for behaviour that API Gateway fixes.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Limits and behaviour of API Gateway")]
struct Advanced {
    /// Close a connection after this time of silence [default: 10m]
    #[arg(long, value_name = "TIME", value_parser = duration, hide_short_help = true)]
    idle_timeout: Option<Duration>,
    /// Close a connection at this age [default: 2h]
    #[arg(long, value_name = "TIME", value_parser = duration, hide_short_help = true)]
    max_duration: Option<Duration>,
    /// Abandon the invocation of a function after this time [default: 29s]
    #[arg(long, value_name = "TIME", value_parser = duration, hide_short_help = true)]
    integration_timeout: Option<Duration>,
    /// Handle the messages of one connection one after the other; API Gateway does not guarantee this
    #[arg(long, hide_short_help = true)]
    serial_messages: bool,
    /// Route JSON5 messages such as {action: "ping"} by their `action` too, as API Gateway was seen to do
    #[arg(long, hide_short_help = true)]
    lenient_routing: bool,
}

/// The configuration of the local system.
pub(super) fn config(args: &Args, environment: &Environment) -> anyhow::Result<Config> {
    // The second of the two would find the port taken, as if by another program.
    if args.port != 0 && args.port == args.dynamodb_port {
        let error = anyhow!("--port and --dynamodb-port both name the port {}; choose different ports", args.port);
        return Err(usage_error(error));
    }
    let usual = Times::default();
    Ok(Config {
        listen: (args.host, args.port).into(),
        dynamodb: (args.host, args.dynamodb_port).into(),
        data: args.data.clone(),
        access: Access { hosts: args.allow_hosts.clone(), origins: args.allow_origins.clone() },
        stage: args.stage.clone(),
        refuse_with: match args.refuse_with {
            RefusalMode::Close => RefuseWith::Close,
            RefusalMode::Status => RefuseWith::Status,
        },
        functions: match args.functions.lambda_endpoint.clone() {
            None => FunctionHost::InProcess,
            Some(endpoint) => FunctionHost::Lambda {
                endpoint,
                names: FunctionNames {
                    connect: args.functions.connect_function.clone(),
                    disconnect: args.functions.disconnect_function.clone(),
                    default: args.functions.default_function.clone(),
                    broadcast: args.functions.broadcast_function.clone(),
                    ingest: args.functions.ingest_function.clone(),
                },
            },
        },
        event_streaming_enabled: flag(environment, EVENT_STREAMING_ENABLED, true)?,
        auth_enabled: flag(environment, AUTH_ENABLED, false)?,
        environment: environment.clone(),
        times: Times {
            idle_timeout: args.times.idle_timeout.unwrap_or(usual.idle_timeout),
            max_duration: args.times.max_duration.unwrap_or(usual.max_duration),
            integration_timeout: args.times.integration_timeout.unwrap_or(usual.integration_timeout),
            ..usual
        },
        serial_messages: args.times.serial_messages,
        lenient_routing: args.times.lenient_routing,
        ..Config::default()
    })
}

/// A variable that holds `true` or `false`. The deployed functions take any other value for `false`. Here the user can
/// correct it.
fn flag(environment: &Environment, variable: Variable, unset: bool) -> anyhow::Result<bool> {
    match environment.optional(variable).as_deref() {
        None => Ok(unset),
        Some("true") => Ok(true),
        Some("false") => Ok(false),
        Some(_) => bail!("{} is invalid: expected true or false; unset, it is {unset}", variable.name),
    }
}

fn host(text: &str) -> Result<IpAddr, String> {
    match text {
        "localhost" => Ok(Ipv4Addr::LOCALHOST.into()),
        _ => text.parse().map_err(|_| "expected localhost, or an IP address such as 0.0.0.0 or ::1".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use clap::{CommandFactory, Parser};
    use entity_stream_runtime::environment::{
        ALL, AWS_LAMBDA_LOG_LEVEL, DEAD_LETTER_QUEUE_URL, EVENT_BUS_NAME, WS_API_ENDPOINT, WS_API_KEYS_TABLE,
        WS_CONNECTIONS_TABLE, WS_HISTORY_TABLE,
    };

    use super::*;
    use crate::cli::Cli;
    use crate::commands::Command;

    /// The variables of the functions that a user cannot set: the local system sets them, and Lambda sets the last.
    const NOT_FOR_USERS: [Variable; 7] = [
        WS_CONNECTIONS_TABLE,
        WS_HISTORY_TABLE,
        WS_API_KEYS_TABLE,
        WS_API_ENDPOINT,
        DEAD_LETTER_QUEUE_URL,
        EVENT_BUS_NAME,
        AWS_LAMBDA_LOG_LEVEL,
    ];

    fn parse(args: &[&str], environment: &'static [(&str, &str)]) -> anyhow::Result<Config> {
        let cli = Cli::try_parse_from(["entity-stream", "local"].iter().chain(args))?;
        let Command::Local(args) = cli.command else { unreachable!() };
        let lookup =
            |name: &str| environment.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned());
        config(&args, &Environment::new(lookup))
    }

    #[test]
    fn without_options_it_is_the_default() {
        let config = parse(&[], &[]).unwrap();
        let default = Config::default();
        assert_eq!((config.listen, config.dynamodb), (default.listen, default.dynamodb));
        assert_eq!((config.stage, config.refuse_with), (default.stage, default.refuse_with));
        assert_eq!(config.times.idle_timeout, default.times.idle_timeout);
        assert!(config.event_streaming_enabled && !config.auth_enabled);
        assert!(matches!(config.functions, FunctionHost::InProcess));
        let Ok(lambda) = parse(&["--lambda-endpoint", "http://localhost:9000"], &[]) else { panic!() };
        let FunctionHost::Lambda { names, .. } = lambda.functions else { panic!() };
        assert_eq!(names, FunctionNames::default());
    }

    #[test]
    fn the_help_lists_each_variable_that_a_user_may_set() {
        let definition = Cli::command();
        let help = definition.find_subcommand("local").unwrap().get_after_help().unwrap().to_string();
        let (_, environment) = help.split_once("Environment:").unwrap();
        let is_name =
            |word: &&str| word.contains('_') && word.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_');
        let mut listed: Vec<_> = environment.split([' ', ',', '\n']).filter(is_name).collect();
        let settable = ALL.iter().filter(|variable| !NOT_FOR_USERS.contains(variable));
        let mut settable: Vec<_> = settable.map(|variable| variable.name).collect();
        listed.sort_unstable();
        settable.sort_unstable();
        assert_eq!(listed, settable);
    }

    #[test]
    fn the_environment_counts_and_an_invalid_value_is_named() {
        assert!(parse(&[], &[("AUTH_ENABLED", "true")]).unwrap().auth_enabled);
        assert!(!parse(&[], &[("EVENT_STREAMING_ENABLED", "false")]).unwrap().event_streaming_enabled);
        assert!(parse(&[], &[("EVENT_STREAMING_ENABLED", "")]).unwrap().event_streaming_enabled);
        let error = parse(&[], &[("EVENT_STREAMING_ENABLED", "maybe")]).unwrap_err().to_string();
        assert!(
            error.contains("EVENT_STREAMING_ENABLED is invalid: expected true or false; unset, it is true"),
            "{error}"
        );
    }

    #[test]
    fn hosts_and_origins_are_allowed_one_by_one() {
        let args = ["--allow-host", "a", "--allow-host", "b.example", "--allow-origin", "null", "--allow-origin", "*"];
        let access = parse(&args, &[]).unwrap().access;
        assert_eq!((access.hosts.len(), access.origins), (2, vec![AllowedOrigin::Opaque, AllowedOrigin::Any]));
        for (args, expected) in [
            (["--allow-host", "a:3000"], "a host is a name without a port"),
            (["--allow-origin", "app.example.com"], "an origin is like https://app.example.com"),
        ] {
            let error = parse(&args, &[]).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
    }

    #[test]
    fn a_host_is_an_address() {
        assert_eq!(host("localhost"), Ok(Ipv4Addr::LOCALHOST.into()));
        assert!(host("0.0.0.0").is_ok() && host("::").is_ok());
        assert!(host("example.com").is_err());
    }
}
