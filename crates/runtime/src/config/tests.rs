use super::*;
use crate::environment::{
    ALLOWED_ORIGINS, AUTH_ENABLED, AUTH_IN_BAND, BROADCAST_CONCURRENCY, BROADCAST_SPLIT_AT, DEAD_LETTER_QUEUE_URL,
    ENTITY_STATE, ENTITY_STATE_DAYS, EVENT_BUS_NAME, Environment, HISTORY_MINUTES, INGEST_TENANT_MAP, JWT_AUDIENCE,
    JWT_JWKS_URL, JWT_ROLES, JWT_SECRET, JWT_SECRET_ARN, JWT_TENANT_CLAIMS, PUBLIC_TENANTS, WS_API_ENDPOINT,
    WS_API_KEYS_TABLE, WS_CONNECTIONS_TABLE, WS_HISTORY_TABLE,
};

const SECRET: &str = "a secret of at least thirty-two bytes";
const GUARDED: [(&str, &str); 4] = [
    ("WS_CONNECTIONS_TABLE", "connections"),
    ("WS_API_KEYS_TABLE", "api-keys"),
    ("AUTH_ENABLED", "true"),
    ("JWT_SECRET", SECRET),
];

/// An environment in which the later of two values for a name counts.
fn environment(pairs: &[&[(&'static str, &'static str)]]) -> Environment {
    let pairs = pairs.concat();
    Environment::new(move |name| pairs.iter().rfind(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned()))
}

fn faults<T: std::fmt::Debug>(result: Result<T, InvalidConfig>) -> Vec<ConfigFault> {
    result.unwrap_err().faults().cloned().collect()
}

#[test]
fn a_valid_environment_is_a_configuration() {
    let connect = ConnectConfig::read(&environment(&[&GUARDED])).unwrap();
    let access = connect.access.unwrap();
    assert_eq!((connect.connections_table.as_str(), access.api_keys_table.as_str()), ("connections", "api-keys"));
    assert!(matches!(access.tokens.keys, KeySource::Secret(_)));
    assert!(!connect.streaming_enabled && !connect.in_band && connect.origins.is_none());

    let open = environment(&[&[("WS_CONNECTIONS_TABLE", "connections"), ("AUTH_ENABLED", "false")]]);
    assert!(ConnectConfig::read(&open).unwrap().access.is_none(), "without authentication, no other table is needed");

    let broadcast = environment(&[&GUARDED, &[("WS_API_ENDPOINT", "http://localhost:3000/local")]]);
    let broadcast = BroadcastConfig::read(&broadcast).unwrap();
    assert_eq!((broadcast.concurrency, broadcast.split_at), (64, 5_000));
    assert_eq!((broadcast.event_bus, broadcast.dead_letter_queue), (None, None));
}

