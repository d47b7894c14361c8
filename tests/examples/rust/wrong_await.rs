// SPDX-License-Identifier: MIT
//! Must not compile: after the await the task may be on another thread than the guard.
use miguard::{Error, Switched, Target};
use std::future::Future;
use std::sync::Arc;

fn spawn<F: Future + Send + 'static>(_future: F) {}

async fn other_work() {}

pub fn in_a_task(user: Arc<Target>) {
    spawn(async move {
        let _guard = Switched::to(&user)?;
        other_work().await;
        Ok::<(), Error>(())
    });
}
