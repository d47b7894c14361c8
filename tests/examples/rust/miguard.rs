// SPDX-License-Identifier: MIT
//! miguard for Rust, in one file and without dependencies. Copy it among your sources, or:
//!
//! ```text
//! rustc --edition 2021 -O --crate-type rlib miguard.rs
//! rustc --edition 2021 -O --extern miguard=libmiguard.rlib server.rs
//! ```
//!
//! A use:
//!
//! ```text
//! let files = FrontEnd::register("fileserver", &["read", "write"])?;
//! let alice = Target::user("alice")?;
//! let connection = Binding::of(files, &alice, None, Some("connection 7"))?;
//!
//! act(&alice, || connection.verify(READ, Some("/srv/data/report")))??;
//! ```
//!
//! A switch changes the calling thread and no other (switch.h). So `Switched` is not `Send`: it
//! cannot be moved to another thread, nor be held over an `.await` of a future that a
//! multi-threaded executor may move. On an executor that stays on one thread, other tasks would
//! run while the guard lives: use `act()` there, whose closure cannot await.
use std::cell::Cell;
use std::ffi::{CStr, CString};
use std::fmt;
use std::marker::PhantomData;
use std::mem::MaybeUninit;
use std::os::raw::{c_char, c_int, c_uint};
use std::os::unix::io::AsRawFd;
use std::ptr;

// ---- the C declarations: status.h, switch.h, home.h, guard.h ------------------------------------
// tests/live/bindings_test.sh compares sizes and offsets with those of the C compiler.

#[repr(C)]
struct RawError {
    status: c_int,
    system_errno: c_int,
    step: [c_char; 64],
    detail: [c_char; 192],
}

#[repr(C)]
struct RawRefusal {
    status: c_int,
    reason: *const c_char,
    difference: u32,
    rule: [c_char; 104],
    source: [c_char; 164],
    decision_id: [c_char; 48],
    sentence: [c_char; 960],
}

#[repr(C)]
struct RawUse {
    size: usize,
    action: u32,
    resource: *const c_char,
    object: *const c_char,
}

#[repr(C)]
struct RawGroups {
    choice: c_int,
    list: *const u32,
    count: usize,
    user: *const c_char,
}

#[repr(C)]
struct RawConfig {
    size: usize,
    audit_file: *const c_char,
    policy: *const c_char,
    repeat_window: c_int,
}

/// Types that only the library looks into.
macro_rules! opaque {
    ($($name:ident),*) => { $(
        #[repr(C)]
        struct $name {
            _data: [u8; 0],
        }
    )* };
}
opaque!(RawTarget, RawFrontEnd, RawBinding, RawHome);

