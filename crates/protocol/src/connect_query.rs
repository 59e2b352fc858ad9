use crate::acknowledgement::{Acknowledgement, InvalidAcknowledgement};
use crate::filter::{Filter, FilterFields, InvalidFilter};
use crate::format::{Format, InvalidFormat};
use crate::group_id::{GroupId, InvalidGroupId};
use crate::tenant::{InvalidTenant, Tenant};
use crate::view::View;

/// The query parameters of a connection's URL, except for the token, which belongs to authentication.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectQuery {
    /// `tenant`.
    pub tenant: Tenant,
    /// `entityTypes`, `entityIds` and `idPattern`: the default subscription, in force when the connection opens. `None` with
    /// `subscribe=none`: the connection opens without a subscription.
    pub filter: Option<Filter>,
    /// `wholeEntity` and `showChanges`: the view of the default subscription.
    pub view: View,
    /// `format`.
    pub format: Format,
    /// `group_id`.
    pub group: Option<GroupId>,
    /// `ack`. `None`: as the deployment says.
    pub acknowledgement: Option<Acknowledgement>,
    /// `batch`: the client takes `events` frames.
    pub takes_batches: bool,
}

/// A query parameter is missing, repeated or malformed. The handshake fails with status 400.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidConnectQuery {
    /// The tenant is missing.
    #[error("the query parameter tenant is required; add ?tenant=NAME to the URL")]
    MissingTenant,
    /// A parameter occurs more than once.
    #[error("the query parameter {0} is repeated; send it once")]
    Repeated(&'static str),
    /// A parameter is not text. Its percent-encoded bytes are not UTF-8.
    #[error("the query parameter {0} is not UTF-8 text; percent-encode the UTF-8 bytes of its characters")]
    NotText(&'static str),
    /// The tenant is malformed.
    #[error(transparent)]
    Tenant(#[from] InvalidTenant),
    /// `entityTypes`, `entityIds` or `idPattern` is malformed.
    #[error(transparent)]
    Filter(#[from] InvalidFilter),
    /// `format` is malformed.
    #[error(transparent)]
    Format(#[from] InvalidFormat),
    /// `group_id` is malformed.
    #[error(transparent)]
    Group(#[from] InvalidGroupId),
    /// `ack` is malformed.
    #[error(transparent)]
    Acknowledgement(#[from] InvalidAcknowledgement),
    /// A parameter is neither `true` nor `false`.
    #[error("the query parameter {0} is true, false or absent")]
    Flag(&'static str),
    /// `wholeEntity` or `showChanges` where the service keeps no state of entities.
    #[error(
        "wholeEntity and showChanges need entity state, which this service does not keep; leave them out of the URL"
    )]
    NoStates,
    /// `subscribe` is malformed.
    #[error("the query parameter subscribe is none or absent")]
    Subscribe,
    /// `subscribe=none` and a filter contradict each other.
    #[error(
        "subscribe=none opens the connection without a subscription; leave it out, or leave out entityTypes, entityIds and idPattern"
    )]
    NoneWithFilter,
}

/// The character that decoders put in the place of bytes that are not UTF-8.
const REPLACEMENT: char = '\u{fffd}';

impl ConnectQuery {
    /// Reads the tenant alone, before a credential is checked. The other parameters can cost more to read.
    ///
    /// # Errors
    /// [`InvalidConnectQuery`] if the tenant is missing, repeated or malformed.
    pub fn tenant<'a>(values: impl Fn(&str) -> Vec<&'a str>) -> Result<Tenant, InvalidConnectQuery> {
        Ok(Tenant::parse(one(&values, "tenant")?.ok_or(InvalidConnectQuery::MissingTenant)?)?)
    }

    /// Reads the decoded query parameters; `values` gives all values of a parameter. Unknown parameters are ignored.
    ///
    /// # Errors
    /// [`InvalidConnectQuery`] names the parameter that is missing, repeated or malformed.
    pub fn parse<'a>(values: impl Fn(&str) -> Vec<&'a str>) -> Result<Self, InvalidConnectQuery> {
        let tenant = Self::tenant(&values)?;
        let given = |name| Ok::<_, InvalidConnectQuery>(one(&values, name)?.filter(|text| !text.is_empty()));
        let (types, ids, pattern) = (given("entityTypes")?, given("entityIds")?, given("idPattern")?);
        let has_filter = [types, ids, pattern].iter().any(Option::is_some);
        let is_subscribed = match given("subscribe")? {
            None => true,
            Some("none") if has_filter => return Err(InvalidConnectQuery::NoneWithFilter),
            Some("none") => false,
            Some(_) => return Err(InvalidConnectQuery::Subscribe),
        };
        let list = |text: Option<&str>| {
            text.into_iter().flat_map(|text| text.split(',')).map(str::to_owned).collect::<Vec<_>>()
        };
        let fields = FilterFields {
            entity_types: list(types),
            entity_ids: list(ids),
            id_pattern: pattern.map(str::to_owned),
            ..FilterFields::default()
        };
        Ok(Self {
            tenant,
            format: one(&values, "format")?.map(Format::parse).transpose()?.unwrap_or_default(),
            group: one(&values, "group_id")?.map(GroupId::parse).transpose()?,
            acknowledgement: one(&values, "ack")?.map(Acknowledgement::parse).transpose()?,
            takes_batches: flag(&values, "batch")?,
            view: View::default().with_state(flag(&values, "wholeEntity")?, flag(&values, "showChanges")?),
            // The pattern costs most, so it is read last.
            filter: if is_subscribed { Some(fields.check()?) } else { None },
        })
    }
}

fn flag<'a>(values: impl Fn(&str) -> Vec<&'a str>, name: &'static str) -> Result<bool, InvalidConnectQuery> {
    match one(values, name)? {
        None | Some("" | "false") => Ok(false),
        Some("true") => Ok(true),
        Some(_) => Err(InvalidConnectQuery::Flag(name)),
    }
}

