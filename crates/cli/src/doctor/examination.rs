use std::time::Duration;

use anyhow::bail;
use entity_stream_client::{ClientBuilder, ClientCredential, CredentialKind};
use entity_stream_clock::Clock;
use entity_stream_protocol::{EntityType, Filter, Tenant};
use entity_stream_publisher::BusEntry;
use entity_stream_runtime::Environment;

use crate::bus::TargetBus;
use crate::client;
use crate::credential::Token;
use crate::doctor::diagnosis::{Check, Diagnosis, Finding};
use crate::doctor::entity_state::Probe;
use crate::doctor::{delivery, entity_state, network, ping, resume, subscription};
use crate::interrupt::Interrupt;
use crate::token::likely_fault;

/// The type of the entities whose changes are published. Clients without a filter receive them.
const ENTITY_TYPE: &str = "EntityStreamDoctor";

/// The subject of a check.
#[derive(Debug)]
pub(crate) struct Doctor {
    /// The WebSocket URL of the stream.
    pub(crate) url: String,
    /// The credential to send.
    pub(crate) credential: Option<ClientCredential>,
    /// The token that is the credential, to explain why it is refused.
    pub(crate) token: Option<Token>,
    /// True if there is a key for proofs of possession.
    pub(crate) has_key: bool,
    /// The bus to publish to. `None` to publish nothing.
    pub(crate) target: Option<TargetBus>,
    /// True if nothing may be published.
    pub(crate) no_publish: bool,
    /// The time that a change may take to arrive.
    pub(crate) patience: Duration,
}

impl Doctor {
    /// The remedy if the credential is missing or not accepted.
    fn credential_advice(&self, tenant: &Tenant) -> String {
        match self.credential.as_ref().map(ClientCredential::kind) {
            None => {
                "set ENTITY_STREAM_TOKEN; `entity-stream token --tenant NAME` creates a token if you have the signing secret"
                    .to_owned()
            }
            Some(CredentialKind::Token) => {
                let token = self.token.as_ref().map(Token::expose).unwrap_or_default();
                let fault = likely_fault(token, self.has_key, tenant, &Environment::process(), Clock::system().now());
                let fault = fault.map(|fault| format!("{fault}. ")).unwrap_or_default();
                format!("{fault}`entity-stream token --inspect` explains a token, given the JWT_… settings of the functions")
            }
            Some(CredentialKind::ApiKey) => {
                "`entity-stream keys list` lists the keys with their tenants and their expiry".to_owned()
            }
        }
    }

    /// Checks one tenant's stream, up to the first step that fails.
    pub(crate) async fn check(
        &self,
        tenant: &Tenant,
        interrupt: &mut Interrupt,
        diagnosis: &mut Diagnosis,
    ) -> anyhow::Result<()> {
        let entity_type = EntityType::parse(ENTITY_TYPE)?;
        let entity_id = format!("urn:entity-stream:doctor:{:016x}", fastrand::u64(..));
        let filter = Filter::new([entity_type.as_str()], Some(&format!("^{entity_id}$")))?;
        let builder = client::builder(&self.url, tenant, self.credential.as_ref()).filter(filter).reconnect(false);
        let entry = delivery::entry(tenant, entity_type.clone(), &entity_id)?;
        let has_arrived = tokio::select! {
            has_arrived = self.check_changes(tenant, &builder, &entry, diagnosis) => has_arrived?,
            () = interrupt.received() => bail!("interrupted before the last check"),
        };
        if let Some(target) = self.target.as_ref().filter(|_| has_arrived) {
            // This check removes its entity also if it is interrupted.
            let probe = Probe::new(tenant, entity_type, format!("{entity_id}:state"));
            entity_state::check(&builder, target, &probe, self.patience, interrupt, diagnosis).await?;
        }
        Ok(())
    }

    /// The steps up to the resume. Returns whether a change arrived.
    async fn check_changes(
        &self,
        tenant: &Tenant,
        builder: &ClientBuilder,
        entry: &BusEntry,
        diagnosis: &mut Diagnosis,
    ) -> anyhow::Result<bool> {
        let client = client::build(builder.clone())?;
        let anonymous = client::build(builder.clone().credential(None))?;
        let advice = self.credential_advice(tenant);
        let Some(mut stream) = network::check(&client, &advice, diagnosis).await else { return Ok(false) };
        let mut has_arrived = false;
        if subscription::check(&mut stream, (&client, &anonymous), &advice, diagnosis).await
            && ping::check(&mut stream, diagnosis).await?
        {
            match &self.target {
                Some(target) => {
                    has_arrived = delivery::check(&mut stream, target, entry, self.patience, diagnosis).await;
                    if has_arrived {
                        resume::check(&mut stream, builder, target, entry, self.patience, diagnosis).await?;
                    }
                }
                None if self.no_publish => {
                    diagnosis.add(Finding::skipped(Check::Publish, "nothing was published: --no-publish is given"));
                }
                None => {
                    let advice = "pass --target CONTEXT or --event-bus NAME for a deployed system, or --endpoint-url URL for a local one";
                    let finding = Finding::skipped(Check::Publish, "nothing was published: no bus was given");
                    diagnosis.add(finding.advise(advice));
                }
            }
        }
        stream.close().await;
        Ok(has_arrived)
    }
}
