//! The environment variables of the functions: what each one holds, and reading them.

use std::fmt;
use std::sync::Arc;

/// An environment variable of the functions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Variable {
    /// Its name.
    pub name: &'static str,
    /// What it holds, to complete "it holds …".
    pub holds: &'static str,
}

/// Whether the functions do anything: `true`, or anything else for no.
pub const EVENT_STREAMING_ENABLED: Variable =
    Variable { name: "EVENT_STREAMING_ENABLED", holds: "true to stream events; anything else switches streaming off" };
/// The name of the table of connections.
pub const WS_CONNECTIONS_TABLE: Variable =
    Variable { name: "WS_CONNECTIONS_TABLE", holds: "the name of the DynamoDB table of connections" };
/// The name of the table of API keys.
pub const WS_API_KEYS_TABLE: Variable =
    Variable { name: "WS_API_KEYS_TABLE", holds: "the name of the DynamoDB table of API keys" };
/// The `@connections` endpoint.
pub const WS_API_ENDPOINT: Variable = Variable {
    name: "WS_API_ENDPOINT",
    holds: "the @connections endpoint, https://API.execute-api.REGION.amazonaws.com/STAGE (https, not wss, with the stage)",
};
/// Whether a connection needs a token.
pub const AUTH_ENABLED: Variable =
    Variable { name: "AUTH_ENABLED", holds: "true if a connection needs a token, false if anybody may listen" };
/// The secret that signs tokens, for local use.
pub const JWT_SECRET: Variable = Variable {
    name: "JWT_SECRET",
    holds: "the secret that signs tokens, at least 32 bytes (for local use; on AWS use JWT_SECRET_ARN)",
};
/// Where the secret that signs tokens is kept.
pub const JWT_SECRET_ARN: Variable = Variable {
    name: "JWT_SECRET_ARN",
    holds: "the ARN of the Secrets Manager secret that signs tokens, at least 32 bytes",
};
/// The public keys of an identity provider.
pub const JWT_JWKS_URL: Variable =
    Variable { name: "JWT_JWKS_URL", holds: "the https URL of the identity provider's public keys (JWKS)" };
/// The only issuer whose tokens are accepted.
pub const JWT_ISSUER: Variable = Variable { name: "JWT_ISSUER", holds: "the iss that a token has to have" };
/// The only audience whose tokens are accepted.
pub const JWT_AUDIENCE: Variable = Variable { name: "JWT_AUDIENCE", holds: "the aud that a token has to have" };
/// The claims that hold the tenant.
pub const JWT_TENANT_CLAIMS: Variable = Variable {
    name: "JWT_TENANT_CLAIMS",
    holds: "the claims that hold the tenant, comma-separated, the first present counts (default tenant,tenantId,tenantName)",
};
/// The claim that holds the role.
pub const JWT_ROLE_CLAIM: Variable = Variable {
    name: "JWT_ROLE_CLAIM",
    holds: "the claim that holds the role, with dots for a way through objects (default role)",
};
/// Whether a client may authenticate with its first message.
pub const AUTH_IN_BAND: Variable = Variable {
    name: "AUTH_IN_BAND",
    holds: "true to let clients without a token connect and authenticate with their first message (default false)",
};
/// The origins whose pages may connect.
pub const ALLOWED_ORIGINS: Variable = Variable {
    name: "ALLOWED_ORIGINS",
    holds: "the origins whose pages may connect, comma-separated, each like https://app.example.com or https://*.example.com (default all)",
};
/// The queue for events that can reach nobody.
pub const DEAD_LETTER_QUEUE_URL: Variable =
    Variable { name: "DEAD_LETTER_QUEUE_URL", holds: "the URL of the SQS queue for events that can reach nobody" };
/// How many messages a broadcast has under way at once.
pub const BROADCAST_CONCURRENCY: Variable = Variable {
    name: "BROADCAST_CONCURRENCY",
    holds: "how many messages a broadcast has under way at once, 1 to 10000 (default 64)",
};
/// How many connections one invocation of a broadcast serves.
pub const BROADCAST_SPLIT_AT: Variable = Variable {
    name: "BROADCAST_SPLIT_AT",
    holds: "how many connections one invocation of a broadcast serves, 1 to 1000000; a larger audience is shared with further invocations (default 5000)",
};
/// The bus that continuation events go to.
pub const EVENT_BUS_NAME: Variable = Variable {
    name: "EVENT_BUS_NAME",
    holds: "the name or ARN of the event bus, to which a broadcast hands what it cannot serve itself; without it, nothing is handed on and the whole event is tried again",
};
/// The level of the logs.
pub const AWS_LAMBDA_LOG_LEVEL: Variable = Variable {
    name: "AWS_LAMBDA_LOG_LEVEL",
    holds: "the level of the logs, or tracing directives: error, warn, info (the default), debug, trace",
};
/// The level of the logs where Lambda sets none.
pub const RUST_LOG: Variable = Variable {
    name: "RUST_LOG",
    holds: "the same as AWS_LAMBDA_LOG_LEVEL, which comes before it: error, warn, info, debug, trace, or directives",
};

/// Every variable that the functions read. The documentation and the template are held against it.
pub const ALL: [Variable; 20] = [
    EVENT_STREAMING_ENABLED,
    WS_CONNECTIONS_TABLE,
    WS_API_KEYS_TABLE,
    WS_API_ENDPOINT,
    AUTH_ENABLED,
    JWT_SECRET,
    JWT_SECRET_ARN,
    JWT_JWKS_URL,
    JWT_ISSUER,
    JWT_AUDIENCE,
    JWT_TENANT_CLAIMS,
    JWT_ROLE_CLAIM,
    AUTH_IN_BAND,
    ALLOWED_ORIGINS,
    DEAD_LETTER_QUEUE_URL,
    BROADCAST_CONCURRENCY,
    BROADCAST_SPLIT_AT,
    EVENT_BUS_NAME,
    AWS_LAMBDA_LOG_LEVEL,
    RUST_LOG,
];

