use std::borrow::Cow;
use std::time::Duration;

use aws_lambda_events::apigw::{ApiGatewayV2httpRequest, ApiGatewayV2httpResponse};
use entity_stream_auth::{Authenticator, HandshakeCredentials, Identity, Refusal, Refused, Role};
use entity_stream_clock::Clock;
use entity_stream_protocol::{EntityChange, Tenant};
use entity_stream_publisher::{BusEntry, Publisher};
use entity_stream_runtime::{AwsServices, Failure, IngestConfig, SecretError};
use lambda_runtime::LambdaEvent;
use tokio::time::{Instant, timeout_at};
use tracing::Instrument;

use crate::forwarding::{OutgoingEntity, forward};
use crate::notification::{NotificationFacts, read_notification};
use crate::notify_request::NotifyRequest;
use crate::problem::NotifyProblem;
use crate::refused_entity::{EntityFault, RefusedEntity};
use crate::tenant_rule::TenantRule;

/// The `source` of the events, unless the deployment streams the events of one source only.
const SOURCE: &str = "entity-stream.ingest";
/// The time to answer: to check the credential and to put all entities on the bus, repetitions included. Orion waits for five
/// seconds by default.
const ANSWER_TIME: Duration = Duration::from_secs(4);

/// The metric that counts notifications of which every entity is on the bus.
const NOTIFICATIONS: &str = "Notifications";
/// The metric that counts entities on the bus.
const INGESTED: &str = "Ingested";
/// The metric that counts notifications of senders with a valid credential that were refused, as a whole or in part.
const REFUSED_NOTIFICATIONS: &str = "RefusedNotifications";
/// The metric that counts notifications that failed by a fault of the service. For Lambda such an answer is a success.
const INGEST_FAULTS: &str = "IngestFaults";
/// The metric that counts refused credentials by their reason.
const REFUSALS: &str = "Refusals";

/// The function, ready for notifications.
#[derive(Clone, Debug)]
pub struct Ingest {
    is_enabled: bool,
    authenticator: Option<Authenticator>,
    tenants: TenantRule,
    publisher: Publisher,
    source: Cow<'static, str>,
    clock: Clock,
}

impl Ingest {
    /// Creates the function from its configuration.
    ///
    /// # Errors
    /// [`SecretError`] if the secret of `JWT_SECRET_ARN` cannot be used.
    pub async fn new(config: IngestConfig, aws: &AwsServices, clock: Clock) -> Result<Self, SecretError> {
        let client = aws_sdk_eventbridge::Client::new(&aws.event_bridge);
        Ok(Self {
            is_enabled: config.is_enabled,
            authenticator: match config.access {
                Some(access) => Some(aws.authenticator(access).await?),
                None => None,
            },
            tenants: TenantRule { names: config.tenant_map, default: config.default_tenant },
            publisher: match config.event_bus {
                Some(bus) => Publisher::new(client, bus),
                None => Publisher::to_default_bus(client),
            },
            source: config.source.map_or(Cow::Borrowed(SOURCE), Cow::Owned),
            clock,
        })
    }

    /// Handles one request.
    ///
    /// # Errors
    /// None: every problem is an answer.
    pub async fn handle(
        &self,
        event: LambdaEvent<ApiGatewayV2httpRequest>,
    ) -> Result<ApiGatewayV2httpResponse, Failure> {
        let request = NotifyRequest(&event.payload);
        let span = tracing::info_span!(
            "request",
            function = "ingest",
            tenant = tracing::field::Empty,
            request_id = request.request_id()
        );
        Ok(self.answer(&request).instrument(span).await)
    }

    async fn answer(&self, request: &NotifyRequest<'_>) -> ApiGatewayV2httpResponse {
        let deadline = Instant::now() + ANSWER_TIME;
        let admitted = match self.admit(request, deadline).await {
            Ok(admitted) => admitted,
            Err(problem) => {
                note(&problem);
                return problem.answer();
            }
        };
        match self.publish(request, &admitted, deadline).await {
            Ok(()) => {
                metrics::counter!(NOTIFICATIONS).increment(1);
                let mut response = ApiGatewayV2httpResponse::default();
                response.status_code = 204;
                response
            }
            Err(problem) => {
                note(&problem);
                problem.answer()
            }
        }
    }

    /// Checks the sender: switch, target, credential, tenant and access, in this order.
    async fn admit(&self, request: &NotifyRequest<'_>, deadline: Instant) -> Result<AdmittedSender, NotifyProblem> {
        if !self.is_enabled {
            return Err(NotifyProblem::SwitchedOff);
        }
        request.check_target()?;
        let identity = match &self.authenticator {
            Some(authenticator) => Some(self.identify(authenticator, request, deadline).await?),
            None => None,
        };
        let tenant = self.tenants.tenant(request.headers()).map_err(NotifyProblem::Tenant)?;
        tracing::Span::current().record("tenant", tenant.as_str());
        if let Some(identity) = identity.as_ref().filter(|identity| !identity.may_publish_to(&tenant)) {
            let is_listener = identity.role == Role::User;
            tracing::warn!(subject = identity.subject, source_ip = request.source_ip(), "refused: may not publish");
            return Err(if is_listener { NotifyProblem::MayNotPublish } else { NotifyProblem::OtherTenant });
        }
        Ok(AdmittedSender { tenant, identity })
    }