#[link(name = "miguard")]
extern "C" {
    fn miguard_status_name(status: c_int) -> *const c_char;
    fn miguard_status_text(status: c_int) -> *const c_char;

    fn miguard_target_user(
        user: *const c_char,
        ret_target: *mut *mut RawTarget,
        reterr: *mut RawError,
    ) -> c_int;
    fn miguard_target_ids(
        uid: u32,
        gid: u32,
        groups: *const RawGroups,
        ret_target: *mut *mut RawTarget,
        reterr: *mut RawError,
    ) -> c_int;
    fn miguard_target_peer(
        socket: c_int,
        ret_target: *mut *mut RawTarget,
        reterr: *mut RawError,
    ) -> c_int;
    fn miguard_target_keep_caps(
        target: *mut RawTarget,
        names: *const c_char,
        reterr: *mut RawError,
    ) -> c_int;
    fn miguard_target_free(target: *mut RawTarget);

    fn miguard_switch_to(target: *const RawTarget, reterr: *mut RawError) -> c_int;
    fn miguard_switch_depth() -> c_uint;
    fn miguard_switch_home(depth: c_uint) -> c_uint;
    fn miguard_drop(target: *const RawTarget, reterr: *mut RawError) -> c_int;

    fn miguard_home_capture(ret_home: *mut *mut RawHome, reterr: *mut RawError) -> c_int;
    fn miguard_home_check(home: *const RawHome, reterr: *mut RawError) -> c_int;
    fn miguard_home_return(
        home: *const RawHome,
        ret_found: *mut u32,
        ret_switches: *mut c_uint,
        reterr: *mut RawError,
    ) -> c_int;
    fn miguard_home_free(home: *mut RawHome);

    fn miguard_configure(config: *const RawConfig, reterr: *mut RawError) -> c_int;
    fn miguard_front_end_register(
        component: *const c_char,
        actions: *const *const c_char,
        count: usize,
        ret_front_end: *mut *mut RawFrontEnd,
        reterr: *mut RawError,
    ) -> c_int;
    fn miguard_bind(
        front_end: *const RawFrontEnd,
        resource: *const c_char,
        object: *const c_char,
        ret_binding: *mut *mut RawBinding,
        ret_refusal: *mut RawRefusal,
    ) -> c_int;
    fn miguard_bind_target(
        front_end: *const RawFrontEnd,
        target: *const RawTarget,
        resource: *const c_char,
        object: *const c_char,
        ret_binding: *mut *mut RawBinding,
        ret_refusal: *mut RawRefusal,
    ) -> c_int;
    fn miguard_verify(
        binding: *mut RawBinding,
        asked: *const RawUse,
        ret_refusal: *mut RawRefusal,
    ) -> c_int;
    fn miguard_verify_again(
        binding: *mut RawBinding,
        asked: *const RawUse,
        ret_refusal: *mut RawRefusal,
    ) -> c_int;
    fn miguard_revoke(binding: *mut RawBinding);
    fn miguard_keep(binding: *mut RawBinding) -> *mut RawBinding;
    fn miguard_release(binding: *mut RawBinding);
    fn miguard_binding_number(binding: *const RawBinding) -> u64;
    fn miguard_binding_find(
        number: u64,
        ret_binding: *mut *mut RawBinding,
        ret_refusal: *mut RawRefusal,
    ) -> c_int;
}

const OK: c_int = 0;
const INVALID_ARGUMENT: c_int = 1;

// ---- texts --------------------------------------------------------------------------------------

fn text_of(pointer: *const c_char) -> String {
    if pointer.is_null() {
        return String::new();
    }
    unsafe { CStr::from_ptr(pointer) }.to_string_lossy().into_owned()
}

/// None stays NULL. A text with a NUL byte would be cut by C, and name something else: an error.
struct Text(Option<CString>);

impl Text {
    fn new(text: Option<&str>) -> Option<Text> {
        match text {
            None => Some(Text(None)),
            Some(text) => Some(Text(Some(CString::new(text).ok()?))),
        }
    }

    fn pointer(&self) -> *const c_char {
        self.0.as_ref().map_or(ptr::null(), |text| text.as_ptr())
    }
}

const NUL_BYTE: &str = "a text has a NUL byte";

// ---- errors -------------------------------------------------------------------------------------

/// A number of `enum miguard_status`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Status(pub i32);

impl Status {
    /// Such as `NOT_PERMITTED`.
    pub fn name(self) -> String {
        text_of(unsafe { miguard_status_name(self.0) })
    }
}

/// Why a call failed: `struct miguard_error`.
#[derive(Clone, Debug)]
pub struct Error {
    pub status: Status,
    pub system_errno: i32,
    pub step: String,
    pub detail: String,
}

impl Error {
    fn nul_byte() -> Error {
        let detail = NUL_BYTE.to_string();
        Error { status: Status(INVALID_ARGUMENT), system_errno: 0, step: String::new(), detail }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", text_of(unsafe { miguard_status_text(self.status.0) }))?;
        for more in [&self.step, &self.detail] {
            if !more.is_empty() {
                write!(f, ": {}", more)?;
            }
        }
        Ok(())
    }
}

