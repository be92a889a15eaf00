//! Who may do what: the roles of tokens, and the scopes that narrow them down.

use iradialer_core::value::FieldError;
use std::fmt;

/// What the holder of a token is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenRole {
    /// May everything, for every tenant.
    Admin,
    /// May everything but look after tokens and read the audit log, for every tenant.
    Operator,
    /// May everything for its own tenant.
    Tenant,
    /// May look at what its own tenant has, and change nothing.
    ReadOnly,
}

impl TokenRole {
    /// Every role.
    pub const ALL: [TokenRole; 4] = [
        TokenRole::Admin,
        TokenRole::Operator,
        TokenRole::Tenant,
        TokenRole::ReadOnly,
    ];

    /// Its name.
    pub fn as_str(self) -> &'static str {
        match self {
            TokenRole::Admin => "admin",
            TokenRole::Operator => "operator",
            TokenRole::Tenant => "tenant",
            TokenRole::ReadOnly => "read-only",
        }
    }

    /// The role of that name.
    pub fn parse(field: &str, text: &str) -> Result<Self, FieldError> {
        let mut all = Self::ALL.into_iter();
        all.find(|role| role.as_str() == text)
            .ok_or_else(|| FieldError::new(field, "admin, operator, tenant or read-only", text))
    }

    /// Whether it may act for tenants other than its own.
    pub fn is_of_cluster(self) -> bool {
        matches!(self, TokenRole::Admin | TokenRole::Operator)
    }

    /// Whether it may make tokens of that role, and revoke them.
    pub fn may_give(self, role: TokenRole) -> bool {
        match self {
            TokenRole::Admin => true,
            TokenRole::Tenant => matches!(role, TokenRole::Tenant | TokenRole::ReadOnly),
            TokenRole::Operator | TokenRole::ReadOnly => false,
        }
    }

    /// Whether it may do that, its scopes aside.
    pub fn may(self, what: Scope) -> bool {
        let is_of_access = matches!(what.area, Area::Tokens | Area::Audit);
        // Of every tenant.
        let is_of_cluster = matches!(
            what.area,
            Area::Audit | Area::Metrics | Area::License | Area::Nodes | Area::Regions
        );
        match self {
            TokenRole::Admin => true,
            TokenRole::Operator => !is_of_access,
            TokenRole::Tenant => {
                let is_operators = what.area == Area::Trunks && what.right == Right::Write;
                !is_of_cluster && !is_operators
            }
            TokenRole::ReadOnly => !is_of_access && !is_of_cluster && what.right == Right::Read,
        }
    }
}

/// A part of the API.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Area {
    /// Calls: made, ended, asked things of, listed.
    Calls,
    /// Stored flows.
    Flows,
    /// Campaigns.
    Campaigns,
    /// Trunks.
    Trunks,
    /// Switches.
    Nodes,
    /// Regions.
    Regions,
    /// The queue.
    Queue,
    /// One look at all.
    Overview,
    /// Configurations of call progress analysis.
    CpaConfigs,
    /// The do-not-call list.
    Dnc,
    /// Webhooks that were given up.
    Webhooks,
    /// Tokens.
    Tokens,
    /// The audit log.
    Audit,
    /// What the cluster does, in figures.
    Metrics,
    /// The licence.
    License,
}

impl Area {
    /// Every one.
    pub const ALL: [Area; 15] = [
        Area::Calls,
        Area::Flows,
        Area::Campaigns,
        Area::Trunks,
        Area::Nodes,
        Area::Regions,
        Area::Queue,
        Area::Overview,
        Area::CpaConfigs,
        Area::Dnc,
        Area::Webhooks,
        Area::Tokens,
        Area::Audit,
        Area::Metrics,
        Area::License,
    ];

    /// Its name, which is also that of its resource (`/api/flows`).
    pub fn as_str(self) -> &'static str {
        match self {
            Area::Calls => "calls",
            Area::Flows => "flows",
            Area::Campaigns => "campaigns",
            Area::Trunks => "trunks",
            Area::Nodes => "nodes",
            Area::Regions => "regions",
            Area::Queue => "queue",
            Area::Overview => "overview",
            Area::CpaConfigs => "cpaconfigs",
            Area::Dnc => "dnc",
            Area::Webhooks => "webhooks",
            Area::Tokens => "tokens",
            Area::Audit => "audit",
            Area::Metrics => "metrics",
            Area::License => "license",
        }
    }
}

/// How far one may go in an area.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Right {
    /// Look.
    Read,
    /// Look and change.
    Write,
}

/// One thing that may be done, such as `flows:write`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Scope {
    /// Where.
    pub area: Area,
    /// How far.
    pub right: Right,
}

impl Scope {
    fn parse(text: &str) -> Option<Self> {
        let (area, right) = text.split_once(':')?;
        Some(Scope {
            area: Area::ALL.into_iter().find(|each| each.as_str() == area)?,
            right: match right {
                "read" => Right::Read,
                "write" => Right::Write,
                _ => return None,
            },
        })
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let right = match self.right {
            Right::Read => "read",
            Right::Write => "write",
        };
        write!(f, "{}:{right}", self.area.as_str())
    }
}

