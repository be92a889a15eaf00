//! What is written in the journal, and how: each record is framed by its length and a CRC32 of all that
//! follows the CRC, so that one that was not written to its end is told from one that was.
//!
//! ```text
//! length of the body, u32 LE | CRC32 of kind and body, u32 LE | kind, u8 | body
//! ```

use iradialer_core::value::{CallUuid, TenantId};
use iradialer_core::wire::SwitchEvent;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// Length, CRC and kind.
const FRAME: usize = 9;
/// No record is longer: an event carries at most the digits and variables of one flow.
const LONGEST: usize = 4 << 20;
/// The version of what is in a segment.
pub const FORMAT: u16 = 1;

/// The first record of a segment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Header {
    /// [`FORMAT`].
    pub format: u16,
    /// The journal, whose name stays through every segment and restart.
    pub journal_id: CallUuid,
    /// The highest epoch seen.
    pub epoch: u64,
    /// Fences of attempts up to this one were given up for want of room.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub forgotten: Option<CallUuid>,
}

/// The attempt is about to be dialled.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Intent {
    /// The call.
    pub call_uuid: CallUuid,
    /// Which try at the call.
    pub attempt: u32,
    /// The attempt's UUID.
    pub attempt_id: CallUuid,
    /// The tenant.
    pub tenant_id: TenantId,
    /// The epoch of the command.
    pub epoch: u64,
    /// The command's `not_after_ms`.
    pub not_after_ms: u64,
    /// When it was admitted, ms since the Unix epoch.
    pub at_ms: u64,
    /// Whether the call was asked of this switch, which then knows it by its UUID.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub direct: bool,
}

/// The attempt will not be dialled, or not again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fence {
    /// The attempt's UUID.
    pub attempt_id: CallUuid,
    /// The highest epoch seen.
    pub epoch: u64,
    /// Until when it has to be remembered, ms since the Unix epoch.
    pub until_ms: u64,
    /// Whether it was dialled once, and the TDB has all of it.
    pub dialled: bool,
    /// The call, where it was asked of this switch: it must not be dialled again under another attempt.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub call_uuid: Option<CallUuid>,
}

/// One record.
#[derive(Debug, Clone, PartialEq)]
pub enum Record {
    /// Begins a segment.
    Header(Header),
    /// Ends what a segment takes over from the one before.
    Complete,
    /// An attempt is about to be dialled.
    Intent(Intent),
    /// An attempt is fenced, or confirmed by the collector: what is known of it need not be kept.
    Fence(Fence),
    /// What happened to an attempt.
    Event(Arc<SwitchEvent>),
    /// An epoch was seen.
    Epoch(u64),
    /// Begins what is written at once: the segment was on the disk up to here, bytes.
    Synced(u64),
}

impl Record {
    fn kind(&self) -> u8 {
        match self {
            Record::Header(_) => 1,
            Record::Complete => 2,
            Record::Intent(_) => 3,
            Record::Fence(_) => 4,
            Record::Event(_) => 5,
            Record::Epoch(_) => 6,
            Record::Synced(_) => 7,
        }
    }

    /// Adds the record, framed, to `to`.
    pub fn write_to(&self, to: &mut Vec<u8>) {
        let start = to.len();
        to.extend_from_slice(&[0; FRAME - 1]);
        to.push(self.kind());
        // The types written here have only string keys and finite numbers, which JSON can always hold.
        let _ = match self {
            Record::Header(header) => serde_json::to_writer(&mut *to, header),
            Record::Complete => Ok(()),
            Record::Intent(intent) => serde_json::to_writer(&mut *to, intent),
            Record::Fence(fence) => serde_json::to_writer(&mut *to, fence),
            Record::Event(event) => serde_json::to_writer(&mut *to, &**event),
            Record::Epoch(epoch) => serde_json::to_writer(&mut *to, epoch),
            Record::Synced(bytes) => serde_json::to_writer(&mut *to, bytes),
        };
        let len = u32::try_from(to.len() - start - FRAME).unwrap_or(u32::MAX);
        let crc = crc32fast::hash(&to[start + FRAME - 1..]);
        to[start..start + 4].copy_from_slice(&len.to_le_bytes());
        to[start + 4..start + 8].copy_from_slice(&crc.to_le_bytes());
    }

    /// The record `bytes` begin with and its length, or `None` where they do not begin with a whole one.
    pub fn read_from(bytes: &[u8]) -> Option<(Record, usize)> {
        let word = |at: usize| Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?));
        let len = usize::try_from(word(0)?)
            .ok()
            .filter(|len| *len <= LONGEST)?;
        let checked = bytes.get(FRAME - 1..FRAME + len)?;
        if crc32fast::hash(checked) != word(4)? {
            return None;
        }
        let body = &checked[1..];
        let record = match checked[0] {
            1 => Record::Header(serde_json::from_slice(body).ok()?),
            2 => Record::Complete,
            3 => Record::Intent(serde_json::from_slice(body).ok()?),
            4 => Record::Fence(serde_json::from_slice(body).ok()?),
            5 => Record::Event(Arc::new(serde_json::from_slice(body).ok()?)),
            6 => Record::Epoch(serde_json::from_slice(body).ok()?),
            7 => Record::Synced(serde_json::from_slice(body).ok()?),
            _ => return None,
        };
        Some((record, FRAME + len))
    }
}
