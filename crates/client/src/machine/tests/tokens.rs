//! Tokens of a token source.

use entity_stream_protocol::AccessToken;

use super::*;
use crate::error::ErrorKind;
use crate::renewal::{FreshToken, HeldToken};

fn with_token_source() -> Driven {
    let now = Instant::now();
    let conduct = StreamConduct { has_token_source: true, ..conduct(true) };
    let mut driven = Driven { machine: Machine::new(vec![Subscription::default()], None, conduct, now), now };
    driven.elapse();
    driven
}

fn refused() -> ClientError {
    ClientError::Closed { code: CloseCode::PolicyViolation, reason: "expired".to_owned() }
}

fn held(left: Duration) -> Option<HeldToken> {
    Some(HeldToken { token: AccessToken::new("first").unwrap(), left: Some(left) })
}

fn fresh(left: Duration) -> FreshToken {
    FreshToken { token: AccessToken::new("secret").unwrap(), proof: None, left: Some(left) }
}

/// A stream whose token lasts for this time.
fn streaming_with(left: Duration) -> Driven {
    let mut driven = with_token_source();
    driven.machine.use_token(held(left), driven.now);
    driven.step(Input::Opened);
    driven.receive(&subscribed());
    driven.items();
    driven
}

/// Lets the time pass to the next step of anything.
fn elapse(driven: &mut Driven) -> Effects {
    driven.now = driven.machine.deadline().unwrap().max(driven.now);
    let send = driven.machine.step(Input::Elapsed, driven.now);
    Effects { send, item: driven.machine.next_item() }
}

#[test]
fn a_second_refused_token_ends_the_stream_and_a_subscription_forgives_the_first() {
    let mut driven = with_token_source();
    for _ in 0..3 {
        assert!(matches!(driven.step(Input::Failed(refused())).item, Some(Ok(StreamItem::Disconnected { .. }))));
        assert!(driven.machine.needs_other_token());
        driven.elapse();
        driven.step(Input::Opened);
        driven.receive(&subscribed());
        driven.items();
        assert!(!driven.machine.needs_other_token());
    }
    driven.step(Input::Failed(refused()));
    driven.elapse();
    let item = driven.step(Input::Failed(refused())).item;
    assert!(matches!(item, Some(Err(error)) if error.kind() == ErrorKind::CredentialRefused));
    assert_eq!(driven.machine.state(), StreamState::Closed);
}

#[test]
fn the_refused_token_again_ends_the_stream() {
    let mut driven = with_token_source();
    driven.step(Input::Failed(refused()));
    driven.elapse();
    let item = driven.step(Input::Failed(ClientError::TokenRefusedAgain)).item;
    assert!(matches!(item, Some(Err(ClientError::TokenRefusedAgain))));
}

/// The refusal of a renewal is no attempt to connect: the next refusal gets one more attempt, with another token.
#[test]
fn a_refused_renewal_is_no_refused_connection() {
    for second in [ClientError::TokenRefusedAgain, refused()] {
        let mut driven = streaming_with(Duration::from_secs(240));
        elapse(&mut driven);
        driven.step(Input::Token(Ok(Some(fresh(Duration::from_secs(240))))));
        let refusal = json!({ "type": "error", "code": "unauthorized", "message": "no", "requestId": "token-1" });
        driven.receive(&refusal.to_string());
        assert!(driven.machine.needs_other_token());
        driven.step(Input::Failed(lost()));
        driven.elapse();
        let item = driven.step(Input::Failed(ClientError::TokenRefusedAgain)).item;
        assert!(matches!(item, Some(Ok(StreamItem::Disconnected { .. }))), "{item:?}");
        driven.elapse();
        assert!(matches!(driven.step(Input::Failed(second)).item, Some(Err(_))));
    }
}

#[test]
fn a_token_is_renewed_in_band() {
    let life = Duration::from_secs(60);
    let mut driven = streaming_with(life);
    for number in 1..4 {
        assert!(elapse(&mut driven).send.is_none());
        assert!(driven.machine.wants_token());
        let effects = driven.step(Input::Token(Ok(Some(fresh(life)))));
        let id = format!("token-{number}");
        assert_eq!(sent(&effects), format!(r#"{{"action":"authenticate","token":"secret","requestId":"{id}"}}"#));
        assert!(driven.receive(&answer("authenticated", &id)).item.is_none());
    }
    assert!(matches!(driven.machine.state(), StreamState::Streaming { .. }));
}

#[test]
fn a_token_that_is_not_renewed_ends_the_connection_and_not_the_stream() {
    let mut driven = streaming_with(Duration::from_secs(240));
    elapse(&mut driven);
    let effects = driven.step(Input::Token(Err(ClientError::TokenUnavailable("no"))));
    assert!(matches!(effects.item, Some(Ok(StreamItem::TokenNotRenewed { .. }))));
    elapse(&mut driven);
    driven.step(Input::Token(Ok(Some(fresh(Duration::from_secs(240))))));
    let refusal = json!({ "type": "error", "code": "unauthorized", "message": "no", "requestId": "token-1" });
    assert!(matches!(driven.receive(&refusal.to_string()).item, Some(Ok(StreamItem::TokenNotRenewed { .. }))));
    let item = elapse(&mut driven).item;
    assert!(
        matches!(
            item,
            Some(Ok(StreamItem::Disconnected { error: ClientError::TokenExpired, was_subscribed: true, .. }))
        ),
        "{item:?}"
    );
}

fn until_a_token_is_wanted(driven: &mut Driven) {
    while !driven.machine.wants_token() {
        assert!(matches!(driven.machine.state(), StreamState::Streaming { .. }));
        elapse(driven);
        driven.receive(&json!({ "type": "pong" }).to_string());
    }
}

/// The token that the connection has is the one that the server accepted last, and a refused one is not sent with a handshake
/// either.
#[test]
fn a_connection_holds_the_token_that_was_accepted() {
    let life = Duration::from_secs(240);
    let mut driven = streaming_with(life);
    let held = |driven: &Driven| driven.machine.held_token().map(|token| token.expose().to_owned());
    assert_eq!(held(&driven).as_deref(), Some("first"));
    elapse(&mut driven);
    driven.step(Input::Token(Ok(Some(fresh(life)))));
    let unsure = json!({ "type": "error", "code": "internal", "message": "later", "requestId": "token-1" });
    driven.receive(&unsure.to_string());
    assert_eq!(held(&driven).as_deref(), Some("first"), "the same token can be sent again");
    assert!(!driven.machine.needs_other_token());
    until_a_token_is_wanted(&mut driven);
    driven.step(Input::Token(Ok(Some(fresh(life)))));
    driven.receive(&answer("authenticated", "token-2"));
    assert_eq!(held(&driven).as_deref(), Some("secret"));
    until_a_token_is_wanted(&mut driven);
    driven.step(Input::Token(Ok(Some(fresh(life)))));
    let refusal = json!({ "type": "error", "code": "unauthorized", "message": "no", "requestId": "token-3" });
    driven.receive(&refusal.to_string());
    assert!(driven.machine.needs_other_token());
}

#[test]
fn the_answer_to_a_renewal_is_due_in_time() {
    let mut driven = streaming_with(Duration::from_secs(240));
    elapse(&mut driven);
    driven.step(Input::Token(Ok(Some(fresh(Duration::from_secs(240))))));
    let item = elapse(&mut driven).item;
    assert!(matches!(item, Some(Ok(StreamItem::Disconnected { error: ClientError::Timeout(ANSWER), .. }))));
}
