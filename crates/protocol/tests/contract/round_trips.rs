//! Reading is the inverse of writing, for every message in both directions.

use entity_stream_protocol::{
    AccessToken, Action, Answer, ChangeType, ClientMessage, CloudEvent, DpopProof, EntityChange, EpochMillis,
    ErrorCode, Event, EventMessage, EventType, Filter, Format, GatewayError, MessageForm, NotRecovered, Recovery,
    Rejection, RequestId, ServerMessage, StateNotice, Subscribe,
};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::entity_state::{revision, token};
use crate::history::{position, recovery, session, since};
use crate::subscriptions::{name, subscriptions, view};

fn request_id() -> impl Strategy<Value = Option<RequestId>> {
    prop::option::of(any::<String>().prop_filter_map("it is too long", |id| RequestId::parse(id).ok()))
}

/// Any verdict, of a newer server too.
fn any_recovery() -> impl Strategy<Value = Recovery> {
    prop_oneof![
        3 => recovery(),
        1 => any::<String>().prop_map(|reason| Recovery::NotRecovered(NotRecovered::from(reason))),
    ]
}

fn client_message() -> impl Strategy<Value = ClientMessage> {
    let action = prop_oneof![
        3 => subscribe().prop_map(Action::Subscribe),
        1 => token().prop_map(|next| Action::Snapshot { next }),
        1 => name().prop_map(|subscription| Action::Unsubscribe { subscription }),
        1 => Just(Action::Ping),
        1 => Just(Action::Sync),
        1 => any::<String>()
            .prop_filter_map("it is empty", |token| AccessToken::new(&token))
            .prop_flat_map(|token| (Just(token), prop::option::of(proof())))
            .prop_map(|(token, proof)| Action::Authenticate { token, proof }),
        1 => proof().prop_map(|proof| Action::DpopBind { proof }),
    ];
    (action, request_id()).prop_map(|(action, request_id)| ClientMessage { action, request_id })
}

fn proof() -> impl Strategy<Value = DpopProof> {
    any::<String>().prop_filter_map("it is empty", |proof| DpopProof::new(&proof))
}

fn subscribe() -> impl Strategy<Value = Subscribe> {
    (subscriptions(), any::<u32>(), prop::option::of(since())).prop_map(|(subscriptions, chosen, since)| {
        let names = subscriptions.as_slice().iter().enumerate();
        let chosen = names.filter(|(index, _)| chosen >> index & 1 == 1);
        let snapshots = chosen.map(|(_, subscription)| subscription.name.clone()).collect();
        Subscribe { subscriptions, snapshots, since }
    })
}

fn error_code() -> impl Strategy<Value = ErrorCode> {
    prop_oneof![prop::sample::select(ErrorCode::ALL.to_vec()), any::<String>().prop_map(ErrorCode::from)]
}

fn answer() -> impl Strategy<Value = Answer> {
    // The wire has whole seconds.
    let expires_at = prop::option::of((0..i64::from(u32::MAX)).prop_map(|seconds| EpochMillis::new(seconds * 1000)));
    let rejection = (error_code(), any::<String>(), any::<Option<String>>(), name(), request_id()).prop_map(
        |(code, message, action, name, request_id)| {
            let subscription = Some(name).filter(|name| !name.is_default());
            Rejection { code, message, action, subscription, request_id }
        },
    );
    prop_oneof![
        (
            subscriptions(),
            prop::option::of(position()),
            prop::option::of(session()),
            prop::option::of(any_recovery()),
            (any::<Option<u32>>(), prop::option::of(token())),
            request_id()
        )
            .prop_map(|(subscriptions, position, session, recovery, (snapshot, snapshot_next), request_id)| {
                Answer::Subscribed { subscriptions, position, session, recovery, snapshot, snapshot_next, request_id }
            }),
        (any::<u32>(), prop::option::of(token()), request_id())
            .prop_map(|(snapshot, snapshot_next, request_id)| Answer::Snapshot { snapshot, snapshot_next, request_id }),
        (position(), request_id()).prop_map(|(position, request_id)| Answer::Synced { position, request_id }),
        (name(), request_id()).prop_map(|(subscription, request_id)| Answer::Unsubscribed { subscription, request_id }),
        request_id().prop_map(|request_id| Answer::Pong { request_id }),
        request_id().prop_map(|request_id| Answer::DpopVerified { request_id }),
        (expires_at, request_id())
            .prop_map(|(expires_at, request_id)| Answer::Authenticated { expires_at, request_id }),
        rejection.prop_map(Answer::Error),
    ]
}

