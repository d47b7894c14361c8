// SPDX-License-Identifier: MIT
//! Must not compile: the guard would be dropped on another thread than the one that it switched.
use miguard::{Switched, Target};

pub fn on_another_thread(user: &Target) {
    let guard = Switched::to(user);
    std::thread::spawn(move || drop(guard));
}
