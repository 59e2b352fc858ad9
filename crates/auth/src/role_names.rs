use std::collections::BTreeMap;

use crate::Role;

/// The roles of an identity provider and the roles that they stand for here. A name that is not among them counts as a role of
/// its own name: `user`, `tenant_admin`, `super_admin` or `publisher`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RoleNames(BTreeMap<String, Role>);

/// The text is not a list of role names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("role names are comma-separated pairs such as editor=user,ops=tenant_admin; each name occurs once")]
pub struct InvalidRoleNames;

impl RoleNames {
    /// Reads comma-separated pairs of a provider's role and a role, such as `editor=user,ops=tenant_admin`. A provider's role
    /// contains neither a comma nor `=`.
    ///
    /// # Errors
    /// [`InvalidRoleNames`] if an entry is not such a pair, or if a name occurs twice.
    pub fn parse(list: &str) -> Result<Self, InvalidRoleNames> {
        let mut names = BTreeMap::new();
        for pair in list.split(',') {
            let (name, role) = pair.split_once('=').ok_or(InvalidRoleNames)?;
            let (name, role) = (name.trim(), role.trim().parse().map_err(|_| InvalidRoleNames)?);
            if name.is_empty() || names.insert(name.to_owned(), role).is_some() {
                return Err(InvalidRoleNames);
            }
        }
        Ok(Self(names))
    }

    /// The role of a name in a token; `None` if no role has it.
    pub(crate) fn role(&self, name: &str) -> Option<Role> {
        self.0.get(name).copied().or_else(|| name.parse().ok())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stand_for_roles() {
        let names = RoleNames::parse("editor=user, ops = tenant_admin ,user=tenant_admin").unwrap();
        for (name, role) in [
            ("editor", Some(Role::User)),
            ("ops", Some(Role::TenantAdmin)),
            ("user", Some(Role::TenantAdmin)),
            ("super_admin", Some(Role::SuperAdmin)),
            ("Editor", None),
            ("root", None),
        ] {
            assert_eq!(names.role(name), role, "{name}");
        }
        assert_eq!(RoleNames::default().role("user"), Some(Role::User));
    }

    #[test]
    fn other_texts_are_refused() {
        for list in
            ["", "editor", "=user", "editor=root", "editor=", "a=user,", "a=user,a=user", "a=user;b=user", "a=b=user"]
        {
            assert_eq!(RoleNames::parse(list), Err(InvalidRoleNames), "{list:?}");
        }
    }
}