impl std::error::Error for Error {}

/// Calls `f` with room for an error, and gives it when the status is not OK.
fn checked(f: impl FnOnce(*mut RawError) -> c_int) -> Result<(), Error> {
    let mut raw = RawError { status: 0, system_errno: 0, step: [0; 64], detail: [0; 192] };
    match f(&mut raw) {
        OK => Ok(()),
        status => Err(Error {
            status: Status(status),
            system_errno: raw.system_errno,
            step: text_of(raw.step.as_ptr()),
            detail: text_of(raw.detail.as_ptr()),
        }),
    }
}

/// Why a use was refused: `struct miguard_refusal`. Displays its sentence.
#[derive(Clone, Debug)]
pub struct Refusal {
    pub status: Status,
    /// `event.reason` of the record, such as `identity-mismatch`.
    pub reason: String,
    /// A set of `enum miguard_components`.
    pub difference: u32,
    pub rule: String,
    pub source: String,
    pub decision_id: String,
    pub sentence: String,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.sentence)
    }
}

impl std::error::Error for Refusal {}

fn nul_byte_refusal() -> Box<Refusal> {
    Box::new(Refusal {
        status: Status(INVALID_ARGUMENT),
        reason: "invalid-argument".to_string(),
        difference: 0,
        rule: String::new(),
        source: String::new(),
        decision_id: String::new(),
        sentence: NUL_BYTE.to_string(),
    })
}

/// As `checked()`. A refusal is large: it is boxed, and its room not cleared where nothing is
/// refused. C clears all of it before it writes a refusal, and does so on each failure (guard.h).
fn permitted(f: impl FnOnce(*mut RawRefusal) -> c_int) -> Result<(), Box<Refusal>> {
    let mut room = MaybeUninit::<RawRefusal>::uninit();
    match f(room.as_mut_ptr()) {
        OK => Ok(()),
        status => {
            let raw = unsafe { room.assume_init_ref() };
            Err(Box::new(Refusal {
                status: Status(status),
                reason: text_of(raw.reason),
                difference: raw.difference,
                rule: text_of(raw.rule.as_ptr()),
                source: text_of(raw.source.as_ptr()),
                decision_id: text_of(raw.decision_id.as_ptr()),
                sentence: text_of(raw.sentence.as_ptr()),
            }))
        }
    }
}

// ---- the guard of the process -------------------------------------------------------------------

/// `miguard_configure()`: None is the standard place, and the window of the policy.
pub fn configure(
    audit_file: Option<&str>,
    policy: Option<&str>,
    repeat_window: Option<u16>, // seconds
) -> Result<(), Error> {
    let audit_file = Text::new(audit_file).ok_or_else(Error::nul_byte)?;
    let policy = Text::new(policy).ok_or_else(Error::nul_byte)?;
    let config = RawConfig {
        size: std::mem::size_of::<RawConfig>(),
        audit_file: audit_file.pointer(),
        policy: policy.pointer(),
        repeat_window: repeat_window.map_or(-1, c_int::from),
    };
    checked(|error| unsafe { miguard_configure(&config, error) })
}

/// A part of the program that binds objects. It lives as long as the process.
#[derive(Clone, Copy)]
pub struct FrontEnd(*const RawFrontEnd);

// Never written after it was registered.
unsafe impl Send for FrontEnd {}
unsafe impl Sync for FrontEnd {}

impl FrontEnd {
    /// The place of an action in the list is its number in `Binding::verify()`.
    pub fn register(component: &str, actions: &[&str]) -> Result<FrontEnd, Error> {
        let component = CString::new(component).map_err(|_| Error::nul_byte())?;
        let mut names = Vec::with_capacity(actions.len());
        for action in actions {
            names.push(CString::new(*action).map_err(|_| Error::nul_byte())?);
        }
        let pointers: Vec<_> = names.iter().map(|name| name.as_ptr()).collect();
        let mut front_end = ptr::null_mut();
        checked(|error| unsafe {
            miguard_front_end_register(
                component.as_ptr(),
                pointers.as_ptr(),
                pointers.len(),
                &mut front_end,
                error,
            )
        })?;
        Ok(FrontEnd(front_end))
    }
}