#[test]
fn all_faults_are_reported_together() {
    let missing = faults(ConnectConfig::read(&environment(&[])));
    assert_eq!(missing, [WS_CONNECTIONS_TABLE, AUTH_ENABLED].map(ConfigFault::Missing));

    let invalid = environment(&[
        &GUARDED,
        &[("WS_CONNECTIONS_TABLE", "x"), ("WS_API_KEYS_TABLE", ""), ("JWT_SECRET", "hunter2")],
        &[("AUTH_IN_BAND", "yes"), ("ALLOWED_ORIGINS", "everywhere")],
    ]);
    let expected = [
        ConfigFault::Invalid(WS_CONNECTIONS_TABLE),
        ConfigFault::Invalid(JWT_SECRET),
        ConfigFault::Missing(WS_API_KEYS_TABLE),
        ConfigFault::Invalid(AUTH_IN_BAND),
        ConfigFault::Invalid(ALLOWED_ORIGINS),
    ];
    let error = ConnectConfig::read(&invalid).unwrap_err();
    assert_eq!(error.faults().cloned().collect::<Vec<_>>(), expected);
    assert_eq!(error.to_string().lines().count(), expected.len(), "a line for each: {error}");
    assert!(!error.to_string().contains("hunter2") && !error.to_string().contains("everywhere"), "{error}");

    let invalid = environment(&[&[
        ("WS_CONNECTIONS_TABLE", "T#1"),
        ("WS_API_ENDPOINT", "wss://a.execute-api.eu-west-1.amazonaws.com/prod"),
        ("BROADCAST_CONCURRENCY", "10001"),
        ("BROADCAST_SPLIT_AT", "many"),
        ("EVENT_BUS_NAME", "bad bus!"),
        ("DEAD_LETTER_QUEUE_URL", "arn:aws:sqs:eu-west-1:123456789012:dead-letters"),
    ]]);
    let expected = [
        WS_CONNECTIONS_TABLE,
        WS_API_ENDPOINT,
        BROADCAST_CONCURRENCY,
        BROADCAST_SPLIT_AT,
        EVENT_BUS_NAME,
        DEAD_LETTER_QUEUE_URL,
    ];
    assert_eq!(faults(BroadcastConfig::read(&invalid)), expected.map(ConfigFault::Invalid));

    let both = [faults(DefaultConfig::read(&environment(&[]))), faults(DisconnectConfig::read(&environment(&[])))];
    assert_eq!(both[0], [WS_CONNECTIONS_TABLE, WS_API_ENDPOINT, AUTH_ENABLED].map(ConfigFault::Missing));
    assert_eq!(both[1], [WS_CONNECTIONS_TABLE].map(ConfigFault::Missing));
}

#[test]
fn a_table_switches_the_history_on_for_an_hour_or_the_given_minutes() {
    let read = |pairs: &[(&'static str, &'static str)]| {
        let history = HistoryConfig::read(&environment(&[pairs])).map_err(|error| error.faults().cloned().collect());
        history.map(|history| history.map(|HistoryConfig { table, retention }| (table, retention.as_secs())))
    };
    let on = |seconds| Ok::<_, Vec<ConfigFault>>(Some(("history".to_owned(), seconds)));
    let table = ("WS_HISTORY_TABLE", "history");
    assert_eq!(read(&[]), Ok(None));
    assert_eq!(read(&[table]), on(3600));
    for (minutes, seconds) in [("1", 60), ("60", 3600), ("1440", 86_400)] {
        assert_eq!(read(&[table, ("HISTORY_MINUTES", minutes)]), on(seconds));
        assert_eq!(read(&[("HISTORY_MINUTES", minutes)]), Err(vec![ConfigFault::Missing(WS_HISTORY_TABLE)]));
    }
    for pairs in [&[("HISTORY_MINUTES", "0")][..], &[table, ("HISTORY_MINUTES", "0")]] {
        assert_eq!(read(pairs), Ok(None), "{pairs:?}");
    }
    for minutes in ["1441", "-1", "1.5", "an hour", "18446744073709551616"] {
        let expected = Err(vec![ConfigFault::Invalid(HISTORY_MINUTES)]);
        assert_eq!(read(&[table, ("HISTORY_MINUTES", minutes)]), expected, "{minutes}");
    }
    let both = [ConfigFault::Invalid(WS_HISTORY_TABLE), ConfigFault::Invalid(HISTORY_MINUTES)].to_vec();
    assert_eq!(read(&[("WS_HISTORY_TABLE", "H#1"), ("HISTORY_MINUTES", "x")]), Err(both));
}

#[test]
fn broadcast_and_default_share_the_settings_of_the_history() {
    let history: &[(&'static str, &'static str)] = &[("WS_HISTORY_TABLE", "history"), ("HISTORY_MINUTES", "5")];
    let usual: &[(&'static str, &'static str)] = &[("WS_API_ENDPOINT", "http://localhost:3000/local")];
    let on = environment(&[&GUARDED, usual, history]);
    let (broadcast, default) = (BroadcastConfig::read(&on).unwrap(), DefaultConfig::read(&on).unwrap());
    for history in [broadcast.history, default.history] {
        let HistoryConfig { table, retention } = history.unwrap();
        assert_eq!((table.as_str(), retention.as_secs()), ("history", 300));
    }
    let off = environment(&[&GUARDED, usual]);
    assert!(BroadcastConfig::read(&off).unwrap().history.is_none());
    assert!(DefaultConfig::read(&off).unwrap().history.is_none());
    let invalid = environment(&[&GUARDED, usual, &[("HISTORY_MINUTES", "often")]]);
    assert_eq!(faults(BroadcastConfig::read(&invalid)), [ConfigFault::Invalid(HISTORY_MINUTES)]);
    assert_eq!(faults(DefaultConfig::read(&invalid)), [ConfigFault::Invalid(HISTORY_MINUTES)]);
}

