// SPDX-License-Identifier: MIT

// Package miguard acts as other users on one thread at a time, and verifies what is bound to them.
// Copy the folder, and build with "replace miguard => ./miguard" in go.mod; it needs cgo.
//
//	files, err := miguard.Register("fileserver", "read", "write")
//	alice, err := miguard.User("alice")
//	connection, err := miguard.BindTarget(files, alice, "", "connection 7")
//
//	err = miguard.Act(alice, func() error {
//		if err := connection.Verify(read, "/srv/data/report"); err != nil {
//			return err // a *Refusal
//		}
//		...
//	})
//
// A switch changes the calling thread and no other (switch.h), and a goroutine moves between
// threads. So Act locks the goroutine to its thread for as long as the function runs.
//
// Only the goroutine of the function is the target. A goroutine that the function starts runs on
// another thread, as the process; it needs an Act of its own. The same holds for what the standard
// library does on goroutines of its own: the dialing of net.Dial with several addresses, the
// transport of net/http, the copying of os/exec. A process that is started inside is the target.
//
// What blocks inside, blocks the thread: a server that acts as many users at a time has as many
// threads.
package miguard

/*
#cgo LDFLAGS: -lmiguard
#include <miguard/guard.h>
#include <miguard/home.h>
#include <miguard/switch.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

// The macros of the headers are not visible to Go.
static struct miguard_config config_default(void)
{
	return (struct miguard_config)MIGUARD_CONFIG_INIT;
}

// A refusal is large, so Go makes room for one only when there is one. NULL when the use is
// allowed; the caller frees it.
static struct miguard_refusal *verify(struct miguard_binding *binding, uint32_t action,
				      const char *resource, int again)
{
	const struct miguard_use use = MIGUARD_USE(action, resource);
	struct miguard_refusal refusal;

	if ((again ? miguard_verify_again(binding, &use, &refusal)
		   : miguard_verify(binding, &use, &refusal)) == MIGUARD_OK) {
		return NULL;
	}
	struct miguard_refusal *copy = malloc(sizeof(refusal));
	if (copy == NULL) {
		abort(); // as Go does without memory
	}
	return memcpy(copy, &refusal, sizeof(refusal));
}

// The list stays Go's memory: C keeps no pointer to it.
static enum miguard_status target_ids(uid_t uid, gid_t gid, enum miguard_groups_choice choice,
				      const gid_t *list, size_t count,
				      struct miguard_target **ret_target,
				      struct miguard_error *reterr)
{
	const struct miguard_groups groups = {choice, list, count, NULL};

	return miguard_target_ids(uid, gid, &groups, ret_target, reterr);
}

// Which thread was switched, and how deeply it was switched before.
struct place {
	pthread_t thread;
	unsigned depth;
};

static enum miguard_status enter(const struct miguard_target *target, struct place *ret_place,
				 struct miguard_error *reterr)
{
	*ret_place = (struct place){pthread_self(), miguard_switch_depth()};
	return miguard_switch_to(target, reterr);
}

enum { RESTORED, NOT_RESTORED, OTHER_THREAD };

static int leave(struct place place)
{
	if (!pthread_equal(place.thread, pthread_self())) {
		return OTHER_THREAD;
	}
	return miguard_switch_home(place.depth) > 0 ? RESTORED : NOT_RESTORED;
}
*/
import "C"

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"
	"unsafe"
)

// Status is a number of enum miguard_status.
type Status int

// String is such as "NOT_PERMITTED".
func (s Status) String() string {
	return C.GoString(C.miguard_status_name(C.enum_miguard_status(s)))
}

const (
	ok              = Status(C.MIGUARD_OK)
	InvalidArgument = Status(C.MIGUARD_INVALID_ARGUMENT)
	NotPermitted    = Status(C.MIGUARD_NOT_PERMITTED)
	BadState        = Status(C.MIGUARD_BAD_STATE)
	NotSupported    = Status(C.MIGUARD_NOT_SUPPORTED)
)

// Error is why a call failed: struct miguard_error.
type Error struct {
	Status      Status
	SystemErrno int
	Step        string
	Detail      string
}

func (e *Error) Error() string {
	text := C.GoString(C.miguard_status_text(C.enum_miguard_status(e.Status)))
	for _, more := range []string{e.Step, e.Detail} {
		if more != "" {
			text += ": " + more
		}
	}
	return text
}

func checked(status C.enum_miguard_status, raw *C.struct_miguard_error) error {
	if Status(status) == ok {
		return nil
	}
	return &Error{Status(status), int(raw.system_errno), C.GoString(&raw.step[0]),
		C.GoString(&raw.detail[0])}
}

