//! Every target under its name, for cargo-fuzz: what each does stands with the decoder. The crates' own tests call the
//! same functions with the same corpus (`src/replay.rs`).
//!
//! An allocator that counts stands under them: no input here is longer than 64 KiB, so an allocation of 64 MiB was
//! taken from a length that the input only claims. An allocator cannot be written without `unsafe`; it hands everything
//! on to the system's unchanged.

use std::alloc::{GlobalAlloc, Layout, System};

pub use command_api::http::fuzzing::{batch, beside, body};
pub use event_store::fuzzing::{backup_manifest, frame, index, manifest, run, segment, transaction};

mod event;

/// See `event.rs`.
pub fn event(data: &[u8]) {
    event::event(data);
}

const ALLOCATION_BYTES_MAX: usize = 64 << 20;

struct Bounded;

#[global_allocator]
static ALLOCATOR: Bounded = Bounded;

/// Ends the process: to panic would allocate again.
fn check(bytes: usize) {
    if bytes > ALLOCATION_BYTES_MAX {
        std::process::abort();
    }
}

// SAFETY: every call goes to the system's allocator with the arguments it came with.
unsafe impl GlobalAlloc for Bounded {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        check(layout.size());
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        check(layout.size());
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, old: *mut u8, layout: Layout, bytes: usize) -> *mut u8 {
        check(bytes);
        unsafe { System.realloc(old, layout, bytes) }
    }

    unsafe fn dealloc(&self, old: *mut u8, layout: Layout) {
        unsafe { System.dealloc(old, layout) }
    }
}
