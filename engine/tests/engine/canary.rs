//! Broken machines: if these were not noticed, the invariants would promise nothing.

use crate::shadow::Shadow;
use crate::world::World;
use frontdesk_engine::scheduler::batch::Batch;
use std::collections::HashSet;

const SEEDS: u64 = 200;

/// Seeds whose sequences differ from what they get alone. The scheduler itself is whole, so the world sees no
/// other fault.
fn noticed(sabotage: fn(&mut Shadow, &mut Batch)) -> usize {
    let differs = |seed: &u64| {
        let mut world = World::sabotaged(*seed, sabotage);
        world.live(40).unwrap();
        world.compare_with_alone().is_err()
    };
    (0..SEEDS).filter(differs).count()
}

#[test]
fn a_slot_lost_when_a_block_is_shared_is_noticed() {
    assert!(noticed(corrupt_shared) > 50);
}

#[test]
fn two_swapped_blocks_are_noticed() {
    assert!(noticed(|_, batch| batch.work.iter_mut().for_each(|work| work.blocks.reverse())) > 100);
}

#[test]
fn a_position_off_by_one_is_noticed() {
    let shift = |_: &mut Shadow, batch: &mut Batch| {
        for work in batch.work.iter_mut().filter(|work| work.position > 0) {
            work.position -= 1;
        }
    };
    assert!(noticed(shift) > 150);
}

#[test]
fn draws_of_another_sequence_are_noticed() {
    assert!(noticed(|_, batch| batch.work.reverse()) > 100);
}

#[test]
fn a_whole_machine_is_not_accused() {
    assert_eq!(noticed(|_, _| ()), 0);
}

fn corrupt_shared(shadow: &mut Shadow, batch: &mut Batch) {
    let mut seen = HashSet::new();
    for &block in batch.work.iter().flat_map(|work| &work.blocks) {
        if !seen.insert(block) {
            shadow.corrupt(block);
        }
    }
}