// Refusal is why a use was refused: struct miguard_refusal.
type Refusal struct {
	Status     Status
	Reason     string // event.reason of the record, such as "identity-mismatch"
	Difference uint32 // a set of enum miguard_components
	Rule       string
	Source     string
	DecisionID string
	Sentence   string
}

func (r *Refusal) Error() string { return r.Sentence }

func permitted(status C.enum_miguard_status, raw *C.struct_miguard_refusal) error {
	if Status(status) == ok {
		return nil
	}
	reason := ""
	if raw.reason != nil {
		reason = C.GoString(raw.reason)
	}
	return &Refusal{Status(status), reason, uint32(raw.difference), C.GoString(&raw.rule[0]),
		C.GoString(&raw.source[0]), C.GoString(&raw.decision_id[0]), C.GoString(&raw.sentence[0])}
}

var errNul = errors.New("miguard: a text has a NUL byte") // C would cut it, and name something else

// text is a copy for C; "" is NULL. The caller frees it.
func text(s string) (*C.char, error) {
	if strings.IndexByte(s, 0) >= 0 {
		return nil, errNul
	}
	if s == "" {
		return nil, nil
	}
	return C.CString(s), nil
}

func free(s *C.char) { C.free(unsafe.Pointer(s)) }

// ---- the guard of the process -------------------------------------------------------------------

// Config is struct miguard_config: "" is the standard place. RepeatWindow in seconds; 0: that of
// the policy.
type Config struct {
	AuditFile    string
	Policy       string
	RepeatWindow int
}

// Configure is miguard_configure().
func Configure(config Config) error {
	auditFile, err := text(config.AuditFile)
	if err != nil {
		return err
	}
	defer free(auditFile)
	policy, err := text(config.Policy)
	if err != nil {
		return err
	}
	defer free(policy)

	raw := C.config_default()
	raw.audit_file, raw.policy = auditFile, policy
	if config.RepeatWindow > 0 {
		raw.repeat_window = C.int(config.RepeatWindow)
	}
	var reterr C.struct_miguard_error
	return checked(C.miguard_configure(&raw, &reterr), &reterr)
}

// FrontEnd is a part of the program that binds objects. It lives as long as the process.
type FrontEnd struct{ raw *C.struct_miguard_front_end }

// Register registers a front end. The place of an action is its number in Verify.
func Register(component string, actions ...string) (FrontEnd, error) {
	name, err := text(component)
	if err != nil {
		return FrontEnd{}, err
	}
	defer free(name)
	// C memory, since Go's must not hold pointers while C has it (cgo, "Passing pointers").
	size := C.size_t(unsafe.Sizeof(name))
	names := (*[1 << 20]*C.char)(C.calloc(C.size_t(len(actions))+1, size))
	if names == nil {
		return FrontEnd{}, errors.New("miguard: out of memory")
	}
	defer C.free(unsafe.Pointer(names))
	for place, action := range actions {
		if names[place], err = text(action); err != nil {
			return FrontEnd{}, err
		}
		defer free(names[place])
	}
	var raw *C.struct_miguard_front_end
	var reterr C.struct_miguard_error
	status := C.miguard_front_end_register(name, &names[0], C.size_t(len(actions)), &raw, &reterr)
	return FrontEnd{raw}, checked(status, &reterr)
}

// ---- targets ------------------------------------------------------------------------------------

// Target is the identity to switch to. Any number of goroutines may use one.
type Target struct{ raw *C.struct_miguard_target }

func (t *Target) pointer() *C.struct_miguard_target {
	if t == nil {
		return nil // C refuses it
	}
	return t.raw
}

// A collected target that was not closed is released by the collector.
func newTarget(raw *C.struct_miguard_target) *Target {
	target := &Target{raw}
	runtime.SetFinalizer(target, (*Target).Close)
	return target
}

// Close releases a target, which nothing may use any more.
func (t *Target) Close() {
	C.miguard_target_free(t.raw)
	t.raw = nil
	runtime.SetFinalizer(t, nil)
}

// User is a user by name or id, with the groups of that user.
func User(user string) (*Target, error) {
	name, err := text(user)
	if err != nil {
		return nil, err
	}
	defer free(name)
	var raw *C.struct_miguard_target
	var reterr C.struct_miguard_error
	if err := checked(C.miguard_target_user(name, &raw, &reterr), &reterr); err != nil {
		return nil, err
	}
	return newTarget(raw), nil
}

