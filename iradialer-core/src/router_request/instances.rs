//! Requests about instances: switches.

use super::{put, text_of};
use crate::fields::Fields;
use crate::live::EventSubject;
use crate::value::FieldError;
use serde_json::{Map, Value};
use std::fmt;

/// `request_activate_instance`, `request_deactivate_instance`, `request_get_instance_data`
#[derive(Clone, PartialEq, Eq)]
pub struct Instances {
    /// What.
    pub action: InstanceAction,
    /// By what they are known.
    pub key: InstanceKey,
    /// Which; of `any` it does not matter.
    pub key_data: String,
    /// That the asker may.
    pub password: String,
    /// Where an answer goes that has nowhere else to go.
    pub event_subject: Option<EventSubject>,
}

/// What is asked of instances.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InstanceAction {
    /// They take calls.
    Activate,
    /// They take no more.
    Deactivate,
    /// What is known of them is told.
    Data,
}

/// By what an instance is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InstanceKey {
    /// Its name.
    PodId,
    /// Its address.
    IpAddress,
    /// Its machine's name.
    MachineId,
    /// All of them.
    Any,
}

impl InstanceAction {
    const ALL: [(&'static str, InstanceAction); 3] = [
        ("request_activate_instance", InstanceAction::Activate),
        ("request_deactivate_instance", InstanceAction::Deactivate),
        ("request_get_instance_data", InstanceAction::Data),
    ];

    /// The name of the request.
    pub fn event_name(self) -> &'static str {
        let found = Self::ALL.into_iter().find(|(_, action)| *action == self);
        found.map_or("", |(name, _)| name)
    }
}

impl InstanceKey {
    const ALL: [(&'static str, InstanceKey); 4] = [
        ("pod_id", InstanceKey::PodId),
        ("ip_address", InstanceKey::IpAddress),
        ("machine_id", InstanceKey::MachineId),
        ("any", InstanceKey::Any),
    ];

    fn parse(field: &str, text: &str) -> Result<Self, FieldError> {
        let found = Self::ALL.into_iter().find(|(name, _)| *name == text);
        let expected = "pod_id, ip_address, machine_id or any";
        found
            .map(|(_, key)| key)
            .ok_or_else(|| FieldError::new(field, expected, text))
    }

    fn as_str(self) -> &'static str {
        let found = Self::ALL.into_iter().find(|(_, key)| *key == self);
        found.map_or("", |(name, _)| name)
    }
}

impl Instances {
    pub(super) fn read(event_name: &str, fields: &mut Fields) -> Option<Self> {
        let action = InstanceAction::ALL.into_iter();
        let action = action.clone().find(|(name, _)| *name == event_name);
        let key = fields.required("key", InstanceKey::parse);
        let key_data = fields.strict("key_data", text_of(0..=100));
        let password = fields.required("password", |field, text| match text.len() <= 200 {
            true => Ok(text.to_owned()),
            // Not shown.
            false => Err(FieldError::new(field, "up to 200 bytes", "more")),
        });
        let event_subject = fields.parsed("event_subject", EventSubject::parse);
        Some(Instances {
            action: action?.1,
            key: key?,
            key_data: key_data.unwrap_or_default(),
            password: password?,
            event_subject,
        })
    }

    pub(super) fn to_json(&self) -> Map<String, Value> {
        let mut data = Map::new();
        put(&mut data, "key", Some(self.key.as_str()));
        put(&mut data, "key_data", Some(&self.key_data));
        put(&mut data, "password", Some(&self.password));
        put(&mut data, "event_subject", self.event_subject.as_ref());
        data
    }
}

/// Without the password.
impl fmt::Debug for Instances {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} {} {}",
            self.action.event_name(),
            self.key.as_str(),
            self.key_data
        )
    }
}
