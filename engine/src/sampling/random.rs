//! Random numbers without state: a function of (seed, position).

/// A number in [0, 1) for a position of the sequence with this seed.
pub(super) fn uniform(seed: u64, position: u64) -> f64 {
    let bits = mix(mix(seed).wrapping_add(position.wrapping_mul(GOLDEN)));
    // The 53 upper bits: every value is exact in an f64.
    (bits >> 11) as f64 * (1.0 / (1u64 << 53) as f64)
}

const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

/// The output function of SplitMix64 (Steele, Lea, Flood 2014, "Fast splittable pseudorandom number
/// generators"): every bit of the answer depends on every bit of the input.
fn mix(input: u64) -> u64 {
    let mut z = input.wrapping_add(GOLDEN);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbouring_seeds_and_positions_are_unrelated_and_even() {
        let mut counts = [0u32; 10];
        for seed in 0..100 {
            for position in 0..100 {
                counts[(uniform(seed, position) * 10.0) as usize] += 1;
            }
        }
        // 1000 expected in each tenth, standard deviation 30.
        assert!(counts.iter().all(|count| (880..1120).contains(count)), "{counts:?}");
        assert_ne!(uniform(1, 2), uniform(2, 1));
    }
}