// ---- targets ------------------------------------------------------------------------------------

/// The supplementary groups after a switch. There is no default.
pub enum Groups<'a> {
    Keep,
    Clear,
    List(&'a [u32]),
    OfUser(&'a str),
}

/// The identity to switch to.
pub struct Target(*mut RawTarget);

// "Immutable once it is used; any number of threads may use one at a time": switch.h. Only
// keep_caps() changes it, and needs it exclusively.
unsafe impl Send for Target {}
unsafe impl Sync for Target {}

impl Target {
    fn made(f: impl FnOnce(*mut *mut RawTarget, *mut RawError) -> c_int) -> Result<Target, Error> {
        let mut target = ptr::null_mut();
        checked(|error| f(&mut target, error))?;
        Ok(Target(target))
    }

    /// A user by name or id, with the groups of that user.
    pub fn user(user: &str) -> Result<Target, Error> {
        let user = CString::new(user).map_err(|_| Error::nul_byte())?;
        Target::made(|target, error| unsafe { miguard_target_user(user.as_ptr(), target, error) })
    }

    pub fn ids(uid: u32, gid: u32, groups: Groups<'_>) -> Result<Target, Error> {
        let name = match groups {
            Groups::OfUser(user) => Text::new(Some(user)).ok_or_else(Error::nul_byte)?,
            _ => Text(None),
        };
        let (choice, list): (c_int, &[u32]) = match groups {
            Groups::Keep => (1, &[]),
            Groups::Clear => (2, &[]),
            Groups::List(list) => (3, list),
            Groups::OfUser(_) => (4, &[]),
        };
        let groups = RawGroups {
            choice,
            list: if list.is_empty() { ptr::null() } else { list.as_ptr() },
            count: list.len(),
            user: name.pointer(),
        };
        Target::made(|target, error| unsafe {
            miguard_target_ids(uid, gid, &groups, target, error)
        })
    }

    /// The peer of a connected unix socket.
    pub fn peer(socket: &impl AsRawFd) -> Result<Target, Error> {
        let socket = socket.as_raw_fd();
        Target::made(|target, error| unsafe { miguard_target_peer(socket, target, error) })
    }

    /// The capabilities that are effective under the target, such as `cap_net_bind_service`.
    pub fn keep_caps(&mut self, names: &str) -> Result<(), Error> {
        let names = CString::new(names).map_err(|_| Error::nul_byte())?;
        checked(|error| unsafe { miguard_target_keep_caps(self.0, names.as_ptr(), error) })
    }
}

impl Drop for Target {
    fn drop(&mut self) {
        unsafe { miguard_target_free(self.0) }
    }
}

// ---- the switch of a thread ---------------------------------------------------------------------

thread_local! {
    /// Guards of this thread that live.
    static LIVE: Cell<u32> = const { Cell::new(0) };
}

/// The calling thread is the target while this lives; dropping it switches back, also when a panic
/// unwinds. Neither `Send` nor `Sync`: the pointer in it sees to that.
///
/// Guards must be dropped in the reverse order of their creation, as scopes do. One that is dropped
/// out of order would leave code of another guard under an identity that it does not expect, so it
/// ends the process. A guard that `std::mem::forget()` takes leaves the thread switched.
#[must_use = "the thread switches back at once when this is dropped"]
pub struct Switched {
    depth: c_uint, // before this switch
    place: u32,
    _thread: PhantomData<*const ()>,
}

impl Switched {
    pub fn to(target: &Target) -> Result<Switched, Error> {
        let depth = unsafe { miguard_switch_depth() };
        checked(|error| unsafe { miguard_switch_to(target.0, error) })?;
        let place = LIVE.with(|live| {
            live.set(live.get() + 1);
            live.get()
        });
        Ok(Switched { depth, place, _thread: PhantomData })
    }
}

impl Drop for Switched {
    fn drop(&mut self) {
        let is_latest = LIVE.with(|live| {
            let latest = live.get();
            live.set(latest.wrapping_sub(1));
            latest == self.place
        });
        // What foreign code left switched inside is undone as well. Nothing to undo: foreign code
        // has undone this switch, and the rest of the block ran under another identity.
        if !is_latest || unsafe { miguard_switch_home(self.depth) } == 0 {
            eprintln!("miguard: a switch was not undone in the reverse order");
            std::process::abort();
        }
    }
}

/// Runs `f` as the target, on this thread. `f` cannot await, so this is safe on every executor.
pub fn act<T>(target: &Target, f: impl FnOnce() -> T) -> Result<T, Error> {
    let _switched = Switched::to(target)?;
    Ok(f())
}

/// The number of switches of this thread that are not undone. 0 where a pool gets a thread back.
pub fn switch_depth() -> u32 {
    unsafe { miguard_switch_depth() }
}

/// Makes every thread of the process the target, irreversibly: `miguard_drop()`.
pub fn drop_process(target: &Target) -> Result<(), Error> {
    checked(|error| unsafe { miguard_drop(target.0, error) })
}

// ---- threads of a pool --------------------------------------------------------------------------

/// Who the threads of a pool are when they serve nothing (home.h). For code that does not switch by
/// this file: plug-ins, PAM modules, C libraries.
pub struct Home(*mut RawHome);

// "Immutable; any number of threads may use one at a time": home.h.
unsafe impl Send for Home {}
unsafe impl Sync for Home {}

/// What a request left behind. Both are 0 for a thread that was home.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Left {
    /// A set of `enum miguard_components`.
    pub difference: u32,
    pub switches: u32,
}