    async fn identify(
        &self,
        authenticator: &Authenticator,
        request: &NotifyRequest<'_>,
        deadline: Instant,
    ) -> Result<Identity, NotifyProblem> {
        let places =
            HandshakeCredentials { authorization: request.authorization()?, ..HandshakeCredentials::default() };
        let refuse = |refused: Refused| {
            let reason = refused.reason.reason();
            metrics::counter!(REFUSALS, "reason" => reason).increment(1);
            tracing::warn!(reason, subject = refused.subject, source_ip = request.source_ip(), "refused");
            NotifyProblem::Credential(refused.reason)
        };
        let credential = places.find().and_then(|found| found.ok_or(Refusal::NoCredential));
        let credential = credential.map_err(|reason| refuse(reason.into()))?;
        let identified = timeout_at(deadline, authenticator.identify(&credential, self.clock.now())).await;
        identified.map_err(|_| NotifyProblem::TimedOut)?.map_err(refuse)
    }

    /// Puts every entity on the bus that can be published.
    async fn publish(
        &self,
        request: &NotifyRequest<'_>,
        admitted: &AdmittedSender,
        deadline: Instant,
    ) -> Result<(), NotifyProblem> {
        request.check_encoding()?;
        let facts = NotificationFacts {
            tenant: admitted.tenant.clone(),
            service_paths: request.service_paths()?,
            attrs_format: request.text("ngsiv2-attrsformat"),
            link: request.text("link"),
            received_at: self.clock.now(),
        };
        let changes = read_notification(&request.body()?, &facts).map_err(NotifyProblem::Notification)?;
        let (mut outgoing, mut refused) = (Vec::with_capacity(changes.len()), Vec::new());
        for (index, change) in changes.into_iter().enumerate() {
            match change.and_then(|change| self.outgoing(index, change, admitted)) {
                Ok(entity) => outgoing.push(entity),
                Err(entity) => refused.push(entity),
            }
        }
        let forwarded = forward(&self.publisher, outgoing, deadline).await;
        let (published, waiting) = (forwarded.published, forwarded.waiting);
        metrics::counter!(INGESTED).increment(published as u64);
        refused.extend(forwarded.refused);
        refused.sort_by_key(|entity| entity.index);
        if let Some(reason) = forwarded.reason {
            tracing::error!(%reason, waiting, published, "the bus did not take all entities in time");
            return Err(NotifyProblem::Unpublished { waiting, published });
        }
        if !refused.is_empty() {
            return Err(NotifyProblem::Entities { refused, published });
        }
        tracing::info!(published, "notification published");
        Ok(())
    }

    /// The event of a change, if it can be published, and the sender may publish it.
    fn outgoing(
        &self,
        index: usize,
        change: EntityChange,
        admitted: &AdmittedSender,
    ) -> Result<OutgoingEntity, RefusedEntity> {
        let refused = |fault| RefusedEntity { index, id: Some(change.entity_id.clone()), fault };
        if !admitted.may_publish_into(&change.service_path) {
            return Err(refused(EntityFault::ServicePath));
        }
        let entry = BusEntry::change(self.source.clone(), change.to_json());
        let entry = entry.map_err(|fault| refused(EntityFault::Change(fault)))?;
        Ok(OutgoingEntity { index, service_path: change.service_path, id: change.entity_id, entry })
    }
}

/// A sender that may publish to a tenant.
struct AdmittedSender {
    tenant: Tenant,
    /// `None` while authentication is off.
    identity: Option<Identity>,
}

impl AdmittedSender {
    fn may_publish_into(&self, service_path: &str) -> bool {
        self.identity.as_ref().is_none_or(|identity| identity.may_publish_into(service_path))
    }
}

/// Logs and counts a problem. Neither has a value of an entity, nor a credential.
fn note(problem: &NotifyProblem) {
    let (problem_name, status) = (problem.name(), problem.status());
    if problem.is_our_fault() {
        metrics::counter!(INGEST_FAULTS).increment(1);
        tracing::error!(problem = problem_name, status, "notification not published");
    } else {
        if is_of_a_known_sender(problem) {
            metrics::counter!(REFUSED_NOTIFICATIONS).increment(1);
        }
        tracing::info!(problem = problem_name, status, "notification refused");
    }
}

/// False if the request was refused before its credential was accepted. Everyone can reach the function's URL.
fn is_of_a_known_sender(problem: &NotifyProblem) -> bool {
    !matches!(
        problem,
        NotifyProblem::SwitchedOff | NotifyProblem::Path | NotifyProblem::Method | NotifyProblem::Credential(_)
    )
}
