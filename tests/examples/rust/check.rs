// SPDX-License-Identifier: MIT
//! What miguard.rs promises, at run time: check WHAT [folder for the log] [number of acts]
//! [policy]. Exits 1 and says what is wrong.
use miguard::{act, Binding, FrontEnd, Groups, Switched, Target};
use std::panic::{catch_unwind, AssertUnwindSafe};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

const IDENTITIES: usize = 50;
const THREADS: usize = 16;
const ACTIONS: [&str; 2] = ["read", "write"];
const READ: u32 = 0;
const WRITE: u32 = 1;

type Failure = Box<dyn std::error::Error + Send + Sync>;

fn uid_of(place: usize) -> u32 {
    70000 + place as u32
}

fn groups_of(place: usize) -> Vec<u32> {
    (0..place as u32 % 4).map(|more| 80000 + 10 * place as u32 + more).collect()
}

fn target_of(place: usize) -> Result<Target, miguard::Error> {
    let uid = uid_of(place);
    match groups_of(place) {
        none if none.is_empty() => Target::ids(uid, uid + 1000, Groups::Clear),
        list => Target::ids(uid, uid + 1000, Groups::List(&list)),
    }
}

/// The numbers of a line of /proc/thread-self/status: the kernel's own account of this thread.
fn numbers(status: &str, name: &str) -> Vec<u32> {
    let line = status.lines().find(|line| line.starts_with(name)).unwrap_or("");
    line.split_whitespace().skip(1).filter_map(|word| word.parse().ok()).collect()
}

/// Real, effective and file system ids, groups, and whether capabilities are effective. The saved
/// uid is the way back, and that of whom the thread was before.
fn is_thread(uid: u32, gid: u32, groups: &[u32], has_caps: bool) -> bool {
    let status = std::fs::read_to_string("/proc/thread-self/status").unwrap_or_default();
    let caps = status.lines().find(|line| line.starts_with("CapEff:")).unwrap_or("");
    let uids = numbers(&status, "Uid:");
    uids.len() == 4
        && [uids[0], uids[1], uids[3]] == [uid; 3]
        && numbers(&status, "Gid:") == [gid; 4]
        && numbers(&status, "Groups:") == groups
        && caps.ends_with("0000000000000000") != has_caps
}

fn is_identity(place: usize) -> bool {
    is_thread(uid_of(place), uid_of(place) + 1000, &groups_of(place), false)
}

/// Who this program is where nothing is switched.
struct Home {
    groups: Vec<u32>,
}

impl Home {
    fn now() -> Home {
        let status = std::fs::read_to_string("/proc/thread-self/status").unwrap_or_default();
        Home { groups: numbers(&status, "Groups:") }
    }

    fn is_here(&self) -> bool {
        miguard::switch_depth() == 0 && is_thread(0, 0, &self.groups, true)
    }
}

struct Shared {
    home: Home,
    targets: Vec<Target>,
    bindings: Vec<Binding>,
    next: AtomicUsize,
    wrong: Mutex<Vec<String>>,
}

impl Shared {
    fn new(log: &str, policy: Option<&str>) -> Result<Shared, Failure> {
        miguard::configure(Some(log), policy, Some(600))?;
        let front_end = FrontEnd::register("check", &ACTIONS)?;
        let mut targets = Vec::new();
        let mut bindings = Vec::new();
        for place in 0..IDENTITIES {
            let target = target_of(place)?;
            let object = format!("connection {}", place);
            bindings.push(Binding::of(front_end, &target, Some("/srv"), Some(&object))?);
            targets.push(target);
        }
        let next = AtomicUsize::new(0);
        Ok(Shared { home: Home::now(), targets, bindings, next, wrong: Mutex::new(Vec::new()) })
    }

    fn expect(&self, holds: bool, number: usize, what: &str) {
        if !holds {
            self.wrong.lock().unwrap().push(format!("act {}: {}", number, what));
        }
    }