/// What a token is narrowed down to, beside its role. Without any it is not.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Scopes(Vec<Scope>);

impl Scopes {
    /// Of their names, each once; none: nothing is taken away.
    pub fn parse<'t>(
        field: &str,
        names: impl IntoIterator<Item = &'t str>,
    ) -> Result<Self, FieldError> {
        let mut scopes = Vec::new();
        for name in names {
            let scope = Scope::parse(name).ok_or_else(|| {
                let areas = Area::ALL.map(Area::as_str).join(", ");
                let expected = format!("AREA:read or AREA:write, the area one of {areas}");
                FieldError::new(field, expected, name)
            })?;
            if !scopes.contains(&scope) {
                scopes.push(scope);
            }
        }
        Ok(Scopes(scopes))
    }

    /// Whether these let everything through that `others` let through.
    pub fn cover(&self, others: &Scopes) -> bool {
        let all = others.0.iter().all(|scope| self.allow(*scope));
        self.0.is_empty() || (all && !others.0.is_empty())
    }

    /// Whether they let it through.
    pub fn allow(&self, what: Scope) -> bool {
        let mut scopes = self.0.iter();
        self.0.is_empty()
            || scopes.any(|scope| scope.area == what.area && scope.right >= what.right)
    }
}

/// Separated by spaces.
impl fmt::Display for Scopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<String> = self.0.iter().map(Scope::to_string).collect();
        f.write_str(&names.join(" "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scope(text: &str) -> Scope {
        Scope::parse(text).unwrap()
    }

    fn scopes(text: &str) -> Scopes {
        Scopes::parse("scope", text.split_whitespace()).unwrap()
    }

    #[test]
    fn names_round_trip() {
        for role in TokenRole::ALL {
            assert_eq!(TokenRole::parse("role", role.as_str()), Ok(role));
        }
        for text in ["", "calls:read", "calls:write flows:read trunks:read"] {
            assert_eq!(scopes(text).to_string(), text);
        }
        assert_eq!(scopes("calls:read calls:read").to_string(), "calls:read");
    }

    #[test]
    fn nonsense_is_refused_by_its_name() {
        for text in ["", "Admin", "root"] {
            assert_eq!(
                TokenRole::parse("--role", text).unwrap_err().field,
                "--role"
            );
        }
        for text in [
            "calls",
            "calls:",
            ":read",
            "calls:all",
            "moon:read",
            "*",
            "",
        ] {
            let refused = Scopes::parse("--scope", [text]).unwrap_err();
            assert_eq!(refused.field, "--scope", "{text}");
            assert!(refused.expected.contains("calls, flows, campaigns"));
        }
    }

    #[test]
    fn to_write_is_to_read_too_and_no_scope_is_every_scope() {
        assert!(scopes("").allow(scope("calls:write")));
        assert!(scopes("calls:write").allow(scope("calls:read")));
        assert!(!scopes("calls:read").allow(scope("calls:write")));
        assert!(!scopes("calls:write").allow(scope("flows:read")));
    }

    #[test]
    fn who_may_only_read_changes_nothing() {
        for area in Area::ALL {
            for right in [Right::Read, Right::Write] {
                let may = TokenRole::ReadOnly.may(Scope { area, right });
                let hidden = [
                    Area::Tokens,
                    Area::Audit,
                    Area::Metrics,
                    Area::License,
                    Area::Nodes,
                    Area::Regions,
                ];
                let looks = right == Right::Read && !hidden.contains(&area);
                assert_eq!(may, looks);
            }
        }
    }

    #[test]
    fn nobody_gives_more_than_they_have() {
        for (giver, roles) in [
            (TokenRole::Admin, 4),
            (TokenRole::Operator, 0),
            (TokenRole::Tenant, 2),
            (TokenRole::ReadOnly, 0),
        ] {
            let given = TokenRole::ALL
                .into_iter()
                .filter(|role| giver.may_give(*role));
            assert_eq!(given.count(), roles, "{}", giver.as_str());
        }
        assert!(scopes("").cover(&scopes("")) && scopes("").cover(&scopes("calls:read")));
        assert!(scopes("calls:write flows:read").cover(&scopes("calls:read")));
        assert!(!scopes("calls:write").cover(&scopes("")), "none is all");
        assert!(!scopes("calls:read").cover(&scopes("calls:write")));
        assert!(!scopes("calls:write").cover(&scopes("calls:read flows:read")));
    }

    #[test]
    fn what_is_of_every_tenant_is_for_those_of_the_cluster() {
        for role in TokenRole::ALL {
            for what in ["metrics:read", "license:read", "license:write"] {
                assert_eq!(role.may(scope(what)), role.is_of_cluster(), "{what}");
            }
        }
    }

    #[test]
    fn the_audit_log_is_for_admins() {
        for role in TokenRole::ALL {
            let may = role.may(scope("audit:read"));
            assert_eq!(may, role == TokenRole::Admin, "{}", role.as_str());
        }
    }
}
