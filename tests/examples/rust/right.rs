// SPDX-License-Identifier: MIT
//! Compiles: targets and bindings go to other threads, and each guard stays on the thread, and
//! between the awaits, where it was made. wrong_thread.rs and wrong_await.rs are the same with one
//! mistake each.
use miguard::{act, Binding, Error, Refusal, Switched, Target};
use std::future::Future;
use std::sync::Arc;

/// What an executor with several threads asks of a future.
fn spawn<F: Future + Send + 'static>(_future: F) {}

async fn other_work() {}

fn read(connection: &Binding) -> Result<(), Box<Refusal>> {
    connection.verify(0, None)
}

pub fn on_another_thread(user: Arc<Target>, connection: Binding) {
    std::thread::spawn(move || {
        let guard = Switched::to(&user);
        let answer = read(&connection);
        drop(guard);
        answer
    });
}

pub fn in_a_task(user: Arc<Target>, connection: Binding) {
    spawn(async move {
        other_work().await;
        {
            let _guard = Switched::to(&user)?;
            let _answer = read(&connection);
        }
        other_work().await;
        let _answer = act(&user, || read(&connection))?;
        Ok::<(), Error>(())
    });
}