pub(crate) fn json_object() -> impl Strategy<Value = Value> {
    let value = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        any::<i64>().prop_map(|number| json!(number)),
        any::<String>().prop_map(Value::String),
    ];
    prop::collection::hash_map(any::<String>(), value, 0..4).prop_map(|fields| json!(fields))
}

pub(crate) fn entity_type() -> impl Strategy<Value = Value> {
    prop_oneof![
        "\\PC{1,9}".prop_map(Value::String),
        prop::collection::vec("\\PC{1,9}", 1..4).prop_map(|types| json!(types)),
    ]
}

pub(crate) fn entity_change() -> impl Strategy<Value = EntityChange> {
    let change_type = prop::sample::select(ChangeType::ALL.to_vec());
    let names = prop::option::of(prop::collection::vec(any::<String>(), 0..4));
    let context = prop::option::of(prop_oneof![any::<String>().prop_map(Value::String), json_object()]);
    let texts = (any::<Option<String>>(), "\\PC{1,20}", prop::option::of("\\PC{0,30}"), context);
    (change_type, "[a-z0-9]{1,9}", texts, entity_type(), prop::option::of(json_object()), names).prop_filter_map(
        "a text is too long",
        |(change_type, tenant, (service_path, entity_id, timestamp, context), entity_type, data, names)| {
            let detail = json!({
                "type": change_type, "tenant": tenant, "servicePath": service_path, "entityId": entity_id,
                "entityType": entity_type, "data": data, "changedAttributes": names, "timestamp": timestamp, "@context": context,
            });
            EntityChange::parse(&detail.to_string()).ok()
        },
    )
}

fn form() -> impl Strategy<Value = MessageForm> {
    let format = prop::sample::select(vec![Format::Json, Format::CloudEvents]);
    let names = prop::collection::btree_set(name(), 0..4).prop_map(Vec::from_iter);
    (format, view(), names, prop::bool::weighted(0.2)).prop_map(|(format, view, subscriptions, has_left)| MessageForm {
        format,
        view,
        subscriptions,
        has_left,
    })
}

/// Raw JSON has no equality. `Debug` shows every field, `data` as its text.
fn same(one: &impl std::fmt::Debug, other: &impl std::fmt::Debug) -> Result<(), TestCaseError> {
    prop_assert_eq!(format!("{one:?}"), format!("{other:?}"));
    Ok(())
}