#[test]
fn a_table_switches_entity_state_on_for_a_week_or_the_given_days() {
    let read = |pairs: &[(&'static str, &'static str)]| {
        let state = EntityStateConfig::read(&environment(&[pairs])).map_err(|error| error.faults().cloned().collect());
        state.map(|state| {
            state.map(|EntityStateConfig { table, retention, history }| {
                (table, retention.as_secs() / 86_400, history.as_secs())
            })
        })
    };
    let on = |days, history| Ok::<_, Vec<ConfigFault>>(Some(("history".to_owned(), days, history)));
    let table = ("WS_HISTORY_TABLE", "history");
    assert_eq!(read(&[]), Ok(None));
    assert_eq!(read(&[table]), on(7, 3600));
    assert_eq!(read(&[table, ("ENTITY_STATE", "true")]), on(7, 3600));
    for (days, number) in [("1", 1), ("30", 30), ("365", 365)] {
        assert_eq!(read(&[table, ("ENTITY_STATE_DAYS", days)]), on(number, 3600));
    }
    assert_eq!(read(&[table, ("HISTORY_MINUTES", "5")]), on(7, 300));
    assert_eq!(read(&[table, ("HISTORY_MINUTES", "0")]), on(7, 0), "entity state needs no history");
    for pairs in [&[("ENTITY_STATE", "false")][..], &[table, ("ENTITY_STATE", "false")], &[("ENTITY_STATE_DAYS", "7")]]
    {
        assert_eq!(read(pairs), Ok(None), "{pairs:?}");
    }
    assert_eq!(read(&[("ENTITY_STATE", "true")]), Err(vec![ConfigFault::Missing(WS_HISTORY_TABLE)]));
    for days in ["0", "366", "-1", "1.5", "a week", "18446744073709551616"] {
        let expected = Err(vec![ConfigFault::Invalid(ENTITY_STATE_DAYS)]);
        assert_eq!(read(&[table, ("ENTITY_STATE_DAYS", days)]), expected, "{days}");
    }
    for flag in ["yes", "TRUE", "1"] {
        assert_eq!(read(&[table, ("ENTITY_STATE", flag)]), Err(vec![ConfigFault::Invalid(ENTITY_STATE)]), "{flag}");
    }
    let pairs = [("WS_HISTORY_TABLE", "H#1"), ("ENTITY_STATE", "x"), ("ENTITY_STATE_DAYS", "y")];
    let all = [WS_HISTORY_TABLE, ENTITY_STATE, ENTITY_STATE_DAYS].map(ConfigFault::Invalid).to_vec();
    assert_eq!(read(&pairs), Err(all));
}

#[test]
fn three_functions_share_the_settings_of_entity_state() {
    let usual: &[(&'static str, &'static str)] = &[("WS_API_ENDPOINT", "http://localhost:3000/local")];
    let table: &[(&'static str, &'static str)] = &[("WS_HISTORY_TABLE", "history")];
    let read = |more: &[(&'static str, &'static str)]| {
        let environment = environment(&[&GUARDED, usual, more]);
        let broadcast = BroadcastConfig::read(&environment).unwrap().entity_state.is_some();
        let default = DefaultConfig::read(&environment).unwrap().entity_state.is_some();
        (broadcast, default, ConnectConfig::read(&environment).unwrap().keeps_states)
    };
    assert_eq!(read(&[]), (false, false, false));
    assert_eq!(read(table), (true, true, true));
    assert_eq!(read(&[table, &[("ENTITY_STATE", "false")]].concat()), (false, false, false));
    // The template gives the table to the other two functions only.
    let connect = ConnectConfig::read(&environment(&[&GUARDED, &[("ENTITY_STATE", "true")]])).unwrap();
    assert!(connect.keeps_states);
    let invalid = environment(&[&GUARDED, usual, table, &[("ENTITY_STATE", "often")]]);
    assert_eq!(faults(BroadcastConfig::read(&invalid)), [ConfigFault::Invalid(ENTITY_STATE)]);
    assert_eq!(faults(DefaultConfig::read(&invalid)), [ConfigFault::Invalid(ENTITY_STATE)]);
    assert_eq!(faults(ConnectConfig::read(&invalid)), [ConfigFault::Invalid(ENTITY_STATE)]);
}

