//! Lanes as an array, for machines that no other set serves.

use super::lanes::Lanes;
use crate::device::matrix::power_of_two;
use crate::device::{LANES, MXFP4_VALUES};

#[derive(Debug, Clone, Copy)]
pub(super) struct Portable([f32; LANES]);

impl Portable {
    #[inline(always)]
    fn zip(self, other: Self, f: impl Fn(f32, f32) -> f32) -> Self {
        let mut out = self;
        for i in 0..LANES {
            out.0[i] = f(self.0[i], other.0[i]);
        }
        out
    }
}

impl Lanes for Portable {
    const WIDE: bool = false;

    #[inline(always)]
    unsafe fn splat(x: f32) -> Self {
        Self([x; LANES])
    }

    #[inline(always)]
    unsafe fn load(from: *const f32) -> Self {
        // SAFETY: valid for 16 elements by contract; an array of f32 has no padding.
        Self(unsafe { from.cast::<[f32; LANES]>().read_unaligned() })
    }

    #[inline(always)]
    unsafe fn load_bf16(from: *const u16) -> Self {
        // SAFETY: valid for 16 elements by contract; an array of u16 has no padding.
        let bits = unsafe { from.cast::<[u16; LANES]>().read_unaligned() };
        let mut out = [0.0; LANES];
        for i in 0..LANES {
            out[i] = f32::from_bits(u32::from(bits[i]) << 16);
        }
        Self(out)
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut f32) {
        // SAFETY: valid for 16 elements by contract.
        unsafe { to.cast::<[f32; LANES]>().write_unaligned(self.0) }
    }

    #[inline(always)]
    unsafe fn add(self, other: Self) -> Self {
        self.zip(other, |a, b| a + b)
    }

    #[inline(always)]
    unsafe fn mul(self, other: Self) -> Self {
        self.zip(other, |a, b| a * b)
    }

    #[inline(always)]
    unsafe fn div(self, other: Self) -> Self {
        self.zip(other, |a, b| a / b)
    }

    #[inline(always)]
    unsafe fn min(self, other: Self) -> Self {
        self.zip(other, |a, b| if a < b { a } else { b })
    }

    #[inline(always)]
    unsafe fn max(self, other: Self) -> Self {
        self.zip(other, |a, b| if a > b { a } else { b })
    }

    #[inline(always)]
    unsafe fn fma(self, by: Self, plus: Self) -> Self {
        // Not `mul_add`: without the instruction it is a slow function call.
        let mut out = self;
        for i in 0..LANES {
            out.0[i] = self.0[i] * by.0[i] + plus.0[i];
        }
        out
    }

    #[inline(always)]
    unsafe fn pow2(self) -> Self {
        let mut out = self;
        for i in 0..LANES {
            out.0[i] = f32::from_bits(((self.0[i] as i32 + 127) as u32) << 23);
        }
        out
    }

    #[inline(always)]
    unsafe fn zero_below(self, key: Self, least: Self) -> Self {
        let mut out = self;
        for i in 0..LANES {
            out.0[i] = if key.0[i] < least.0[i] { 0.0 } else { self.0[i] };
        }
        out
    }

    #[inline(always)]
    unsafe fn load_powers_of_two(from: *const u8) -> Self {
        // SAFETY: valid for 16 bytes by contract.
        let scales = unsafe { from.cast::<[u8; LANES]>().read_unaligned() };
        let mut out = [0.0; LANES];
        for i in 0..LANES {
            out[i] = power_of_two(scales[i]);
        }
        Self(out)
    }

    #[inline(always)]
    unsafe fn unpack_mxfp4(from: *const u8) -> (Self, Self) {
        // SAFETY: valid for 16 bytes by contract.
        let bytes = unsafe { from.cast::<[u8; LANES]>().read_unaligned() };
        let (mut low, mut high) = ([0.0; LANES], [0.0; LANES]);
        for i in 0..LANES {
            low[i] = MXFP4_VALUES[usize::from(bytes[i] & 15)];
            high[i] = MXFP4_VALUES[usize::from(bytes[i] >> 4)];
        }
        (Self(low), Self(high))
    }
}