    /// One request: as its user, on whichever thread of the pool.
    fn act(&self, number: usize) -> Result<(), Failure> {
        let own = number * 7 % IDENTITIES;
        let other = (own + 1) % IDENTITIES;

        if number % 10 == 0 {
            let refused = self.bindings[own].verify(READ, None);
            self.expect(is_mismatch(refused), number, "root's use was not refused");
        }
        {
            let _switched = Switched::to(&self.targets[own])?;
            self.bindings[own].verify(WRITE, Some("/srv/data"))?;
            self.expect(is_identity(own), number, "ran under another identity");
            let refused = self.bindings[other].verify(READ, None);
            self.expect(is_mismatch(refused), number, "another's binding was not refused");
            if number % 5 == 0 {
                thread::yield_now();
                self.bindings[own].verify_again(WRITE, Some("/srv/data"))?;
            }
        }
        self.expect(self.home.is_here(), number, "did not come back");
        Ok(())
    }
}

fn is_mismatch(result: Result<(), Box<miguard::Refusal>>) -> bool {
    match result {
        Ok(()) => false,
        Err(refusal) => {
            refusal.reason == "identity-mismatch"
                && refusal.difference != 0
                && !refusal.sentence.is_empty()
                && refusal.to_string() == refusal.sentence
        }
    }
}

fn concurrent_acts(log: &str, count: usize, policy: Option<&str>) -> Result<(), Failure> {
    let shared = Arc::new(Shared::new(log, policy)?);
    let mut pool = Vec::new();
    for _ in 0..THREADS {
        let shared = shared.clone();
        pool.push(thread::spawn(move || loop {
            let number = shared.next.fetch_add(1, Ordering::Relaxed);
            if number >= count {
                return Ok::<(), Failure>(());
            }
            shared.act(number)?;
        }));
    }
    for worker in pool {
        worker.join().map_err(|_| "a worker panicked")??;
    }
    let wrong = shared.wrong.lock().unwrap();
    println!("{} acts, {} wrong", count, wrong.len());
    match wrong.first() {
        None => Ok(()),
        Some(first) => Err(first.clone().into()),
    }
}

fn a_panic_restores() -> Result<(), Failure> {
    let home = Home::now();
    let target = target_of(3)?;
    let inner = target_of(7)?;

    std::panic::set_hook(Box::new(|_| ()));
    let result = catch_unwind(AssertUnwindSafe(|| {
        let _outer = Switched::to(&target).unwrap();
        assert!(is_identity(3));
        let _inner = Switched::to(&inner).unwrap();
        if is_identity(7) {
            panic!("as planned");
        }
    }));
    let _ = std::panic::take_hook();
    let message = result.err().and_then(|why| why.downcast_ref::<&str>().map(|s| s.to_string()));
    if message.as_deref() != Some("as planned") || !home.is_here() {
        return Err(format!("after the panic {:?}", message).into());
    }
    let result = catch_unwind(AssertUnwindSafe(|| act(&target, || is_identity(3))));
    match result {
        Ok(Ok(true)) if home.is_here() => Ok(()),
        other => Err(format!("an act after a panic: {:?}", other.is_ok()).into()),
    }
}

/// Nested guards come back step by step, and what an inner one leaked is undone with the outer one.
fn nested() -> Result<(), Failure> {
    let home = Home::now();
    let (one, two) = (target_of(1)?, target_of(2)?);
    let outer = Switched::to(&one)?;
    let inner = Switched::to(&two)?;
    let as_two = is_identity(2);
    drop(inner);
    let as_one = is_identity(1);
    drop(outer);
    if !(as_two && as_one && home.is_here()) {
        return Err("nested guards".into());
    }
    Ok(())
}

extern "C" {
    /// Of the C library; it changes the calling thread only.
    fn setfsuid(uid: u32) -> i32;
}

