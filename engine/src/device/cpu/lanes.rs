//! Sixteen `f32` side by side: what the kernels are written in, once for every instruction set.

use crate::device::LANES;

/// The instruction sets, worst first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Simd {
    /// What the compiler makes of arrays.
    Portable,
    /// AVX2 with FMA.
    Avx2,
    /// AVX-512 F and BW.
    Avx512,
}

impl Simd {
    /// The best that this machine has.
    pub fn detect() -> Self {
        Self::available().last().copied().unwrap_or(Simd::Portable)
    }

    /// All that this machine has, worst first.
    pub fn available() -> Vec<Self> {
        let mut found = vec![Simd::Portable];
        #[cfg(target_arch = "x86_64")]
        {
            if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
                found.push(Simd::Avx2);
            }
            if is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512bw") {
                found.push(Simd::Avx512);
            }
        }
        found
    }
}

/// Sixteen lanes.
///
/// # Safety
/// Every function asks that the machine has the implementor's instruction set (see [`Simd`]), and that a pointer
/// is valid for 16 elements (MXFP4 bytes and scales: 16 bytes), at any alignment.
pub(super) trait Lanes: Copy {
    /// Whether 32 registers hold tiles of 16 accumulators; otherwise 8 is the most.
    const WIDE: bool;

    unsafe fn splat(x: f32) -> Self;
    unsafe fn load(from: *const f32) -> Self;
    unsafe fn load_bf16(from: *const u16) -> Self;
    unsafe fn store(self, to: *mut f32);
    unsafe fn add(self, other: Self) -> Self;
    unsafe fn mul(self, other: Self) -> Self;
    unsafe fn div(self, other: Self) -> Self;
    unsafe fn min(self, other: Self) -> Self;
    unsafe fn max(self, other: Self) -> Self;
    /// `self * by + plus`, rounded once where the machine can.
    unsafe fn fma(self, by: Self, plus: Self) -> Self;
    /// 2^self for integral lanes in -126..=127.
    unsafe fn pow2(self) -> Self;
    /// Zero in the lanes where `key` is below `least`.
    unsafe fn zero_below(self, key: Self, least: Self) -> Self;
    /// 2^(scale - 127) for 16 e8m0 scales, exact down to the subnormal 2^-127.
    unsafe fn load_powers_of_two(from: *const u8) -> Self;
    /// The values of 16 low nibbles and of 16 high nibbles.
    unsafe fn unpack_mxfp4(from: *const u8) -> (Self, Self);

    /// The lanes as an array.
    #[inline(always)]
    unsafe fn to_array(self) -> [f32; LANES] {
        let mut out = [0.0; LANES];
        // SAFETY: the array has 16 elements; the instruction set is the caller's duty.
        unsafe { self.store(out.as_mut_ptr()) };
        out
    }

    /// e^self, to about 2 units in the last place; 0 below -87.
    #[inline(always)]
    unsafe fn exp(self) -> Self {
        // SAFETY: no pointers; the instruction set is the caller's duty.
        unsafe {
            let least = Self::splat(-87.0);
            let x = self.max(least).min(Self::splat(88.0));
            // Adding and subtracting 1.5 * 2^23 rounds to the nearest integer.
            let magic = Self::splat(12_582_912.0);
            let n = x.fma(Self::splat(std::f32::consts::LOG2_E), magic).add(Self::splat(-12_582_912.0));
            // ln 2 in two parts, so that n ln 2 loses nothing.
            let r = n.fma(Self::splat(-0.693_359_4), x);
            let r = n.fma(Self::splat(2.121_944_4e-4), r);
            let mut sum = Self::splat(1.0 / 5040.0);
            for factor in [1.0 / 720.0, 1.0 / 120.0, 1.0 / 24.0, 1.0 / 6.0, 0.5, 1.0, 1.0] {
                sum = sum.fma(r, Self::splat(factor));
            }
            sum.mul(n.pow2()).zero_below(self, least)
        }
    }
}

/// An element that 16 lanes can be loaded from.
pub(super) trait Element: Copy {
    /// # Safety
    /// As for [`Lanes`].
    unsafe fn load<V: Lanes>(from: *const Self) -> V;
}

impl Element for f32 {
    #[inline(always)]
    unsafe fn load<V: Lanes>(from: *const Self) -> V {
        // SAFETY: the caller's duty, passed on.
        unsafe { V::load(from) }
    }
}

/// bf16 bits.
impl Element for u16 {
    #[inline(always)]
    unsafe fn load<V: Lanes>(from: *const Self) -> V {
        // SAFETY: the caller's duty, passed on.
        unsafe { V::load_bf16(from) }
    }
}

/// Makes a safe-to-name entry of a kernel that is generic over [`Lanes`]: it picks the instantiation for `simd`.
///
/// The wrappers carry the target features; the kernels and the lanes are `inline(always)`, so they are compiled
/// inside the wrappers and may use the instructions.
macro_rules! dispatch {
    ($(#[$doc:meta])* $vis:vis unsafe fn $name:ident => $kernel:ident($($arg:ident: $type:ty),* $(,)?)) => {
        $(#[$doc])*
        ///
        /// # Safety
        /// As for the kernel; `simd` must be available on this machine.
        $vis unsafe fn $name(simd: $crate::device::cpu::lanes::Simd, $($arg: $type),*) {
            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx512f,avx512bw,avx2,fma")]
            unsafe fn avx512($($arg: $type),*) {
                // SAFETY: the caller's duty, passed on.
                unsafe { $kernel::<$crate::device::cpu::avx512::Avx512>($($arg),*) }
            }
            #[cfg(target_arch = "x86_64")]
            #[target_feature(enable = "avx2,fma")]
            unsafe fn avx2($($arg: $type),*) {
                // SAFETY: the caller's duty, passed on.
                unsafe { $kernel::<$crate::device::cpu::avx2::Avx2>($($arg),*) }
            }
            // SAFETY: the caller's duty, passed on; the features were detected at run time.
            unsafe {
                match simd {
                    #[cfg(target_arch = "x86_64")]
                    $crate::device::cpu::lanes::Simd::Avx512 => avx512($($arg),*),
                    #[cfg(target_arch = "x86_64")]
                    $crate::device::cpu::lanes::Simd::Avx2 => avx2($($arg),*),
                    _ => $kernel::<$crate::device::cpu::portable::Portable>($($arg),*),
                }
            }
        }
    };
}
pub(super) use dispatch;