#[test]
fn exactly_one_source_of_keys_is_set() {
    let error = |pairs: &[(&'static str, &'static str)]| {
        TokenConfig::read(&environment(&[&[("AUTH_ENABLED", "true")], pairs])).unwrap_err().to_string()
    };
    assert_eq!(error(&[]), "set exactly one of JWT_SECRET, JWT_SECRET_ARN and JWT_JWKS_URL; found none");
    assert_eq!(
        error(&[("JWT_SECRET", SECRET), ("JWT_JWKS_URL", "https://issuer.example.com/keys")]),
        "set exactly one of JWT_SECRET, JWT_SECRET_ARN and JWT_JWKS_URL; found JWT_SECRET and JWT_JWKS_URL"
    );
    assert_eq!(
        error(&[("JWT_SECRET", SECRET), ("JWT_SECRET_ARN", "arn:x"), ("JWT_JWKS_URL", "https://x")]),
        "set exactly one of JWT_SECRET, JWT_SECRET_ARN and JWT_JWKS_URL; \
         found JWT_SECRET, JWT_SECRET_ARN and JWT_JWKS_URL"
    );
    assert!(error(&[("JWT_JWKS_URL", "http://issuer.example.com")]).starts_with("JWT_JWKS_URL is invalid: expected "));
    let arn = TokenConfig::read(&environment(&[&[("AUTH_ENABLED", "true"), ("JWT_SECRET_ARN", "arn:x")]]));
    assert!(matches!(arn.unwrap().unwrap().keys, KeySource::SecretArn(arn) if arn == "arn:x"));
}

#[test]
fn without_a_valid_flag_only_the_keys_that_are_set_are_judged() {
    assert_eq!(faults(TokenConfig::read(&environment(&[]))), [ConfigFault::Missing(AUTH_ENABLED)]);
    let short = environment(&[&[("AUTH_ENABLED", "yes"), ("JWT_SECRET", "hunter2")]]);
    assert_eq!(faults(TokenConfig::read(&short)), [AUTH_ENABLED, JWT_SECRET].map(ConfigFault::Invalid));
    let off = environment(&[&[("AUTH_ENABLED", "false"), ("JWT_SECRET", "hunter2"), ("JWT_SECRET_ARN", "arn:x")]]);
    assert!(TokenConfig::read(&off).unwrap().is_none(), "without authentication, no key counts");
}

#[test]
fn a_list_with_an_empty_entry_is_refused_and_never_read_as_no_list() {
    let lists = [
        (JWT_AUDIENCE, "web"),
        (JWT_TENANT_CLAIMS, "tenant"),
        (JWT_ROLES, "editor=user"),
        (PUBLIC_TENANTS, "open"),
        (ALLOWED_ORIGINS, "https://app.example.com"),
        (INGEST_TENANT_MAP, "a=b"),
    ];
    for (variable, entry) in lists {
        let read = |text: String| {
            let settings = Environment::new(move |name| {
                let own = (name == variable.name).then(|| text.clone());
                own.or_else(|| environment(&[&GUARDED]).lookup(name))
            });
            match variable {
                INGEST_TENANT_MAP => IngestConfig::read(&settings).map(drop),
                _ => ConnectConfig::read(&settings).map(drop),
            }
        };
        for text in [",", " ", " , ", &format!("{entry},"), &format!(",{entry}"), &format!("{entry},,x{entry}")] {
            assert_eq!(faults(read(text.to_owned())), [ConfigFault::Invalid(variable)], "{text:?}");
        }
        for text in ["", entry, &format!(" {entry} , x{entry} ")] {
            let is_origin = variable == ALLOWED_ORIGINS && text.contains(" x");
            assert!(is_origin || read(text.to_owned()).is_ok(), "{} {text:?}", variable.name);
        }
    }
}

