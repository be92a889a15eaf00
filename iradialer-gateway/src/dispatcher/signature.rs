//! Standard Webhooks signatures (<https://www.standardwebhooks.com>): `v1,` and the base64 of the
//! HMAC-SHA256 over `id.timestamp.body`.

use crate::config::{Secret, WebhookConfig};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use iradialer_core::value::TenantId;
use sha2::Sha256;
use std::collections::HashMap;

/// What a secret starts with; the rest is base64.
const PREFIX: &str = "whsec_";
/// The fewest and most bytes a secret has, by the specification.
const KEY_BYTES: std::ops::RangeInclusive<usize> = 24..=64;

/// A secret that can't sign.
#[derive(Debug, thiserror::Error)]
#[error("webhooks.secret: expected whsec_ and the base64 of 24 to 64 bytes, got {got}")]
pub struct BadSecret {
    got: &'static str,
}

/// Signs webhooks with each of its secrets: while receivers change from one to another there are two.
#[derive(Clone)]
pub struct Signer {
    keyed: Vec<Hmac<Sha256>>,
}

impl Signer {
    /// A signer with secrets in their written form (`whsec_…`), the newest first.
    pub fn new<'s>(secrets: impl IntoIterator<Item = &'s str>) -> Result<Signer, BadSecret> {
        let keyed = secrets.into_iter().map(key).collect::<Result<_, _>>()?;
        Ok(Signer { keyed })
    }

    /// The `webhook-signature` of a body sent as message `id` at `timestamp_s` (Unix time): one signature for
    /// each secret, with a space between. A receiver takes it if one of them is right.
    pub fn sign(&self, id: &str, timestamp_s: u64, body: &[u8]) -> String {
        let start = format!("{id}.{timestamp_s}.");
        let signatures: Vec<String> = self
            .keyed
            .iter()
            .map(|keyed| {
                let mut mac = keyed.clone();
                mac.update(start.as_bytes());
                mac.update(body);
                format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
            })
            .collect();
        signatures.join(" ")
    }
}

/// Who signs for whom: each tenant that has secrets of its own by those, all others by the ones of the cluster.
pub struct Signers {
    of_all: Signer,
    of_tenants: HashMap<TenantId, Signer>,
}

impl Signers {
    /// As the configuration has it, with `secret` as the cluster's.
    ///
    /// # Errors
    /// Where a secret is none.
    pub fn new(secret: &Secret, config: &WebhookConfig) -> Result<Signers, BadSecret> {
        let of_all = std::iter::once(secret).chain(&config.previous_secret);
        let of_tenant = |(tenant, secrets): (&TenantId, &Vec<Secret>)| {
            let signer = Signer::new(secrets.iter().map(Secret::reveal))?;
            Ok((tenant.clone(), signer))
        };
        Ok(Signers {
            of_all: Signer::new(of_all.map(Secret::reveal))?,
            of_tenants: config
                .secrets_of_tenants
                .iter()
                .map(of_tenant)
                .collect::<Result<_, _>>()?,
        })
    }

    /// Who signs the webhooks of that tenant.
    pub fn of(&self, tenant: &TenantId) -> &Signer {
        self.of_tenants.get(tenant).unwrap_or(&self.of_all)
    }

    /// Who signs what the operator is told.
    pub fn of_operator(&self) -> &Signer {
        &self.of_all
    }
}

fn key(secret: &str) -> Result<Hmac<Sha256>, BadSecret> {
    let bad = |got| BadSecret { got };
    let coded = secret.strip_prefix(PREFIX);
    let coded = coded.ok_or(bad("one that does not start so"))?;
    let key = STANDARD.decode(coded);
    let key = key.map_err(|_| bad("one that is not base64"))?;
    if !KEY_BYTES.contains(&key.len()) {
        return Err(bad("one of another length"));
    }
    Ok(Hmac::new_from_slice(&key).expect("HMAC takes a key of any length"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signs_as_the_reference_implementation_does() {
        let secret = format!("{PREFIX}{}", STANDARD.encode([7u8; 32]));
        let ours = Signer::new([secret.as_str()]).unwrap();
        let theirs = standardwebhooks::Webhook::new(&secret).unwrap();
        for body in ["", "{}", "{\"event_name\":\"iradialer::hangup\",\"é\":1}"] {
            let signature = ours.sign("call_7", 1_795_000_000, body.as_bytes());
            assert_eq!(
                signature,
                theirs
                    .sign("call_7", 1_795_000_000, body.as_bytes())
                    .unwrap()
            );
        }
    }

    #[test]
    fn each_of_two_secrets_is_enough_to_verify() {
        let secrets = [7u8, 8].map(|byte| format!("{PREFIX}{}", STANDARD.encode([byte; 32])));
        let both = Signer::new(secrets.iter().map(String::as_str)).unwrap();
        let now = time::OffsetDateTime::now_utc().unix_timestamp();
        let signature = both.sign("call_7", now.unsigned_abs(), b"{}");
        let mut headers = axum::http::HeaderMap::new();
        for (name, value) in [
            ("webhook-id", "call_7"),
            ("webhook-timestamp", &now.to_string()),
            ("webhook-signature", &signature),
        ] {
            headers.insert(name, value.parse().unwrap());
        }
        for secret in &secrets {
            let judge = standardwebhooks::Webhook::new(secret).unwrap();
            judge.verify(b"{}", &headers).unwrap();
        }
        let other = format!("{PREFIX}{}", STANDARD.encode([9u8; 32]));
        let judge = standardwebhooks::Webhook::new(&other).unwrap();
        assert!(judge.verify(b"{}", &headers).is_err());
    }

    #[test]
    fn a_bad_secret_is_not_shown() {
        let short = format!("{PREFIX}{}", STANDARD.encode([7u8; 23]));
        for secret in ["", "hunter2", "whsec_!!", short.as_str()] {
            let error = Signer::new([secret]).err().unwrap().to_string();
            assert!(error.starts_with("webhooks.secret: expected whsec_"));
            assert!(secret.is_empty() || !error.contains(&format!("got {secret}")));
        }
    }
}
