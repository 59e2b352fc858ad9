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

impl ConnectQuery {
    /// Reads the decoded query parameters; `values` gives all values of a parameter. Unknown parameters are ignored.
    ///
    /// # Errors
    /// [`InvalidConnectQuery`] names the parameter that is missing, repeated or malformed.
    pub fn parse<'a>(values: impl Fn(&str) -> Vec<&'a str>) -> Result<Self, InvalidConnectQuery> {
        let one = |name: &'static str| match values(name)[..] {
            [] => Ok(None),
            [value] => Ok(Some(value)),
            _ => Err(InvalidConnectQuery::Repeated(name)),
        };
        let tenant = one("tenant")?.ok_or(InvalidConnectQuery::MissingTenant)?;
        let types = one("entityTypes")?.filter(|types| !types.is_empty());
        let types = types.into_iter().flat_map(|types| types.split(','));
        Ok(Self {
            tenant: Tenant::parse(tenant)?,
            filter: Filter::new(types, one("idPattern")?)?,
            format: one("format")?.map(Format::parse).transpose()?.unwrap_or_default(),
            group: one("group_id")?.map(GroupId::parse).transpose()?,
        })
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
        assert!(parse(&[("tenant", "a"), ("entityTypes", ""), ("idPattern", "")]).is_ok());
    }
}