#[test]
fn the_audiences_are_the_entries_of_the_list() {
    let audiences = |text: &'static str| {
        let tokens = TokenConfig::read(&environment(&[&GUARDED, &[("JWT_AUDIENCE", text)]])).unwrap();
        tokens.unwrap().audiences
    };
    assert_eq!(audiences(" es , web"), ["es", "web"]);
    assert!(audiences("").is_empty(), "an empty text is not set");
}

#[test]
fn an_error_names_the_variable_and_the_expected_value() {
    let error = DisconnectConfig::read(&environment(&[])).unwrap_err().to_string();
    assert_eq!(error, "WS_CONNECTIONS_TABLE is not set: expected the name or ARN of the DynamoDB table of connections");
    let fault = ConfigFault::NotExactlyOne { expected: vec![JWT_SECRET, JWT_SECRET_ARN], found: vec![JWT_JWKS_URL] };
    assert_eq!(fault.to_string(), "set exactly one of JWT_SECRET and JWT_SECRET_ARN; found JWT_JWKS_URL");
}

#[test]
fn only_true_switches_streaming_on() {
    for (value, enabled) in [("true", true), ("yes", false), ("TRUE", false), ("", false)] {
        let config = ConnectConfig::read(&environment(&[&GUARDED, &[("EVENT_STREAMING_ENABLED", value)]]));
        assert_eq!(config.unwrap().streaming_enabled, enabled, "{value:?}");
    }
}

#[test]
fn an_endpoint_is_an_http_url_with_a_stage() {
    let read = |endpoint: &str| {
        let endpoint = endpoint.to_owned();
        DefaultConfig::read(&Environment::new(move |name| match name {
            "WS_API_ENDPOINT" => Some(endpoint.clone()),
            "AUTH_ENABLED" => Some("false".to_owned()),
            _ => Some("connections".to_owned()).filter(|_| name == "WS_CONNECTIONS_TABLE"),
        }))
    };
    for endpoint in [
        "https://a1b2c3.execute-api.eu-west-1.amazonaws.com/prod",
        "https://a1b2c3.execute-api.eu-west-1.amazonaws.com/prod/",
        "HTTPS://stream.example.com",
        "http://localhost:3000",
        "http://127.0.0.1:3000/local",
        "http://[::1]:3000/local",
    ] {
        assert!(read(endpoint).is_ok(), "{endpoint}");
    }
    for endpoint in [
        "wss://a.execute-api.eu-west-1.amazonaws.com/prod",
        "https://a.execute-api.eu-west-1.amazonaws.com",
        "https://a.execute-api.eu-west-1.amazonaws.com/",
        "a.execute-api",
        "https://",
        "https://a b/prod",
        "https://host:99999/prod",
        "https://user:secret@host/prod",
        "http://[::1/prod",
        "https://host/prod?x=1",
        "https://host/prod#x",
    ] {
        assert_eq!(faults(read(endpoint)), [ConfigFault::Invalid(WS_API_ENDPOINT)], "{endpoint}");
    }
}

#[test]
fn merged_errors_name_each_fault_once() {
    let errors =
        [DisconnectConfig::read(&environment(&[])).unwrap_err(), DefaultConfig::read(&environment(&[])).unwrap_err()];
    let merged = InvalidConfig::merged(&errors).unwrap();
    let expected = [WS_CONNECTIONS_TABLE, WS_API_ENDPOINT, AUTH_ENABLED].map(ConfigFault::Missing);
    assert_eq!(merged.faults().cloned().collect::<Vec<_>>(), expected);
    assert_eq!(InvalidConfig::merged([]), None);
}
