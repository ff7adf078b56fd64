//! What the native and the diagnostics layout have between the header and the sequence: a revision,
//! and the boot and the time namespace of the segment's instants.
//!
//! | offset | type | field |
//! |---|---|---|
//! | 14 | u16 | revision |
//! | 16 | 16 bytes | boot id, the UUID's bytes in the order in which they are printed |
//! | 32 | i64 | offset of the writer's monotonic clocks from the initial time namespace's, ns |
//! | 40 | 24 bytes | reserved, 0 |
//! | 64 | u64 | sequence |

use std::sync::atomic::Ordering;

use super::{Layout, header};
use crate::memory::map::Map;
use crate::record::Identity;

pub(super) const REVISION_OFFSET: usize = header::END;
pub(super) const BOOT_ID_OFFSET: usize = 16;
pub(super) const NAMESPACE_OFFSET: usize = 32;
pub(super) const SEQUENCE_OFFSET: usize = 64;

/// A layout whose segments contain the boot and the time namespace of their instants.
pub trait Identified: Layout {}

/// Writes the revision and the identity to a new segment.
pub(super) fn write(map: &Map, revision: u16, identity: &Identity) {
    map.u16_at(REVISION_OFFSET)
        .store(revision, Ordering::Relaxed);
    let (first, second) = split_boot_id(identity);
    map.u64_at(BOOT_ID_OFFSET).store(first, Ordering::Relaxed);
    map.u64_at(BOOT_ID_OFFSET + 8)
        .store(second, Ordering::Relaxed);
    map.u64_at(NAMESPACE_OFFSET).store(
        identity.namespace_offset_ns.cast_unsigned(),
        Ordering::Relaxed,
    );
}

/// Checks that a writer of `revision` with this `identity` may continue a segment. Readers load the
/// identity when they open a segment, so it never changes in one.
///
/// # Errors
/// Why the segment has to be replaced.
pub(super) fn check(map: &Map, revision: u16, identity: &Identity) -> Result<(), String> {
    let found = map.u16_at(REVISION_OFFSET).load(Ordering::Relaxed);
    if found > revision {
        return Err(format!("it is of revision {found}"));
    }
    let found = identity_of(map);
    if !found.is_known() || found.boot_id != identity.boot_id {
        return Err("it is of another boot".to_owned());
    }
    if found != *identity {
        return Err("it is of another time namespace".to_owned());
    }
    Ok(())
}

/// The boot and the time namespace of a segment.
pub(crate) fn identity_of(map: &Map) -> Identity {
    let word = |offset| map.u64_at(offset).load(Ordering::Relaxed).to_ne_bytes();
    let (first, second) = (word(BOOT_ID_OFFSET), word(BOOT_ID_OFFSET + 8));
    let mut boot_id = [0; 16];
    boot_id[..8].copy_from_slice(&first);
    boot_id[8..].copy_from_slice(&second);
    Identity {
        boot_id,
        namespace_offset_ns: i64::from_ne_bytes(word(NAMESPACE_OFFSET)),
    }
}

fn split_boot_id(identity: &Identity) -> (u64, u64) {
    let [a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p] = identity.boot_id;
    (
        u64::from_ne_bytes([a, b, c, d, e, f, g, h]),
        u64::from_ne_bytes([i, j, k, l, m, n, o, p]),
    )
}
