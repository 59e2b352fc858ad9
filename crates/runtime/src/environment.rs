//! The environment variables of the functions. This list is the only place that names them.

use std::fmt;
use std::sync::Arc;

/// An environment variable of the functions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Variable {
    /// The name.
    pub name: &'static str,
    /// The values that the functions accept. The text completes "expected …".
    pub expected: &'static str,
}

/// Switches the functions on: `true`, or any other value for off.
pub const EVENT_STREAMING_ENABLED: Variable = Variable {
    name: "EVENT_STREAMING_ENABLED",
    expected: "true to stream events; any other value switches streaming off",
};
/// The table of connections.
pub const WS_CONNECTIONS_TABLE: Variable =
    Variable { name: "WS_CONNECTIONS_TABLE", expected: "the name or ARN of the DynamoDB table of connections" };
/// The table of the history.
pub const WS_HISTORY_TABLE: Variable =
    Variable { name: "WS_HISTORY_TABLE", expected: "the name or ARN of the DynamoDB table of the history" };
/// The time for which events stay in the history.
pub const HISTORY_MINUTES: Variable = Variable {
    name: "HISTORY_MINUTES",
    expected: "the minutes for which events stay in the history, 0 to 1440; 0 switches the history off (default 60)",
};
/// Keeps the state of each entity.
pub const ENTITY_STATE: Variable = Variable {
    name: "ENTITY_STATE",
    expected: "true to keep the state of each entity, or false (default true where there is a table of the history)",
};
/// The time for which the state of an entity stays.
pub const ENTITY_STATE_DAYS: Variable = Variable {
    name: "ENTITY_STATE_DAYS",
    expected: "the days after its last change for which the state of an entity stays, 1 to 365 (default 7)",
};
/// The table of API keys.
pub const WS_API_KEYS_TABLE: Variable =
    Variable { name: "WS_API_KEYS_TABLE", expected: "the name or ARN of the DynamoDB table of API keys" };
/// The `@connections` endpoint.
pub const WS_API_ENDPOINT: Variable = Variable {
    name: "WS_API_ENDPOINT",
    expected: "the @connections endpoint, https://API.execute-api.REGION.amazonaws.com/STAGE (https instead of wss, with the stage)",
};
/// Switches authentication on or off.
pub const AUTH_ENABLED: Variable =
    Variable { name: "AUTH_ENABLED", expected: "true if each connection needs a credential, or false" };
/// The secret that signs tokens, for local use.
pub const JWT_SECRET: Variable = Variable {
    name: "JWT_SECRET",
    expected: "the secret that signs tokens, at least 32 bytes (for local use; on AWS, set JWT_SECRET_ARN); the JWT secret that Keyrock generates has 16, so give Keyrock's application a longer one",
};
/// The Secrets Manager secret that signs tokens.
pub const JWT_SECRET_ARN: Variable = Variable {
    name: "JWT_SECRET_ARN",
    expected: "the ARN of the Secrets Manager secret that signs tokens, at least 32 bytes",
};
/// The public keys of an identity provider.
pub const JWT_JWKS_URL: Variable =
    Variable { name: "JWT_JWKS_URL", expected: "the https URL of the identity provider's public keys (JWKS)" };