impl Home {
    /// Remembers who the calling thread is.
    pub fn capture() -> Result<Home, Error> {
        let mut home = ptr::null_mut();
        checked(|error| unsafe { miguard_home_capture(&mut home, error) })?;
        Ok(Home(home))
    }

    /// Whether the calling thread is home.
    pub fn check(&self) -> Result<(), Error> {
        checked(|error| unsafe { miguard_home_check(self.0, error) })
    }

    /// The end of a request: changes back what it left. After an error the thread must serve
    /// nothing more and end. Not while a `Switched` of the thread lives.
    pub fn bring_back(&self) -> Result<Left, Error> {
        let (mut difference, mut switches) = (0, 0);
        checked(|error| unsafe {
            miguard_home_return(self.0, &mut difference, &mut switches, error)
        })?;
        Ok(Left { difference, switches })
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        unsafe { miguard_home_free(self.0) }
    }
}

// ---- bindings -----------------------------------------------------------------------------------

/// An object's identity, and the policy that it was bound under. A clone is one more reference to
/// the same binding; the last one that is dropped releases it.
pub struct Binding(*mut RawBinding);

// guard.h: every function of a binding is thread safe.
unsafe impl Send for Binding {}
unsafe impl Sync for Binding {}

impl Binding {
    fn made(
        resource: Option<&str>,
        object: Option<&str>,
        f: impl FnOnce(
            *const c_char,
            *const c_char,
            *mut *mut RawBinding,
            *mut RawRefusal,
        ) -> c_int,
    ) -> Result<Binding, Box<Refusal>> {
        let resource = Text::new(resource).ok_or_else(nul_byte_refusal)?;
        let object = Text::new(object).ok_or_else(nul_byte_refusal)?;
        let mut binding = ptr::null_mut();
        permitted(|refusal| f(resource.pointer(), object.pointer(), &mut binding, refusal))?;
        Ok(Binding(binding))
    }