// IDs has exactly the groups that are listed, and none without a list.
func IDs(uid, gid uint32, groups ...uint32) (*Target, error) {
	choice := C.enum_miguard_groups_choice(C.MIGUARD_GROUPS_CLEAR)
	var list *C.gid_t
	if len(groups) > 0 {
		choice = C.MIGUARD_GROUPS_LIST
		list = (*C.gid_t)(&groups[0])
	}
	var raw *C.struct_miguard_target
	var reterr C.struct_miguard_error
	status := C.target_ids(C.uid_t(uid), C.gid_t(gid), choice, list, C.size_t(len(groups)), &raw,
		&reterr)
	if err := checked(status, &reterr); err != nil {
		return nil, err
	}
	return newTarget(raw), nil
}

// Peer is the peer of a connected unix socket: its descriptor, such as that of
// net.UnixConn.SyscallConn().
func Peer(socket uintptr) (*Target, error) {
	var raw *C.struct_miguard_target
	var reterr C.struct_miguard_error
	status := C.miguard_target_peer(C.int(socket), &raw, &reterr)
	if err := checked(status, &reterr); err != nil {
		return nil, err
	}
	return newTarget(raw), nil
}

// ---- the switch of a thread ---------------------------------------------------------------------

// Act runs f as the target. It returns f's error, or an *Error when the thread could not switch;
// then f did not run. A panic in f is passed on after the switch back.
//
// The goroutine is locked to its thread meanwhile. A thread that cannot be restored is never used
// again: the goroutine stays locked to it and ends here, and the runtime ends the thread with it
// (runtime.LockOSThread); the main thread stands still instead. Deferred calls run, under the
// thread's identity.
//
// f must not unlock the goroutine: its thread would serve others as the target. When that is
// noticed, the process is ended.
func Act(target *Target, f func() error) error {
	runtime.LockOSThread()
	var place C.struct_place
	var reterr C.struct_miguard_error
	err := checked(C.enter(target.pointer(), &place, &reterr), &reterr)
	runtime.KeepAlive(target)
	if err != nil {
		runtime.UnlockOSThread() // it has its former identity, verified
		return err
	}
	defer restore(place)
	return f()
}

// restore undoes the switch of Act and what f left switched inside. It cannot when C code that f
// called has undone the switch of Act: which one was undone is not known.
func restore(place C.struct_place) {
	switch C.leave(place) {
	case C.RESTORED:
		runtime.UnlockOSThread()
	case C.NOT_RESTORED:
		fmt.Fprintln(os.Stderr, "miguard: other code undid a switch; its thread is given up")
		runtime.Goexit()
	default:
		fmt.Fprintln(os.Stderr, "miguard: a goroutine left its thread while that was switched")
		C.abort()
	}
}

// Depth is the number of switches of this thread that are not undone; 0 outside of Act.
func Depth() int { return int(C.miguard_switch_depth()) }

// Drop makes every thread of the process the target, irreversibly, those of the runtime among them:
// miguard_drop(). Threads that the runtime starts later come from dropped ones.
//
// It needs a realtime signal that has no handler. Go's runtime takes all but number 34 (SIGRTMIN),
// which os/signal never delivers either: C code in the process must leave one of them alone.
//
// It fails with BadState while an Act of some goroutine runs. A program that starts processes in
// other goroutines must not do so at this moment.
func Drop(target *Target) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var reterr C.struct_miguard_error
	err := checked(C.miguard_drop(target.pointer(), &reterr), &reterr)
	runtime.KeepAlive(target)
	return err
}

// ---- threads of the runtime ---------------------------------------------------------------------

// Home is who the threads of the process are (home.h).
type Home struct{ raw *C.struct_miguard_home }

// NewHome remembers who the calling thread is.
func NewHome() (*Home, error) {
	var raw *C.struct_miguard_home
	var reterr C.struct_miguard_error
	if err := checked(C.miguard_home_capture(&raw, &reterr), &reterr); err != nil {
		return nil, err
	}
	home := &Home{raw}
	runtime.SetFinalizer(home, func(home *Home) { C.miguard_home_free(home.raw) })
	return home, nil
}

// Left is what a function left behind: a set of enum miguard_components, and a number of switches.
// Both are 0 for a thread that was home.
type Left struct {
	Difference uint32
	Switches   int
}