/// The only issuer whose tokens are accepted.
///
/// If it is the only variable about keys, the issuer's OpenID Connect configuration names them.
pub const JWT_ISSUER: Variable = Variable {
    name: "JWT_ISSUER",
    expected: "the iss claim that every token must have; without JWT_SECRET, JWT_SECRET_ARN and JWT_JWKS_URL, the https URL of an OpenID Connect provider, whose keys are found by discovery",
};
/// The only audiences whose tokens are accepted.
pub const JWT_AUDIENCE: Variable = Variable {
    name: "JWT_AUDIENCE",
    expected: "comma-separated audiences; the aud claim of every token, or its client_id if it has no aud, must name one of them",
};
/// The claims that hold the tenant.
pub const JWT_TENANT_CLAIMS: Variable = Variable {
    name: "JWT_TENANT_CLAIMS",
    expected: "comma-separated names of the claims that hold tenants; each of them counts (default tenant,tenantId,tenantName)",
};
/// The claim that holds the role.
pub const JWT_ROLE_CLAIM: Variable = Variable {
    name: "JWT_ROLE_CLAIM",
    expected: "the name of the claim that holds the role, with dots between the names of nested objects (default role)",
};
/// The roles that the roles of an identity provider stand for.
pub const JWT_ROLES: Variable = Variable {
    name: "JWT_ROLES",
    expected: "comma-separated pairs of a role in tokens and the role that it stands for, super_admin, tenant_admin, user or publisher, such as editor=user,ops=tenant_admin",
};
/// Lets clients send their token in the URL.
pub const AUTH_QUERY_TOKEN: Variable = Variable {
    name: "AUTH_QUERY_TOKEN",
    expected: "false if handshakes with a token in the URL are refused, or true (default true)",
};
/// The tenants that need no credential.
pub const PUBLIC_TENANTS: Variable = Variable {
    name: "PUBLIC_TENANTS",
    expected: "comma-separated tenants to which clients may listen without a credential, each 1 to 63 of A-Z a-z 0-9 _ - (default none)",
};
/// Lets clients authenticate with their first message.
pub const AUTH_IN_BAND: Variable = Variable {
    name: "AUTH_IN_BAND",
    expected: "true if clients may connect without a credential and authenticate with their first message, or false (default false)",
};
/// Which `subscribe` and `unsubscribe` messages are answered.
pub const SUBSCRIBE_ACK: Variable = Variable {
    name: "SUBSCRIBE_ACK",
    expected: "always if every subscribe and unsubscribe is answered, or request if only those with a requestId are (default request)",
};
/// The origins whose pages may connect.
pub const ALLOWED_ORIGINS: Variable = Variable {
    name: "ALLOWED_ORIGINS",
    expected: "comma-separated origins such as https://app.example.com or https://*.example.com (default all origins)",
};
/// The connections of one subject.
pub const MAX_CONNECTIONS_PER_SUBJECT: Variable = Variable {
    name: "MAX_CONNECTIONS_PER_SUBJECT",
    expected: "the most connections of one subject to one tenant, 1 to 1000 (default 100)",
};
/// The queue for events that the functions cannot deliver.
pub const DEAD_LETTER_QUEUE_URL: Variable = Variable {
    name: "DEAD_LETTER_QUEUE_URL",
    expected: "the URL of the SQS queue for events that cannot be delivered",
};
/// The messages that a broadcast sends at the same time.
pub const BROADCAST_CONCURRENCY: Variable = Variable {
    name: "BROADCAST_CONCURRENCY",
    expected: "the number of messages that a broadcast sends at the same time, 1 to 10000 (default 64)",
};
/// The connections that one invocation of a broadcast serves.
pub const BROADCAST_SPLIT_AT: Variable = Variable {
    name: "BROADCAST_SPLIT_AT",
    expected: "the number of connections that one invocation of a broadcast serves, 1 to 1000000 (default 5000)",
};
/// The bus for continuation events.
pub const EVENT_BUS_NAME: Variable = Variable {
    name: "EVENT_BUS_NAME",
    expected: "the name or ARN of the event bus, which takes the events that one invocation of a broadcast cannot finish",
};
/// Accepts the notifications of brokers.
pub const INGEST_ENABLED: Variable = Variable {
    name: "INGEST_ENABLED",
    expected: "true to accept the notifications of brokers, or false (default false; true in the local system)",
};
/// The tenant of notifications that name none.
pub const INGEST_DEFAULT_TENANT: Variable = Variable {
    name: "INGEST_DEFAULT_TENANT",
    expected: "the tenant of notifications without NGSILD-Tenant and Fiware-Service (default none: they are refused)",
};
/// The tenants for the names that brokers use.
pub const INGEST_TENANT_MAP: Variable = Variable {
    name: "INGEST_TENANT_MAP",
    expected: "comma-separated names of brokers' tenants with the tenant of each, such as urn:ngsi-ld:tenant:default=city",
};
/// The source of the events of notifications.
pub const INGEST_SOURCE: Variable = Variable {
    name: "INGEST_SOURCE",
    expected: "the source of the events of notifications (default entity-stream.ingest)",
};
/// The level of the logs.
pub const RUST_LOG: Variable = Variable {
    name: "RUST_LOG",
    expected: "error, warn, info (the default), debug or trace, or tracing directives such as warn,entity_stream=debug",
};
/// The level below which Lambda drops log lines. It is the level of the logs if `RUST_LOG` sets none.
pub const AWS_LAMBDA_LOG_LEVEL: Variable =
    Variable { name: "AWS_LAMBDA_LOG_LEVEL", expected: "error, warn, info, debug or trace; RUST_LOG overrides it" };

/// Every variable that the functions read. Tests compare this list with the documentation and the template.
pub const ALL: [Variable; 33] = [
    EVENT_STREAMING_ENABLED,
    WS_CONNECTIONS_TABLE,
    WS_HISTORY_TABLE,
    HISTORY_MINUTES,
    ENTITY_STATE,
    ENTITY_STATE_DAYS,
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
    JWT_ROLES,
    AUTH_QUERY_TOKEN,
    PUBLIC_TENANTS,
    AUTH_IN_BAND,
    SUBSCRIBE_ACK,
    ALLOWED_ORIGINS,
    MAX_CONNECTIONS_PER_SUBJECT,
    DEAD_LETTER_QUEUE_URL,
    BROADCAST_CONCURRENCY,
    BROADCAST_SPLIT_AT,
    EVENT_BUS_NAME,
    INGEST_ENABLED,
    INGEST_DEFAULT_TENANT,
    INGEST_TENANT_MAP,
    INGEST_SOURCE,
    RUST_LOG,
    AWS_LAMBDA_LOG_LEVEL,
];

/// The source of the variables: the environment of the process, or a substitute in the local system and in tests.
#[derive(Clone)]
pub struct Environment(Arc<Lookup>);

type Lookup = dyn Fn(&str) -> Option<String> + Send + Sync;

impl Environment {
    /// The environment of this process.
    pub fn process() -> Self {
        Self::new(|name| std::env::var(name).ok())
    }

    /// An environment with the values that `lookup` returns.
    pub fn new(lookup: impl Fn(&str) -> Option<String> + Send + Sync + 'static) -> Self {
        Self(Arc::new(lookup))
    }

    /// Returns the value of a name.
    pub fn lookup(&self, name: &str) -> Option<String> {
        (self.0)(name)
    }

    /// Returns the value of a variable. An empty value counts as none.
    pub fn optional(&self, variable: Variable) -> Option<String> {
        self.lookup(variable.name).filter(|value| !value.is_empty())
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
}