/// The only value of a parameter, if it has one.
fn one<'a>(values: impl Fn(&str) -> Vec<&'a str>, name: &'static str) -> Result<Option<&'a str>, InvalidConnectQuery> {
    match values(name)[..] {
        [] => Ok(None),
        [value] if value.contains(REPLACEMENT) => Err(InvalidConnectQuery::NotText(name)),
        [value] => Ok(Some(value)),
        _ => Err(InvalidConnectQuery::Repeated(name)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(pairs: &[(&str, &'static str)]) -> Result<ConnectQuery, InvalidConnectQuery> {
        ConnectQuery::parse(|name| pairs.iter().filter(|(key, _)| *key == name).map(|(_, value)| *value).collect())
    }

    #[test]
    fn reads_every_parameter() {
        let query = parse(&[
            ("tenant", "Demo"),
            ("entityTypes", "Room,Sensor"),
            ("idPattern", "^urn"),
            ("format", "cloudevents"),
            ("group_id", "g.1"),
            ("ack", "always"),
            ("batch", "true"),
            ("token", "ignored here"),
        ])
        .unwrap();
        assert_eq!(query.tenant.as_str(), "demo");
        assert_eq!(query.filter, Filter::new(["Room", "Sensor"], Some("^urn")).ok());
        assert_eq!(query.acknowledgement, Some(Acknowledgement::Always));
        assert!(query.takes_batches);
        assert_eq!(query.format, Format::CloudEvents);
        assert_eq!(query.group, GroupId::parse("g.1").ok());
    }

    #[test]
    fn names_the_wrong_parameter() {
        assert_eq!(parse(&[]), Err(InvalidConnectQuery::MissingTenant));
        assert_eq!(parse(&[("tenant", "a"), ("tenant", "a")]), Err(InvalidConnectQuery::Repeated("tenant")));
        assert!(matches!(parse(&[("tenant", "a#")]), Err(InvalidConnectQuery::Tenant(_))));
        assert!(matches!(
            parse(&[("tenant", "a"), ("entityTypes", "A,,B")]),
            Err(InvalidConnectQuery::Filter(InvalidFilter::EntityType(_)))
        ));
        assert!(matches!(parse(&[("tenant", "a"), ("idPattern", "(")]), Err(InvalidConnectQuery::Filter(_))));
        assert!(matches!(parse(&[("tenant", "a"), ("format", "xml")]), Err(InvalidConnectQuery::Format(_))));
        assert!(matches!(parse(&[("tenant", "a"), ("group_id", "")]), Err(InvalidConnectQuery::Group(_))));
        assert!(matches!(parse(&[("tenant", "a"), ("ack", "no")]), Err(InvalidConnectQuery::Acknowledgement(_))));
        assert_eq!(parse(&[("tenant", "a"), ("subscribe", "all")]), Err(InvalidConnectQuery::Subscribe));
        assert_eq!(parse(&[("tenant", "a"), ("batch", "1")]), Err(InvalidConnectQuery::Flag("batch")));
        for name in
            ["tenant", "entityTypes", "entityIds", "idPattern", "format", "group_id", "subscribe", "ack", "batch"]
        {
            let fault = parse(
                &[("tenant", "a"), (name, "caf\u{fffd}")]
                    .into_iter()
                    .skip(usize::from(name == "tenant"))
                    .collect::<Vec<_>>(),
            );
            assert_eq!(fault, Err(InvalidConnectQuery::NotText(name)));
        }
        assert!(parse(&[("tenant", "a"), ("entityTypes", ""), ("idPattern", "")]).is_ok());
    }

    #[test]
    fn a_connection_opens_with_the_subscription_that_the_url_names_or_with_none() {
        let ids = |ids: &[&str]| FilterFields {
            entity_ids: ids.iter().map(|id| (*id).to_owned()).collect(),
            ..FilterFields::default()
        };
        let query = parse(&[("tenant", "a"), ("entityIds", "urn:1,urn:2")]).unwrap();
        assert_eq!(query.filter, ids(&["urn:1", "urn:2"]).check().ok());
        assert_eq!(parse(&[("tenant", "a"), ("subscribe", "none")]).unwrap().filter, None);
        for name in ["entityTypes", "entityIds", "idPattern"] {
            let both = parse(&[("tenant", "a"), ("subscribe", "none"), (name, "x")]);
            assert_eq!(both, Err(InvalidConnectQuery::NoneWithFilter));
        }
    }
}
