use crate::filter::{Filter, InvalidFilter};
use crate::format::{Format, InvalidFormat};
use crate::group_id::{GroupId, InvalidGroupId};
use crate::tenant::{InvalidTenant, Tenant};

/// The query parameters of a connection's URL, except for the token, which belongs to authentication.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectQuery {
    /// `tenant`.
    pub tenant: Tenant,
    /// `entityTypes` and `idPattern`. The filter is in force when the connection opens.
    pub filter: Filter,
    /// `format`.
    pub format: Format,
    /// `group_id`.
    pub group: Option<GroupId>,
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
    /// `entityTypes` or `idPattern` is malformed.
    #[error(transparent)]
    Filter(#[from] InvalidFilter),
    /// `format` is malformed.
    #[error(transparent)]
    Format(#[from] InvalidFormat),
    /// `group_id` is malformed.
    #[error(transparent)]
    Group(#[from] InvalidGroupId),
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
        let types = one(&values, "entityTypes")?.filter(|types| !types.is_empty());
        let types = types.into_iter().flat_map(|types| types.split(','));
        let pattern = one(&values, "idPattern")?;
        Ok(Self {
            tenant,
            format: one(&values, "format")?.map(Format::parse).transpose()?.unwrap_or_default(),
            group: one(&values, "group_id")?.map(GroupId::parse).transpose()?,
            // The pattern costs most, so it is read last.
            filter: Filter::new(types, pattern)?,
        })
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
            ("token", "ignored here"),
        ])
        .unwrap();
        assert_eq!(query.tenant.as_str(), "demo");
        assert_eq!(query.filter, Filter::new(["Room", "Sensor"], Some("^urn")).unwrap());
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
        for name in ["tenant", "entityTypes", "idPattern", "format", "group_id"] {
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
}
