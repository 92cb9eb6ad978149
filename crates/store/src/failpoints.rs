//! Failures on demand, for tests: every step of the store that writes passes through `step` or `point`.
//!
//! Without the feature `failpoints` both are empty. With it, a step fails when `fail_nth` has counted
//! down to it, or when the failpoint `store::<operation>::<number>` of the crate `fail` says so.

#[cfg(feature = "failpoints")]
pub use on::{disarm, fail_nth};

#[cfg(feature = "failpoints")]
pub(crate) use on::{point, step};

#[cfg(not(feature = "failpoints"))]
pub(crate) use off::{point, step};

#[cfg(not(feature = "failpoints"))]
mod off {
    use std::sync::atomic::AtomicU32;

    use crate::error::Result;

    #[expect(clippy::unnecessary_wraps, reason = "fails with the feature")]
    pub(crate) const fn point(_name: &str) -> Result<()> {
        Ok(())
    }

    #[expect(clippy::unnecessary_wraps, reason = "fails with the feature")]
    pub(crate) const fn step(_operation: &str, _step: &AtomicU32) -> Result<()> {
        Ok(())
    }
}

#[cfg(feature = "failpoints")]
mod on {
    use std::sync::Mutex;
    use std::sync::atomic::{AtomicI64, AtomicU32, Ordering};

    use crate::error::{Result, StoreError};

    static COUNTDOWN: AtomicI64 = AtomicI64::new(i64::MAX);
    static FAILED: Mutex<Option<String>> = Mutex::new(None);

    /// Makes the `n`-th step from now fail with [`StoreError::Injected`], counting from 1, once, in the whole
    /// process: tests that use it must not run beside others.
    pub fn fail_nth(n: u32) {
        COUNTDOWN.store(i64::from(n), Ordering::SeqCst);
    }

    /// Ends the countdown. Returns the step that failed, `None` when it was not reached.
    pub fn disarm() -> Option<String> {
        COUNTDOWN.store(i64::MAX, Ordering::SeqCst);
        FAILED.lock().ok()?.take()
    }

    pub(crate) fn step(operation: &str, step: &AtomicU32) -> Result<()> {
        let number = step.fetch_add(1, Ordering::Relaxed);
        point(&format!("store::{operation}::{number}"))
    }

    pub(crate) fn point(name: &str) -> Result<()> {
        if COUNTDOWN.fetch_sub(1, Ordering::SeqCst) == 1 {
            if let Ok(mut failed) = FAILED.lock() {
                *failed = Some(name.to_owned());
            }
            return Err(StoreError::Injected(name.to_owned()));
        }
        fail::fail_point!(name, |_| Err(StoreError::Injected(name.to_owned())));
        Ok(())
    }
}
