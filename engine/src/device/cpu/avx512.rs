//! Lanes as one AVX-512 register.

use super::lanes::Lanes;
use crate::device::MXFP4_VALUES;
use std::arch::x86_64::*;

#[derive(Debug, Clone, Copy)]
pub(super) struct Avx512(__m512);

impl Lanes for Avx512 {
    const WIDE: bool = true;

    #[inline(always)]
    unsafe fn splat(x: f32) -> Self {
        // SAFETY: AVX-512 by contract, here and below; pointers are valid for 16 elements by contract.
        unsafe { Self(_mm512_set1_ps(x)) }
    }

    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self {
        // SAFETY: see `splat`.
        unsafe { Self(_mm512_loadu_ps(from)) }
    }

    #[inline(always)]
    unsafe fn load_bf16(from: *const u16) -> Self {
        // SAFETY: see `splat`.
        unsafe {
            let bits = _mm512_cvtepu16_epi32(_mm256_loadu_si256(from.cast()));
            Self(_mm512_castsi512_ps(_mm512_slli_epi32::<16>(bits)))
        }
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut f32) {
        // SAFETY: see `splat`.
        unsafe { _mm512_storeu_ps(to, self.0) }
    }

    #[inline(always)]
    unsafe fn add(self, other: Self) -> Self {
        // SAFETY: see `splat`.
        unsafe { Self(_mm512_add_ps(self.0, other.0)) }
    }

    #[inline(always)]
    unsafe fn mul(self, other: Self) -> Self {
        // SAFETY: see `splat`.
        unsafe { Self(_mm512_mul_ps(self.0, other.0)) }
    }

    #[inline(always)]
    unsafe fn div(self, other: Self) -> Self {
        // SAFETY: see `splat`.
        unsafe { Self(_mm512_div_ps(self.0, other.0)) }
    }

    #[inline(always)]
    unsafe fn min(self, other: Self) -> Self {
        // SAFETY: see `splat`.
        unsafe { Self(_mm512_min_ps(self.0, other.0)) }
    }

    #[inline(always)]
    unsafe fn max(self, other: Self) -> Self {
        // SAFETY: see `splat`.
        unsafe { Self(_mm512_max_ps(self.0, other.0)) }
    }

    #[inline(always)]
    unsafe fn fma(self, by: Self, plus: Self) -> Self {
        // SAFETY: see `splat`.
        unsafe { Self(_mm512_fmadd_ps(self.0, by.0, plus.0)) }
    }

    #[inline(always)]
    unsafe fn pow2(self) -> Self {
        // SAFETY: see `splat`.
        unsafe {
            let biased = _mm512_add_epi32(_mm512_cvtps_epi32(self.0), _mm512_set1_epi32(127));
            Self(_mm512_castsi512_ps(_mm512_slli_epi32::<23>(biased)))
        }
    }

    #[inline(always)]
    unsafe fn zero_below(self, key: Self, least: Self) -> Self {
        // SAFETY: see `splat`.
        unsafe {
            // Not "less than", so that a NaN stays a NaN.
            let keep = !_mm512_cmp_ps_mask::<_CMP_LT_OQ>(key.0, least.0);
            Self(_mm512_maskz_mov_ps(keep, self.0))
        }
    }

    #[inline(always)]
    unsafe fn load_powers_of_two(from: *const u8) -> Self {
        // SAFETY: see `splat`; 16 bytes by contract. A scale is the exponent's bits, except that 0 stands for the
        // subnormal 2^-127.
        unsafe {
            let bits = _mm512_slli_epi32::<23>(_mm512_cvtepu8_epi32(_mm_loadu_si128(from.cast())));
            Self(_mm512_castsi512_ps(_mm512_max_epi32(bits, _mm512_set1_epi32(1 << 22))))
        }
    }

    #[inline(always)]
    unsafe fn unpack_mxfp4(from: *const u8) -> (Self, Self) {
        // SAFETY: see `splat`; 16 bytes by contract. The permutation reads the low four bits of each index only.
        unsafe {
            let values = _mm512_loadu_ps(MXFP4_VALUES.as_ptr());
            let bytes = _mm512_cvtepu8_epi32(_mm_loadu_si128(from.cast()));
            let low = _mm512_permutexvar_ps(bytes, values);
            let high = _mm512_permutexvar_ps(_mm512_srli_epi32::<4>(bytes), values);
            (Self(low), Self(high))
        }
    }
}