/// A variable that is missing or malformed. Its value is not repeated: it might be a secret in the wrong place.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{} {problem}: it holds {}", variable.name, variable.holds)]
pub struct InvalidVariable {
    /// Which one.
    pub variable: Variable,
    /// What is wrong with it, to follow its name.
    pub problem: &'static str,
}

/// Where settings come from: the process's environment, or in the local system and in tests something that stands for it.
#[derive(Clone)]
pub struct Environment(Arc<Lookup>);

type Lookup = dyn Fn(&str) -> Option<String> + Send + Sync;

impl Environment {
    /// The process's own environment.
    pub fn process() -> Self {
        Self::new(|name| std::env::var(name).ok())
    }

    /// An environment that holds what `lookup` returns.
    pub fn new(lookup: impl Fn(&str) -> Option<String> + Send + Sync + 'static) -> Self {
        Self(Arc::new(lookup))
    }

    /// What it holds under a name.
    pub fn lookup(&self, name: &str) -> Option<String> {
        (self.0)(name)
    }

    /// A variable's value; an empty one counts as missing.
    pub fn optional(&self, variable: Variable) -> Option<String> {
        self.lookup(variable.name).filter(|value| !value.is_empty())
    }

    /// A variable's value.
    ///
    /// # Errors
    /// [`InvalidVariable`] if it is missing or empty.
    pub fn required(&self, variable: Variable) -> Result<String, InvalidVariable> {
        self.optional(variable).ok_or(InvalidVariable { variable, problem: "is not set" })
    }

    /// A variable that holds `true` or `false`.
    ///
    /// # Errors
    /// [`InvalidVariable`] if it is missing or anything else.
    pub fn flag(&self, variable: Variable) -> Result<bool, InvalidVariable> {
        match self.required(variable)?.as_str() {
            "true" => Ok(true),
            "false" => Ok(false),
            _ => Err(InvalidVariable { variable, problem: "is neither true nor false" }),
        }
    }

    /// A variable that holds `true` or `false`, or nothing for `false`.
    ///
    /// # Errors
    /// [`InvalidVariable`] if it is anything else.
    pub fn optional_flag(&self, variable: Variable) -> Result<bool, InvalidVariable> {
        if self.optional(variable).is_some() { self.flag(variable) } else { Ok(false) }
    }

    /// A variable that holds a whole number of this range, or nothing.
    ///
    /// # Errors
    /// [`InvalidVariable`] if it is anything else.
    pub fn number(
        &self,
        variable: Variable,
        range: std::ops::RangeInclusive<usize>,
    ) -> Result<Option<usize>, InvalidVariable> {
        let Some(text) = self.optional(variable) else { return Ok(None) };
        match text.parse() {
            Ok(number) if range.contains(&number) => Ok(Some(number)),
            _ => Err(InvalidVariable { variable, problem: "is out of range or no whole number" }),
        }
    }

    /// Whether events are streamed at all.
    pub fn streaming_enabled(&self) -> bool {
        self.optional(EVENT_STREAMING_ENABLED).as_deref() == Some("true")
    }
}

impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Environment(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(pairs: &'static [(&str, &str)]) -> Environment {
        Environment::new(|name| pairs.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned()))
    }

    #[test]
    fn an_error_names_the_variable_and_what_it_holds_but_not_its_value() {
        let missing = environment(&[]).required(WS_CONNECTIONS_TABLE).unwrap_err().to_string();
        assert_eq!(missing, "WS_CONNECTIONS_TABLE is not set: it holds the name of the DynamoDB table of connections");
        let empty = environment(&[("WS_CONNECTIONS_TABLE", "")]).required(WS_CONNECTIONS_TABLE);
        assert_eq!(empty.unwrap_err().problem, "is not set");
        let malformed = environment(&[("AUTH_ENABLED", "s3cret")]).flag(AUTH_ENABLED).unwrap_err().to_string();
        assert!(malformed.starts_with("AUTH_ENABLED is neither true nor false"), "{malformed}");
        assert!(!malformed.contains("s3cret"));
    }

    #[test]
    fn every_variable_is_documented() {
        let page = include_str!("../../../docs/configuration.md");
        for variable in ALL {
            assert!(
                page.contains(&format!("| `{}` | ", variable.name)),
                "{} is not in docs/configuration.md",
                variable.name
            );
        }
        let documented =
            page.lines().filter(|line| line.starts_with("| `") && line.contains("_") && line.ends_with('|'));
        let names = documented.filter_map(|line| line.split('`').nth(1)).filter(|name| name.to_uppercase() == *name);
        for name in names {
            assert!(
                ALL.iter().any(|variable| variable.name == name),
                "docs/configuration.md documents {name}, which nothing reads"
            );
        }
    }

    #[test]
    fn streaming_is_on_only_for_true() {
        assert!(environment(&[("EVENT_STREAMING_ENABLED", "true")]).streaming_enabled());
        assert!(!environment(&[("EVENT_STREAMING_ENABLED", "yes")]).streaming_enabled());
        assert!(!environment(&[]).streaming_enabled());
    }

    #[test]
    fn a_number_stays_in_its_range() {
        let concurrency = |value: &'static str| {
            Environment::new(move |_| Some(value.to_owned())).number(BROADCAST_CONCURRENCY, 1..=10_000)
        };
        assert_eq!(concurrency("64"), Ok(Some(64)));
        assert_eq!(concurrency(""), Ok(None));
        assert!(concurrency("0").is_err() && concurrency("many").is_err());
    }
}