/// A pool runs requests of which each third leaves the thread changed: each is noticed and mended
/// before the next one.
fn pool() -> Result<(), Failure> {
    let root = Home::now();
    let home = miguard::Home::capture()?;
    let target = target_of(1)?;
    for request in 0..300 {
        if !root.is_here() {
            return Err(format!("request {} found another identity", request).into());
        }
        match request % 3 {
            0 => std::mem::forget(Switched::to(&target)?),
            1 => drop(unsafe { setfsuid(70001) }),
            _ => home.check()?,
        }
        let left = home.bring_back()?;
        let expected = (request % 3 != 2, u32::from(request % 3 == 0));
        if (left.difference != 0, left.switches) != expected {
            return Err(format!("request {} left {:?}", request, left).into());
        }
    }
    Ok(())
}

/// Every thread of the process is dropped, also those that start later.
fn drop_process() -> Result<(), Failure> {
    let (sender, receiver) = std::sync::mpsc::channel::<()>();
    let receiver = Arc::new(Mutex::new(receiver));
    let wait = || {
        let receiver = receiver.clone();
        thread::spawn(move || drop(receiver.lock().unwrap().recv()))
    };
    let mut pool: Vec<_> = (0..THREADS).map(|_| wait()).collect();
    miguard::drop_process(&target_of(3)?)?;
    pool.push(wait());
    let mut seen = 0;
    for task in std::fs::read_dir("/proc/self/task")? {
        let status = std::fs::read_to_string(task?.path().join("status"))?;
        let with_caps = status.lines().filter(|line| {
            line.starts_with("Cap") && !line.ends_with("0000000000000000")
        });
        if numbers(&status, "Uid:") != [70003; 4]
            || numbers(&status, "Groups:") != groups_of(3)
            || with_caps.count() != 0
        {
            return Err(status.into());
        }
        seen += 1;
    }
    drop(sender);
    if seen < THREADS + 2 {
        return Err(format!("{} threads", seen).into());
    }
    Ok(())
}

/// Ends the process (SIGABRT): a guard must not be dropped before one that was made later.
fn out_of_order() -> Result<(), Failure> {
    let (one, two) = (target_of(1)?, target_of(2)?);
    let outer = Switched::to(&one)?;
    let inner = Switched::to(&two)?;
    drop(outer);
    eprintln!("it was not noticed at once");
    std::mem::forget(inner);
    std::process::exit(1);
}

/// Numbers, clones, revocation, bad texts; each by its status or reason.
fn handles(log: &str) -> Result<(), Failure> {
    miguard::configure(Some(log), None, Some(600))?;
    let front_end = FrontEnd::register("check", &ACTIONS)?;
    let binding = Binding::here(front_end, None, Some("one"))?;
    let number = binding.number();
    let found = Binding::find(number)?;
    drop(binding);
    found.verify(READ, None)?; // found has a reference of its own

    let clone = found.clone();
    clone.revoke();
    let revoked = found.verify(READ, None);
    drop((found, clone));
    let stale = Binding::find(number).err();
    let nul = Target::user("ro\0ot").err();
    let action = Binding::here(front_end, None, None)?.verify(2, None).err();
    if revoked.is_ok()
        || stale.as_ref().map(|refusal| refusal.sentence.is_empty()) != Some(false)
        || nul.map(|error| error.status.name()).as_deref() != Some("INVALID_ARGUMENT")
        || action.map(|refusal| refusal.status.name()).as_deref() != Some("INVALID_ARGUMENT")
    {
        return Err(format!("revoked {:?}, stale {:?}", revoked, stale).into());
    }
    Ok(())
}

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let word = |place: usize| words.get(place).map_or("", |word| word.as_str());
    let log = format!("{}/audit.jsonl", word(1));

    let result = match word(0) {
        "layout" => {
            for (name, value) in miguard::layout() {
                println!("{} {}", name, value);
            }
            Ok(())
        }
        "acts" => {
            let policy = words.get(3).map(|policy| policy.as_str());
            concurrent_acts(&log, word(2).parse().unwrap_or(0), policy)
        }
        "panic" => a_panic_restores(),
        "nested" => nested(),
        "pool" => pool(),
        "drop" => drop_process(),
        "out-of-order" => out_of_order(),
        "handles" => handles(&log),
        other => Err(format!("unknown: {}", other).into()),
    };
    if let Err(why) = result {
        eprintln!("{}: {}", word(0), why);
        std::process::exit(1);
    }
}