proptest! {
    #[test]
    fn a_client_message_reads_back(message in client_message()) {
        let read = ClientMessage::parse(&message.to_json());
        prop_assert_eq!(read.as_ref(), Ok(&message));
        prop_assert_eq!(read.unwrap().to_json(), message.to_json());
    }

    #[test]
    fn an_answer_reads_back(answer in answer()) {
        let text = answer.to_json();
        let read = ServerMessage::parse(&text).unwrap();
        prop_assert_eq!(read.to_json(), text.clone());
        match read {
            ServerMessage::Answer(read) => prop_assert_eq!(read, answer),
            other => prop_assert!(false, "{:?}", other),
        }
    }

    #[test]
    fn an_event_reads_back_in_each_form(
        change in entity_change(),
        id in any::<String>(),
        truncated: bool,
        position in prop::option::of(position()),
        replayed: bool,
        (revision, is_snapshot) in (prop::option::of(revision()), prop::bool::weighted(0.2)),
        has_no_state: bool,
        form in form(),
    ) {
        let mut event = Event::new(id.as_str(), "2026-01-02T03:04:05Z", change.clone()).revised(revision.clone());
        if let Some(position) = position.clone() {
            event = event.at(position);
        }
        if replayed {
            event = event.replayed(None);
        }
        let has_no_state = has_no_state && revision.is_none();
        if has_no_state {
            event.set_without_state();
        }
        if is_snapshot {
            event = event.into_snapshot();
        }
        let nothing = serde_json::value::RawValue::from_string("{}".to_owned()).unwrap();
        for form in [&form, &form.format.into()] {
            let text = if truncated { event.truncated_message(form) } else { event.message(form) };
            let read = ServerMessage::parse(&text).unwrap();
            prop_assert_eq!(read.to_json(), text.clone());
            let message = read.event().unwrap();
            let event_type = match (form.has_left, is_snapshot) {
                (true, _) => EventType::EntityLeft,
                (false, true) => EventType::EntitySnapshot,
                (false, false) => change.change_type.into(),
            };
            let is_change = event_type == change.change_type.into();
            let truncated = truncated && !form.has_left;
            let data = if truncated { std::borrow::Cow::Borrowed(&*nothing) } else { form.view.apply(&change.data) };
            let previous = revision.as_ref().and_then(|revision| revision.previous.as_deref());
            let previous = previous.filter(|_| form.view.shows_changes() && !truncated && !form.has_left);
            let shows_entity = !form.has_left && (is_snapshot || form.view.shows_whole_entity());
            let is_partial = revision.as_ref().is_some_and(|revision| revision.is_partial);
            let partial = shows_entity && (is_partial || truncated);
            same(message, &EventMessage {
                event_type,
                previous: previous.map(|previous| form.view.apply(previous)).filter(|shown| shown.get() != nothing.get()),
                version: revision.as_ref().map(|revision| revision.version),
                late: revision.as_ref().is_some_and(|revision| revision.is_late),
                partial: partial && !form.has_left,
                state: (has_no_state && !form.has_left).then_some(StateNotice::Unavailable),
                id: id.as_str().into(),
                tenant: change.tenant.as_str().into(),
                service_path: change.service_path.as_str().into(),
                entity_id: change.entity_id.as_str().into(),
                entity_type: std::borrow::Cow::Borrowed(&change.entity_types),
                data: Some(data).filter(|_| !form.has_left),
                truncated,
                data_bytes: truncated.then_some(change.data.get().len().try_into().unwrap()),
                changed_attributes: change.changed_attributes.as_deref().filter(|_| is_change).map(std::borrow::Cow::Borrowed),
                context: change.context.as_deref().filter(|_| !form.has_left).map(std::borrow::Cow::Borrowed),
                timestamp: change.timestamp.as_deref().unwrap_or("2026-01-02T03:04:05Z").into(),
                subscriptions: Some(form.subscriptions.as_slice().into()).filter(|_| !form.subscriptions.is_empty()),
                position: position.clone(),
                replayed,
            })?;
            match &read {
                ServerMessage::Event(message) => {
                    prop_assert_eq!(form.format, Format::Json);
                    same(message, &message.clone().into_owned())?;
                }
                ServerMessage::CloudEvent(message) => {
                    prop_assert_eq!(form.format, Format::CloudEvents);
                    same(message, &message.clone().into_owned())?;
                    same(message, &CloudEvent::new(message.time.clone(), message.data.clone()))?;
                }
                other => prop_assert!(false, "{:?}", other),
            }
        }
    }

    #[test]
    fn the_events_of_a_frame_read_back(
        events in prop::collection::vec((entity_change(), form()), 0..5),
        other in prop::option::of("[a-z]{1,5}"),
    ) {
        let messages = events.iter().map(|(change, form)| Event::new("e", "2026-01-02T03:04:05Z", change.clone()).message(form));
        let newer = other.map(|name| format!(r#"{{"type":"x{name}"}}"#));
        let messages: Vec<_> = messages.chain(newer).collect();
        let frame = format!(r#"{{"type":"events","events":[{}]}}"#, messages.join(","));
        let read = ServerMessage::parse(&frame).unwrap();
        prop_assert_eq!(read.to_json(), frame.clone());
        prop_assert_eq!(read.events().count(), events.len());
        prop_assert!(read.event().is_none());
    }

    #[test]
    fn a_change_reads_back(change in entity_change()) {
        same(&EntityChange::parse(&change.to_json()).unwrap(), &change)?;
    }

    #[test]
    fn a_gateway_error_reads_back(message: String, connection_id: String, request_id: String) {
        let error = GatewayError { message, connection_id, request_id };
        match ServerMessage::parse(&error.to_json()).unwrap() {
            ServerMessage::GatewayError(read) => prop_assert_eq!(read, error),
            other => prop_assert!(false, "{:?}", other),
        }
    }

    #[test]
    fn any_text_is_read_or_refused(text: String) {
        let _ = ServerMessage::parse(&text);
    }

    #[test]
    fn any_object_is_read_or_refused(
        message_type in prop::option::of(prop_oneof![
            prop::sample::select(vec!["entityUpdated", "entityLeft", "entitySnapshot", "subscribed", "snapshot", "pong", "synced", "authenticated", "dpop_verified", "error", "events"])
                .prop_map(str::to_owned),
            any::<String>(),
        ]),
        fields in prop::collection::hash_map(
            prop::sample::select(vec![
                "specversion", "message", "code", "requestId", "connectionId", "entityTypes", "idPattern", "expiresAt",
                "id", "tenant", "servicePath", "entityId", "entityType", "data", "timestamp", "subscription",
                "subscriptions", "q", "geoQ", "attributes", "representation", "position", "session", "recovered",
                "reason", "replayed", "events", "version", "late", "partial", "previous", "state", "snapshot", "snapshotNext",
                "wholeEntity", "showChanges",
            ]),
            prop_oneof![json_object(), any::<String>().prop_map(Value::String), any::<i32>().prop_map(|n| json!(n))],
            0..16,
        ),
    ) {
        let mut frame = json!(fields);
        if let Some(message_type) = message_type {
            frame["type"] = json!(message_type);
        }
        let text = frame.to_string();
        if let Ok(message) = ServerMessage::parse(&text) {
            prop_assert!(ServerMessage::parse(&message.to_json()).is_ok());
        }
    }
}

#[test]
fn a_message_of_a_newer_server_is_kept() {
    for frame in [r#"{"type":"entityMoved","id":"1"}"#, r#"{ "specversion" : "1.0", "type":"entityMoved" }"#, "{}"] {
        let message = ServerMessage::parse(frame).unwrap();
        assert!(matches!(message, ServerMessage::Other(_)), "{message:?}");
        assert_eq!(message.to_json(), frame);
    }
}

#[test]
fn new_fields_of_a_known_message_are_ignored() {
    let frame = r#"{"type":"subscribed","speed":120,"requestId":"1"}"#;
    let ServerMessage::Answer(answer) = ServerMessage::parse(frame).unwrap() else { panic!("an answer is expected") };
    let request_id = RequestId::parse("1").ok();
    let subscriptions = Filter::default().into();
    assert_eq!(
        answer,
        Answer::Subscribed {
            subscriptions,
            position: None,
            session: None,
            recovery: None,
            snapshot: None,
            snapshot_next: None,
            request_id
        }
    );
    let frame = r#"{"type":"entityDeleted","id":"1","tenant":"t","servicePath":"/","entityId":"i","entityType":"T",
        "revision":7,"timestamp":"2026-01-02T03:04:05Z"}"#;
    let message = ServerMessage::parse(frame).unwrap();
    assert_eq!(message.event().unwrap().entity_id, "i");
}

#[test]
fn a_frame_that_breaks_the_contract_is_refused() {
    for frame in [
        "",
        "[]",
        "7",
        r#"{"type":7}"#,
        r#"{"type":"entityUpdated","id":"1"}"#,
        r#"{"type":"error","code":"internal"}"#,
        r#"{"type":"pong","requestId":1}"#,
        r#"{"type":"authenticated","expiresAt":"tomorrow"}"#,
        r#"{"type":"subscribed","entityTypes":[""]}"#,
        r#"{"type":"subscribed","subscription":"a b"}"#,
        r#"{"type":"subscribed","representation":"simplified"}"#,
        r#"{"type":"subscribed","geoQ":{"georel":"near"}}"#,
        r#"{"type":"unsubscribed","subscription":7}"#,
        r#"{"message":"Internal server error"}"#,
        r#"{"type":"subscribed","position":""}"#,
        r#"{"type":"subscribed","session":"a/b"}"#,
        r#"{"type":"subscribed","recovered":"yes","replayed":0}"#,
        r#"{"type":"subscribed","recovered":true,"replayed":-1}"#,
        r#"{"type":"subscribed","recovered":false,"reason":7}"#,
        r#"{"type":"subscribed","wholeEntity":"yes"}"#,
        r#"{"type":"subscribed","snapshot":"all"}"#,
        r#"{"type":"subscribed","snapshot":1,"snapshotNext":""}"#,
        r#"{"type":"snapshot"}"#,
        r#"{"type":"entityLeft","id":"1"}"#,
        r#"{"type":"entityDeleted","id":"1","tenant":"t","servicePath":"/","entityId":"i","entityType":"T","timestamp":"x","version":"7"}"#,
        r#"{"type":"synced"}"#,
        r#"{"type":"synced","position":"a b"}"#,
        r#"{"type":"events"}"#,
        r#"{"type":"events","events":[7]}"#,
        r#"{"type":"events","events":[{"type":"entityUpdated","id":"1"}]}"#,
    ] {
        let error = ServerMessage::parse(frame).unwrap_err().to_string();
        assert!(error.starts_with("the frame is not a message of the contract: "), "{error}");
    }
}