// Run is for C code that may leave its thread changed (plug-ins, PAM): f runs on a locked thread,
// which is changed back before other goroutines get it. A thread that cannot be changed back is
// given up, as in Act. Not inside of Act.
func (h *Home) Run(f func()) (left Left) {
	runtime.LockOSThread()
	defer func() {
		var difference C.miguard_components
		var switches C.uint
		var reterr C.struct_miguard_error
		err := checked(C.miguard_home_return(h.raw, &difference, &switches, &reterr), &reterr)
		runtime.KeepAlive(h)
		if err != nil {
			fmt.Fprintf(os.Stderr, "miguard: a thread is given up: %v\n", err)
			runtime.Goexit()
		}
		left = Left{uint32(difference), int(switches)}
		runtime.UnlockOSThread()
	}()
	f()
	return
}

// ---- bindings -----------------------------------------------------------------------------------

// Binding is an object's identity and the policy that it was bound under. Any number of goroutines
// may use one.
type Binding struct{ raw *C.struct_miguard_binding }

func newBinding(raw *C.struct_miguard_binding) *Binding {
	binding := &Binding{raw}
	runtime.SetFinalizer(binding, (*Binding).Close)
	return binding
}

// Close gives up the reference: with the last one, the binding is gone and its number is stale. Not
// while another goroutine uses it.
func (b *Binding) Close() {
	C.miguard_release(b.raw)
	b.raw = nil
	runtime.SetFinalizer(b, nil)
}

// Bind binds to the identity of the calling thread: inside of Act, to the target.
func Bind(frontEnd FrontEnd, resource, object string) (*Binding, error) {
	return bind(resource, object, func(resource, object *C.char, raw **C.struct_miguard_binding,
		refusal *C.struct_miguard_refusal) C.enum_miguard_status {
		return C.miguard_bind(frontEnd.raw, resource, object, raw, refusal)
	})
}

// BindTarget binds to what the calling thread would be as the target, without a switch.
func BindTarget(frontEnd FrontEnd, target *Target, resource, object string) (*Binding, error) {
	defer runtime.KeepAlive(target)
	return bind(resource, object, func(resource, object *C.char, raw **C.struct_miguard_binding,
		refusal *C.struct_miguard_refusal) C.enum_miguard_status {
		return C.miguard_bind_target(frontEnd.raw, target.pointer(), resource, object, raw, refusal)
	})
}

func bind(resource, object string, call func(resource, object *C.char,
	raw **C.struct_miguard_binding, refusal *C.struct_miguard_refusal) C.enum_miguard_status,
) (*Binding, error) {
	rawResource, err := text(resource)
	if err != nil {
		return nil, err
	}
	defer free(rawResource)
	rawObject, err := text(object)
	if err != nil {
		return nil, err
	}
	defer free(rawObject)

	var raw *C.struct_miguard_binding
	var refusal C.struct_miguard_refusal
	status := call(rawResource, rawObject, &raw, &refusal)
	if err := permitted(status, &refusal); err != nil {
		return nil, err
	}
	return newBinding(raw), nil
}

// Find is the binding of a number that went through foreign code.
func Find(number uint64) (*Binding, error) {
	var raw *C.struct_miguard_binding
	var refusal C.struct_miguard_refusal
	status := C.miguard_binding_find(C.uint64_t(number), &raw, &refusal)
	if err := permitted(status, &refusal); err != nil {
		return nil, err
	}
	return newBinding(raw), nil
}

// Number is never 0.
func (b *Binding) Number() uint64 {
	number := uint64(C.miguard_binding_number(b.raw))
	runtime.KeepAlive(b)
	return number
}

// Verify says whether the calling thread may do this, with nil or a *Refusal. Call it inside of the
// Act that makes the use: outside, the goroutine may be on any thread. "": the resource of the
// binding.
func (b *Binding) Verify(action uint32, resource string) error {
	return b.verify(action, resource, 0)
}

// VerifyAgain is for the same use, after the goroutine has waited or has run foreign code.
func (b *Binding) VerifyAgain(action uint32, resource string) error {
	return b.verify(action, resource, 1)
}

func (b *Binding) verify(action uint32, resource string, again C.int) error {
	rawResource, err := text(resource)
	if err != nil {
		return err
	}
	defer free(rawResource)
	refusal := C.verify(b.raw, C.uint32_t(action), rawResource, again)
	runtime.KeepAlive(b)
	if refusal == nil {
		return nil
	}
	defer C.free(unsafe.Pointer(refusal))
	return permitted(refusal.status, refusal)
}

// Revoke makes every later verification a refusal.
func (b *Binding) Revoke() {
	C.miguard_revoke(b.raw)
	runtime.KeepAlive(b)
}
