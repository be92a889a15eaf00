//! A switch that is offered far more than it takes, for long.

use super::super::durable::ledger_of;
use crate::journal::{Fence, Index, Record};
use iradialer_core::ledger::REMEMBERED;
use iradialer_core::value::CallUuid;
use iradialer_core::wire::AttemptFate;

/// What a router's `not_after_ms` and the memory of a refusal come to, ms.
const FENCED_MS: u64 = 64_000;
const REFUSALS_A_SECOND: u64 = 3_000;
/// How often a segment is begun at that rate, s: some 200 bytes a refusal.
const SEGMENT_S: u64 = 28;

/// UUIDs whose order is that of their time.
fn attempt(number: u64) -> CallUuid {
    let text = format!(
        "{:08x}-{:04x}-7000-8000-000000000000",
        number >> 16,
        number & 0xffff
    );
    CallUuid::parse("attempt_id", &text).unwrap()
}

#[test]
fn minutes_of_refusals_keep_a_bounded_memory_and_no_late_copy_is_dialled() {
    let mut index = Index::new(CallUuid::fresh());
    let mut number = 0;
    let (mut most, mut longest) = (0, 0);
    for second in 0..180 {
        let now_ms = second * 1_000;
        for _ in 0..REFUSALS_A_SECOND {
            let fence = Fence {
                attempt_id: attempt(number),
                epoch: 1,
                until_ms: now_ms + FENCED_MS,
                dialled: false,
                call_uuid: None,
            };
            index.apply(&Record::Fence(fence), now_ms);
            number += 1;
        }
        most = most.max(index.fences.len());
        if second % SEGMENT_S == SEGMENT_S - 1 {
            longest = longest.max(index.snapshot(now_ms).len());
        }
    }
    let (entry, mib) = (size_of::<(CallUuid, Fence)>(), 1 << 20);
    println!(
        "{number} refusals: at most {most} fences of {entry} bytes, {} MiB, and {} MiB of a segment",
        most * entry / mib,
        longest / mib,
    );
    assert!(most <= REMEMBERED, "{most}");
    assert!(most * entry < 32 * mib && longest < 64 * mib, "{longest}");

    // Of those that a life has forgotten the next one does not say that they never came.
    let next = ledger_of(&index);
    for refused in [0, 1, number / 2, number - REMEMBERED as u64 - 1] {
        assert_eq!(next.fate(attempt(refused)), Some(AttemptFate::Ended));
    }
    for refused in [number - REMEMBERED as u64 / 4, number - 1] {
        assert_eq!(next.fate(attempt(refused)), Some(AttemptFate::NeverDialled));
    }
    assert_eq!(next.fate(attempt(number)), None);
}

#[test]
fn what_was_forgotten_stays_so_in_the_next_segment() {
    let mut index = Index::new(CallUuid::fresh());
    index.forgotten = Some(attempt(7));
    let snapshot = index.snapshot(0);
    let mut read = Index::new(index.journal_id);
    let mut rest = snapshot.as_slice();
    while let Some((record, length)) = Record::read_from(rest) {
        read.apply(&record, 0);
        rest = &rest[length..];
    }
    assert_eq!(read, index);
    assert_eq!(ledger_of(&read).fate(attempt(7)), Some(AttemptFate::Ended));
    assert_eq!(ledger_of(&read).fate(attempt(8)), None);
}