    /// Binds to the identity of the calling thread.
    pub fn here(
        front_end: FrontEnd,
        resource: Option<&str>,
        object: Option<&str>,
    ) -> Result<Binding, Box<Refusal>> {
        Binding::made(resource, object, |resource, object, binding, refusal| unsafe {
            miguard_bind(front_end.0, resource, object, binding, refusal)
        })
    }

    /// Binds to what the calling thread would be as the target, without a switch.
    pub fn of(
        front_end: FrontEnd,
        target: &Target,
        resource: Option<&str>,
        object: Option<&str>,
    ) -> Result<Binding, Box<Refusal>> {
        Binding::made(resource, object, |resource, object, binding, refusal| unsafe {
            miguard_bind_target(front_end.0, target.0, resource, object, binding, refusal)
        })
    }

    /// The binding of a number that went through foreign code.
    pub fn find(number: u64) -> Result<Binding, Box<Refusal>> {
        let mut binding = ptr::null_mut();
        permitted(|refusal| unsafe { miguard_binding_find(number, &mut binding, refusal) })?;
        Ok(Binding(binding))
    }

    pub fn number(&self) -> u64 {
        unsafe { miguard_binding_number(self.0) }
    }

    /// Whether the calling thread may do this. None: the resource of the binding.
    pub fn verify(&self, action: u32, resource: Option<&str>) -> Result<(), Box<Refusal>> {
        let resource = Text::new(resource).ok_or_else(nul_byte_refusal)?;
        let asked = use_of(action, &resource);
        permitted(|refusal| unsafe { miguard_verify(self.0, &asked, refusal) })
    }

    /// The same use, after the thread has waited or has run foreign code.
    pub fn verify_again(&self, action: u32, resource: Option<&str>) -> Result<(), Box<Refusal>> {
        let resource = Text::new(resource).ok_or_else(nul_byte_refusal)?;
        let asked = use_of(action, &resource);
        permitted(|refusal| unsafe { miguard_verify_again(self.0, &asked, refusal) })
    }

    /// Every later verification is refused.
    pub fn revoke(&self) {
        unsafe { miguard_revoke(self.0) }
    }
}

fn use_of(action: u32, resource: &Text) -> RawUse {
    RawUse {
        size: std::mem::size_of::<RawUse>(),
        action,
        resource: resource.pointer(),
        object: ptr::null(),
    }
}

impl Clone for Binding {
    fn clone(&self) -> Binding {
        Binding(unsafe { miguard_keep(self.0) })
    }
}

impl Drop for Binding {
    fn drop(&mut self) {
        unsafe { miguard_release(self.0) }
    }
}

// ---- for the test -------------------------------------------------------------------------------

macro_rules! layout_of {
    ($out:ident, $type:ident, $name:literal, $($member:ident),+) => {
        $out.push((format!("{} sizeof", $name), std::mem::size_of::<$type>()));
        let room = MaybeUninit::<$type>::uninit();
        $(
            let member = unsafe { ptr::addr_of!((*room.as_ptr()).$member) };
            let offset = member as usize - room.as_ptr() as usize;
            $out.push((format!("{} {}", $name, stringify!($member)), offset));
        )+
    };
}

/// The size of each struct and the offset of each member.
#[doc(hidden)]
pub fn layout() -> Vec<(String, usize)> {
    let mut out = Vec::new();
    layout_of!(out, RawError, "miguard_error", status, system_errno, step, detail);
    layout_of!(
        out, RawRefusal, "miguard_refusal", status, reason, difference, rule, source, decision_id,
        sentence
    );
    layout_of!(out, RawUse, "miguard_use", size, action, resource, object);
    layout_of!(out, RawGroups, "miguard_groups", choice, list, count, user);
    layout_of!(out, RawConfig, "miguard_config", size, audit_file, policy, repeat_window);
    out
}
