//! The plan: which packs are condemned as they are, and which are repacked first. A pure function.
//!
//! Unused bytes cost room; to free them costs reading and writing the live ones beside them. So the emptiest packs are
//! repacked until the rest is below a share of the whole. Small packs cost requests: packs of one magnitude are put
//! together once there are [`SMALL_PACKS`] of them, so each blob is moved at most once for each magnitude.
//!
//! Example, with packs of 64 MiB: eight of 1 to 4 MiB are one magnitude; together they become one of 8 to 32 MiB.

use super::analysis::PackUse;
use crate::format::pack::PackKind;

/// The number of small packs of one magnitude that are put together.
const SMALL_PACKS: usize = 8;
/// The factor between magnitudes.
const MAGNITUDE: u64 = 4;

/// A pack that is there and not condemned.
#[derive(Debug, Clone, Copy)]
pub(super) struct PackFacts {
    /// Its number.
    pub(super) number: u32,
    pub(super) kind: PackKind,
    /// The size in bytes.
    pub(super) size: u64,
    pub(super) pack_use: PackUse,
    /// An open session may rely on it.
    pub(super) is_protected: bool,
}

/// The packs that go.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Plan {
    /// Those without a blob that is kept.
    pub(super) condemn: Vec<u32>,
    /// Those whose blobs are moved.
    pub(super) repack: Vec<u32>,
    /// Bytes that no snapshot needs in the packs that stay.
    pub(super) unused: u64,
}

impl PackFacts {
    /// Returns the bytes that come free when its kept blobs are moved.
    pub(super) fn unused(&self) -> u64 {
        let PackUse { total, kept, .. } = self.pack_use;
        let share = u128::from(self.size) * u128::from(total - kept) / u128::from(total.max(1));
        u64::try_from(share).unwrap_or(self.size)
    }

    /// Returns its magnitude, counted downwards from half-full packs; `None` for those that are not small.
    fn magnitude(&self, pack_size: u64) -> Option<u32> {
        (self.size < pack_size / MAGNITUDE).then(|| (pack_size / self.size.max(1)).ilog(MAGNITUDE))
    }
}

/// Decides what becomes of each pack.
pub(super) fn plan(packs: &[PackFacts], max_unused: f64, pack_size: u64) -> Plan {
    let mut plan = Plan::default();
    let (empty, mut left): (Vec<&PackFacts>, Vec<&PackFacts>) =
        packs.iter().filter(|pack| !pack.is_protected).partition(|pack| pack.pack_use.kept == 0);
    plan.condemn = empty.iter().map(|pack| pack.number).collect();
    // The emptiest first.
    left.sort_by(|one, other| {
        let share =
            |pack: &PackFacts| (u128::from(pack.unused()) << 32) / u128::from(pack.size.max(1));
        share(other).cmp(&share(one)).then(one.number.cmp(&other.number))
    });
    let used: u64 = left.iter().map(|pack| pack.size - pack.unused()).sum();
    plan.unused = left.iter().map(|pack| pack.unused()).sum();
    let allowed = used as f64 * max_unused.max(0.0);
    let mut stay = left.into_iter().peekable();
    while plan.unused as f64 > allowed
        && let Some(pack) = stay.next_if(|pack| pack.unused() > 0)
    {
        plan.unused -= pack.unused();
        plan.repack.push(pack.number);
    }
    add_small(stay.collect(), pack_size, &mut plan);
    plan.repack.sort_unstable();
    plan
}

/// Adds the small packs of magnitudes of which there are many.
fn add_small(stay: Vec<&PackFacts>, pack_size: u64, plan: &mut Plan) {
    for kind in [PackKind::Data, PackKind::Tree] {
        for magnitude in 1..=u64::BITS {
            let is_of_it = |pack: &&&PackFacts| {
                pack.kind == kind && pack.magnitude(pack_size) == Some(magnitude)
            };
            let of_it: Vec<&&PackFacts> = stay.iter().filter(is_of_it).collect();
            if of_it.len() >= SMALL_PACKS {
                plan.unused -= of_it.iter().map(|pack| pack.unused()).sum::<u64>();
                plan.repack.extend(of_it.iter().map(|pack| pack.number));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn pack(number: u32, size: u64, total: u64, kept: u64) -> PackFacts {
        let pack_use = PackUse { total, live: kept, kept };
        PackFacts { number, kind: PackKind::Data, size, pack_use, is_protected: false }
    }

    #[test]
    fn the_emptiest_packs_are_repacked_until_the_rest_is_below_the_limit() {
        let packs = [
            pack(0, 1000, 100, 0),
            pack(1, 1000, 100, 40),
            pack(2, 1000, 100, 97),
            pack(3, 1000, 100, 100),
        ];
        let plan = plan(&packs, 0.05, 1000);
        assert_eq!((plan.condemn, plan.repack, plan.unused), (vec![0], vec![1], 30));
        let strict = super::plan(&packs, 0.0, 1000);
        assert_eq!((strict.repack, strict.unused), (vec![1, 2], 0));
    }

    #[test]
    fn small_packs_of_one_magnitude_are_put_together_once_there_are_many() {
        let many: Vec<PackFacts> = (0..8).map(|number| pack(number, 2 << 20, 9, 9)).collect();
        assert_eq!(plan(&many, 0.05, 64 << 20).repack.len(), 8);
        assert_eq!(plan(&many[1..], 0.05, 64 << 20).repack.len(), 0);
        // They become one of a higher magnitude.
        assert!(many[0].magnitude(64 << 20) > pack(9, 16 << 20, 9, 9).magnitude(64 << 20));
    }

    #[test]
    fn what_an_open_session_may_need_stays() {
        let packs = [PackFacts { is_protected: true, ..pack(0, 1000, 100, 0) }];
        assert_eq!(plan(&packs, 0.0, 1000), Plan::default());
    }

    proptest! {
        #[test]
        fn a_plan_keeps_its_promises(
            packs in prop::collection::vec((1u64..2000, 1u64..1000, 0u64..1000), 0..60),
            max_unused in 0.0..0.5,
        ) {
            let packs: Vec<PackFacts> = (0..).zip(&packs)
                .map(|(number, (size, total, kept))| pack(number, *size, *total, *kept.min(total)))
                .collect();
            let plan = plan(&packs, max_unused, 1000);
            let goes = |pack: &&PackFacts| {
                plan.condemn.contains(&pack.number) || plan.repack.contains(&pack.number)
            };
            for pack in &packs {
                prop_assert_eq!(plan.condemn.contains(&pack.number), pack.pack_use.kept == 0);
            }
            let stay: Vec<&PackFacts> = packs.iter().filter(|pack| !goes(pack)).collect();
            let unused: u64 = stay.iter().map(|pack| pack.unused()).sum();
            prop_assert_eq!(unused, plan.unused);
            let used: u64 = packs.iter().filter(|pack| pack.pack_use.kept > 0)
                .map(|pack| pack.size - pack.unused()).sum();
            prop_assert!(unused as f64 <= used as f64 * max_unused);
        }
    }
}
