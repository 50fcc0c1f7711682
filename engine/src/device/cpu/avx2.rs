//! Lanes as two AVX2 registers.

use super::lanes::Lanes;
use crate::device::MXFP4_VALUES;
use std::arch::x86_64::*;

#[derive(Debug, Clone, Copy)]
pub(super) struct Avx2(__m256, __m256);

impl Lanes for Avx2 {
    const WIDE: bool = false;

    #[inline(always)]
    unsafe fn splat(x: f32) -> Self {
        // SAFETY: AVX2 by contract, here and below; pointers are valid for 16 elements by contract.
        unsafe { Self(_mm256_set1_ps(x), _mm256_set1_ps(x)) }
    }

    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self {
        // SAFETY: see `splat`.
        unsafe { Self(_mm256_loadu_ps(from), _mm256_loadu_ps(from.add(8))) }
    }

    #[inline(always)]
    unsafe fn load_bf16(from: *const u16) -> Self {
        // SAFETY: see `splat`.
        unsafe { Self(widen_bf16(from), widen_bf16(from.add(8))) }
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut f32) {
        // SAFETY: see `splat`.
        unsafe {
            _mm256_storeu_ps(to, self.0);
            _mm256_storeu_ps(to.add(8), self.1);
        }
    }

    #[inline(always)]
    unsafe fn add(self, other: Self) -> Self {
        // SAFETY: see `splat`.
        unsafe { Self(_mm256_add_ps(self.0, other.0), _mm256_add_ps(self.1, other.1)) }
    }

    #[inline(always)]
    unsafe fn mul(self, other: Self) -> Self {
        // SAFETY: see `splat`.
        unsafe { Self(_mm256_mul_ps(self.0, other.0), _mm256_mul_ps(self.1, other.1)) }
    }

    #[inline(always)]
    unsafe fn div(self, other: Self) -> Self {
        // SAFETY: see `splat`.
        unsafe { Self(_mm256_div_ps(self.0, other.0), _mm256_div_ps(self.1, other.1)) }
    }

    #[inline(always)]
    unsafe fn min(self, other: Self) -> Self {
        // SAFETY: see `splat`.
        unsafe { Self(_mm256_min_ps(self.0, other.0), _mm256_min_ps(self.1, other.1)) }
    }

    #[inline(always)]
    unsafe fn max(self, other: Self) -> Self {
        // SAFETY: see `splat`.
        unsafe { Self(_mm256_max_ps(self.0, other.0), _mm256_max_ps(self.1, other.1)) }
    }

    #[inline(always)]
    unsafe fn fma(self, by: Self, plus: Self) -> Self {
        // SAFETY: see `splat`.
        unsafe { Self(_mm256_fmadd_ps(self.0, by.0, plus.0), _mm256_fmadd_ps(self.1, by.1, plus.1)) }
    }

    #[inline(always)]
    unsafe fn pow2(self) -> Self {
        // SAFETY: see `splat`.
        unsafe { Self(pow2(self.0), pow2(self.1)) }
    }

    #[inline(always)]
    unsafe fn zero_below(self, key: Self, least: Self) -> Self {
        // SAFETY: see `splat`.
        unsafe {
            let low = _mm256_cmp_ps::<_CMP_LT_OQ>(key.0, least.0);
            let high = _mm256_cmp_ps::<_CMP_LT_OQ>(key.1, least.1);
            Self(_mm256_andnot_ps(low, self.0), _mm256_andnot_ps(high, self.1))
        }
    }

    #[inline(always)]
    unsafe fn load_powers_of_two(from: *const u8) -> Self {
        // SAFETY: see `splat`; 16 bytes by contract.
        unsafe {
            let bytes = _mm_loadu_si128(from.cast());
            Self(power_of_two(bytes), power_of_two(_mm_srli_si128::<8>(bytes)))
        }
    }

    #[inline(always)]
    unsafe fn unpack_mxfp4(from: *const u8) -> (Self, Self) {
        // SAFETY: see `splat`; 16 bytes by contract.
        unsafe {
            let bytes = _mm_loadu_si128(from.cast());
            let first = _mm256_cvtepu8_epi32(bytes);
            let second = _mm256_cvtepu8_epi32(_mm_srli_si128::<8>(bytes));
            let high = (_mm256_srli_epi32::<4>(first), _mm256_srli_epi32::<4>(second));
            (
                Self(nibble_value(first), nibble_value(second)),
                Self(nibble_value(high.0), nibble_value(high.1)),
            )
        }
    }
}

#[inline(always)]
unsafe fn widen_bf16(from: *const u16) -> __m256 {
    // SAFETY: AVX2 and 8 elements by the callers' contract.
    unsafe {
        let bits = _mm256_cvtepu16_epi32(_mm_loadu_si128(from.cast()));
        _mm256_castsi256_ps(_mm256_slli_epi32::<16>(bits))
    }
}

#[inline(always)]
unsafe fn pow2(x: __m256) -> __m256 {
    // SAFETY: AVX2 by the callers' contract.
    unsafe {
        let biased = _mm256_add_epi32(_mm256_cvtps_epi32(x), _mm256_set1_epi32(127));
        _mm256_castsi256_ps(_mm256_slli_epi32::<23>(biased))
    }
}

/// A scale is the exponent's bits, except that 0 stands for the subnormal 2^-127.
#[inline(always)]
unsafe fn power_of_two(scales: __m128i) -> __m256 {
    // SAFETY: AVX2 by the callers' contract.
    unsafe {
        let bits = _mm256_slli_epi32::<23>(_mm256_cvtepu8_epi32(scales));
        _mm256_castsi256_ps(_mm256_max_epi32(bits, _mm256_set1_epi32(1 << 22)))
    }
}

/// The magnitude from the low three bits, the sign from the fourth; higher bits do not matter.
#[inline(always)]
unsafe fn nibble_value(nibble: __m256i) -> __m256 {
    // SAFETY: AVX2 by the callers' contract; the first 8 of 16 values are read.
    unsafe {
        let magnitude = _mm256_permutevar8x32_ps(_mm256_loadu_ps(MXFP4_VALUES.as_ptr()), nibble);
        let sign = _mm256_slli_epi32::<28>(_mm256_and_si256(nibble, _mm256_set1_epi32(8)));
        _mm256_xor_ps(magnitude, _mm256_castsi256_ps(sign))
    }
}
