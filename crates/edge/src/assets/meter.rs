//! Counts the bytes of assets in memory, those that slow clients still hold included.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;

/// A number of bytes that all together do not exceed.
pub(super) struct Meter {
    bytes: AtomicU64,
    bytes_max: u64,
}

/// Takes its bytes off the meter when the last clone or slice of them is gone.
struct Metered {
    bytes: Bytes,
    reserved: Reserved,
}

/// Room for bytes that are about to be read.
pub(super) struct Reserved {
    meter: Arc<Meter>,
    bytes: u64,
}

impl Meter {
    pub(super) fn new(bytes_max: u64) -> Arc<Self> {
        Arc::new(Self { bytes: AtomicU64::new(0), bytes_max })
    }

    /// Room for so many bytes, if there is.
    pub(super) fn reserve(self: &Arc<Self>, bytes: u64) -> Option<Reserved> {
        let reserved = Reserved { meter: Arc::clone(self), bytes };
        let before = self.bytes.fetch_add(bytes, Ordering::Relaxed);
        // Dropping what does not fit takes it back.
        (before + bytes <= self.bytes_max).then_some(reserved)
    }

    /// Room for bytes that cannot be had in another way than in memory.
    pub(super) fn reserve_anyway(self: &Arc<Self>, bytes: u64) -> Reserved {
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
        Reserved { meter: Arc::clone(self), bytes }
    }
}

impl Reserved {
    /// The bytes that the room was for.
    pub(super) fn hold(mut self, bytes: Bytes) -> Bytes {
        let length = bytes.len() as u64;
        if length > self.bytes {
            self.meter.bytes.fetch_add(length - self.bytes, Ordering::Relaxed);
        } else {
            self.meter.bytes.fetch_sub(self.bytes - length, Ordering::Relaxed);
        }
        self.bytes = length;
        Bytes::from_owner(Metered { bytes, reserved: self })
    }
}

impl Drop for Reserved {
    fn drop(&mut self) {
        self.meter.bytes.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

impl AsRef<[u8]> for Metered {
    fn as_ref(&self) -> &[u8] {
        debug_assert_eq!(self.bytes.len() as u64, self.reserved.bytes);
        &self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_count_until_their_last_slice_is_gone() {
        let meter = Meter::new(10);
        let held = meter.reserve(8).unwrap().hold(Bytes::from_static(b"12345678"));
        assert!(meter.reserve(3).is_none());
        let slice = held.slice(2..4);
        drop(held);
        assert!(meter.reserve(3).is_none());
        assert_eq!(slice, "34");
        drop(slice);
        assert!(meter.reserve(10).is_some());
        // What was refused or given back is free again.
        assert!(meter.reserve(10).is_some());
    }

    #[test]
    fn what_turned_out_larger_counts_as_it_is() {
        let meter = Meter::new(10);
        let held = meter.reserve(1).unwrap().hold(Bytes::from_static(b"12345678"));
        assert!(meter.reserve(3).is_none());
        drop(held);
        assert!(meter.reserve(10).is_some());
    }
}
