// SPDX-License-Identifier: MIT

// What the package promises, at run time: check WHAT [folder for the log] [number of acts]
// [policy]. Exits 1 and says what is wrong.
package main

/*
#cgo LDFLAGS: -lmiguard
#include <miguard/switch.h>
#include <signal.h>
#include <sys/fsuid.h>
#include <sys/prctl.h>

// What foreign code may do by mistake.
static int undo(void)
{
	return miguard_switch_back(NULL);
}

static int leave_switched(uid_t uid)
{
	const struct miguard_groups groups = {MIGUARD_GROUPS_CLEAR, NULL, 0, NULL};
	struct miguard_target *target = NULL;
	int status = miguard_target_ids(uid, uid, &groups, &target, NULL);

	if (status == MIGUARD_OK) {
		status = miguard_switch_to(target, NULL);
	}
	miguard_target_free(target);
	return status;
}

static void on_signal(int number)
{
	(void)number;
}

// Nothing changes a smaller bounding set back.
static int lose_a_capability(void)
{
	return prctl(PR_CAPBSET_DROP, 12, 0, 0, 0); // CAP_NET_ADMIN
}

// The only realtime signal that Go's runtime leaves alone.
static int take_last_signal(int take)
{
	return signal(SIGRTMIN, take ? on_signal : SIG_DFL) == SIG_ERR;
}
*/
import "C"

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"reflect"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"miguard"
)

const (
	identities = 50
	goroutines = 200
	read       = 0
	write      = 1
)

func uidOf(place int) uint32 { return uint32(70000 + place) }

func groupsOf(place int) []uint32 {
	var groups []uint32
	for more := 0; more < place%4; more++ {
		groups = append(groups, uint32(80000+10*place+more))
	}
	return groups
}

func targetOf(place int) (*miguard.Target, error) {
	return miguard.IDs(uidOf(place), uidOf(place)+1000, groupsOf(place)...)
}

// ---- what a thread is, by the kernel's own account ----------------------------------------------

// thread has the fields of /proc/TID/status.
type thread map[string][]string

func readThread(path string) (thread, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	fields := thread{}
	for _, line := range strings.Split(string(text), "\n") {
		if name, value, found := strings.Cut(line, ":"); found {
			fields[name] = strings.Fields(value)
		}
	}
	return fields, nil
}

// here: locked, since a goroutine that moved on would read what its former thread is by now.
func here() thread {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	fields, err := readThread("/proc/thread-self/status")
	if err != nil {
		return thread{}
	}
	return fields
}

func words(numbers ...uint32) []string {
	texts := []string{}
	for _, number := range numbers {
		texts = append(texts, strconv.Itoa(int(number)))
	}
	return texts
}

const noCaps = "0000000000000000"

// is: the saved uid is the way back.
func (t thread) is(place int) bool {
	uid, gid := uidOf(place), uidOf(place)+1000
	return len(t["Uid"]) == 4 &&
		reflect.DeepEqual([]string{t["Uid"][0], t["Uid"][1], t["Uid"][3]}, words(uid, uid, uid)) &&
		reflect.DeepEqual(t["Gid"], words(gid, gid, gid, gid)) &&
		reflect.DeepEqual(t["Groups"], words(groupsOf(place)...)) &&
		reflect.DeepEqual(t["CapEff"], []string{noCaps})
}

func (t thread) isDropped(place int) bool {
	uid, gid := uidOf(place), uidOf(place)+1000
	for _, set := range []string{"CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"} {
		if !reflect.DeepEqual(t[set], []string{noCaps}) {
			return false
		}
	}
	return reflect.DeepEqual(t["Uid"], words(uid, uid, uid, uid)) &&
		reflect.DeepEqual(t["Gid"], words(gid, gid, gid, gid)) &&
		reflect.DeepEqual(t["Groups"], words(groupsOf(place)...)) &&
		reflect.DeepEqual(t["NoNewPrivs"], []string{"1"})
}

// root is what this process is where nothing is switched.
var root = here()

func (t thread) isRoot() bool {
	for _, name := range []string{"Uid", "Gid", "Groups", "CapPrm", "CapEff", "NoNewPrivs"} {
		if !reflect.DeepEqual(t[name], root[name]) {
			return false
		}
	}
	return t["Uid"] != nil
}

// eachThread reads every thread of the process.
func eachThread(look func(tid string, t thread) error) (int, error) {
	paths, err := filepath.Glob("/proc/self/task/*/status")
	if err != nil {
		return 0, err
	}
	seen := 0
	for _, path := range paths {
		t, err := readThread(path)
		if errors.Is(err, os.ErrNotExist) || errors.Is(err, syscall.ESRCH) {
			continue // it has ended
		}
		if err != nil {
			return seen, err
		}
		seen++
		if err := look(filepath.Base(filepath.Dir(path)), t); err != nil {
			return seen, err
		}
	}
	return seen, nil
}

// ---- concurrent acts ----------------------------------------------------------------------------

type world struct {
	targets  []*miguard.Target
	bindings []*miguard.Binding
	wrong    atomic.Int64
	first    sync.Once
}

func newWorld(folder, policy string) (*world, error) {
	config := miguard.Config{AuditFile: filepath.Join(folder, "audit.jsonl"), Policy: policy,
		RepeatWindow: 600}
	if err := miguard.Configure(config); err != nil {
		return nil, err
	}
	frontEnd, err := miguard.Register("check", "read", "write")
	if err != nil {
		return nil, err
	}
	w := &world{}
	for place := 0; place < identities; place++ {
		target, err := targetOf(place)
		if err != nil {
			return nil, err
		}
		object := fmt.Sprintf("connection %d", place)
		binding, err := miguard.BindTarget(frontEnd, target, "/srv", object)
		if err != nil {
			return nil, err
		}
		w.targets, w.bindings = append(w.targets, target), append(w.bindings, binding)
	}
	return w, nil
}

func (w *world) expect(holds bool, number int, what string) {
	if !holds {
		w.wrong.Add(1)
		w.first.Do(func() { fmt.Fprintf(os.Stderr, "act %d: %s\n", number, what) })
	}
}

func isMismatch(err error) bool {
	var refusal *miguard.Refusal
	return errors.As(err, &refusal) && refusal.Reason == "identity-mismatch" &&
		refusal.Difference != 0 && refusal.Sentence != ""
}

// act is one request: as its user, on whichever thread the goroutine is.
func (w *world) act(number int) {
	own := number * 7 % identities
	other := (own + 1) % identities

	if number%10 == 0 {
		w.expect(isMismatch(w.bindings[own].Verify(read, "")), number, "root's use was not refused")
	}
	err := miguard.Act(w.targets[own], func() error {
		w.expect(w.bindings[own].Verify(write, "/srv/data") == nil, number, "refused")
		w.expect(here().is(own), number, "ran under another identity")
		w.expect(isMismatch(w.bindings[other].Verify(read, "")), number,
			"another's binding was not refused")
		if number%5 == 0 {
			runtime.Gosched()
			time.Sleep(10 * time.Microsecond)
			w.expect(w.bindings[own].VerifyAgain(write, "/srv/data") == nil, number,
				"refused after a wait")
			w.expect(here().is(own), number, "another identity after a wait")
		}
		return nil
	})
	w.expect(err == nil, number, "did not act")
	w.expect(miguard.Depth() == 0 && here().isRoot(), number, "did not come back")
}

func concurrentActs(folder string, count int, policy string) error {
	w, err := newWorld(folder, policy)
	if err != nil {
		return err
	}
	var next atomic.Int64
	var workers sync.WaitGroup
	for i := 0; i < goroutines; i++ {
		workers.Add(1)
		go func() {
			defer workers.Done()
			for number := next.Add(1); number <= int64(count); number = next.Add(1) {
				w.act(int(number))
			}
		}()
	}
	workers.Wait()
	fmt.Printf("%d acts, %d wrong\n", count, w.wrong.Load())
	if w.wrong.Load() != 0 {
		return errors.New("see above")
	}
	_, err = eachThread(isRoot)
	return err
}

func isRoot(tid string, t thread) error {
	if !t.isRoot() {
		return fmt.Errorf("thread %s is %v", tid, t["Uid"])
	}
	return nil
}

// ---- what is started inside an act --------------------------------------------------------------

// startedInside: goroutines run on other threads, as the process, also on threads that the runtime
// makes for them. Processes are the target.
func startedInside() error {
	target, err := targetOf(3)
	if err != nil {
		return err
	}
	const many = 40
	return miguard.Act(target, func() error {
		tid := syscall.Gettid()
		results := make(chan error, many)
		var together sync.WaitGroup
		together.Add(many)
		for i := 0; i < many; i++ {
			go func() {
				runtime.LockOSThread() // each needs a thread of its own
				together.Done()
				together.Wait()
				if syscall.Gettid() == tid || !here().isRoot() || miguard.Depth() != 0 {
					results <- errors.New("a goroutine that was started inside is not the process")
				}
				results <- nil
			}()
		}
		for i := 0; i < many; i++ {
			if err := <-results; err != nil {
				return err
			}
		}
		if syscall.Gettid() != tid || !here().is(3) {
			return errors.New("the act itself has another thread or identity after it waited")
		}
		said, err := exec.Command("/usr/bin/id", "-u").Output()
		if err != nil || strings.TrimSpace(string(said)) != "70003" {
			return fmt.Errorf("a process that was started inside is %q, %v", said, err)
		}
		return nil
	})
}

// ---- the ways out of an act ---------------------------------------------------------------------

func waysOut() error {
	one, err := targetOf(1)
	if err != nil {
		return err
	}
	two, err := targetOf(2)
	if err != nil {
		return err
	}
	planned := errors.New("as planned")
	runtime.LockOSThread() // to look at the same thread before and after
	defer runtime.UnlockOSThread()

	if err := miguard.Act(one, func() error { return planned }); err != planned {
		return fmt.Errorf("an error became %v", err)
	}
	if said := panics(one, planned); said != planned || !here().isRoot() {
		return fmt.Errorf("a panic became %v", said)
	}
	err = miguard.Act(one, func() error {
		if err := miguard.Act(two, func() error { return expect(here().is(2), "inner") }); err != nil {
			return err
		}
		return expect(here().is(1) && miguard.Depth() == 1, "after the inner one")
	})
	if err != nil {
		return err
	}
	if err := miguard.Act(one, func() error {
		return expect(C.leave_switched(70002) == 0 && miguard.Depth() == 2, "leave_switched")
	}); err != nil {
		return err
	}
	if err := expect(here().isRoot() && miguard.Depth() == 0, "left switched"); err != nil {
		return err
	}
	var refused *miguard.Error
	err = miguard.Act(nil, func() error { panic("it ran") })
	return expect(errors.As(err, &refused) && refused.Status == miguard.InvalidArgument, "nil")
}

func expect(holds bool, what string) error {
	if !holds {
		return errors.New("wrong: " + what)
	}
	return nil
}

func panics(target *miguard.Target, value error) (said any) {
	defer func() { said = recover() }()
	_ = miguard.Act(target, func() error { panic(value) })
	return nil
}

// goexit: the goroutine ends inside, and its thread goes back restored.
func goexit() error {
	target, err := targetOf(1)
	if err != nil {
		return err
	}
	for i := 0; i < 100; i++ {
		ended := make(chan bool)
		go func() {
			defer close(ended)
			_ = miguard.Act(target, func() error { runtime.Goexit(); return nil })
		}()
		<-ended
	}
	_, err = eachThread(isRoot)
	return err
}

// cCode: C code that is called outside of an act leaves its thread changed, each third time.
func cCode() error {
	home, err := miguard.NewHome()
	if err != nil {
		return err
	}
	for i := 0; i < 300; i++ {
		left := home.Run(func() {
			switch i % 3 {
			case 0:
				C.leave_switched(70001)
			case 1:
				C.setfsuid(70001)
			}
		})
		if (left.Difference != 0) != (i%3 != 2) || (left.Switches == 1) != (i%3 == 0) {
			return fmt.Errorf("call %d left %v", i, left)
		}
	}
	_, err = eachThread(isRoot)
	return err
}

// givenUp: a thread that cannot be restored is not used again, it ends: C code undoes the switch of
// an act, or loses what cannot be restored. The main thread would not end, but stand still; init()
// keeps it.
func givenUp() error {
	target, err := targetOf(1)
	if err != nil {
		return err
	}
	home, err := miguard.NewHome()
	if err != nil {
		return err
	}
	err = threadEnds(func() error {
		return miguard.Act(target, func() error { return expect(C.undo() == 0, "undo") })
	})
	if err != nil {
		return err
	}
	return threadEnds(func() error {
		home.Run(func() { C.lose_a_capability() })
		return nil
	})
}

func threadEnds(act func() error) error {
	tids := make(chan string)
	returned := false
	go func() {
		runtime.LockOSThread()
		tid := strconv.Itoa(syscall.Gettid())
		defer func() { tids <- tid }()
		_ = act()
		returned = true
		runtime.UnlockOSThread()
	}()
	tid := <-tids
	if returned {
		return errors.New("an act returned on a thread that is not restored")
	}
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(time.Millisecond) {
		if _, err := os.Stat("/proc/self/task/" + tid); errors.Is(err, os.ErrNotExist) {
			return nil
		}
	}
	return errors.New("the thread lives")
}

// unlocked ends the process (SIGABRT), as soon as it is noticed.
func unlocked() error {
	target, err := targetOf(1)
	if err != nil {
		return err
	}
	return miguard.Act(target, func() error {
		tid := syscall.Gettid()
		runtime.UnlockOSThread()
		for end := time.Now().Add(10 * time.Second); time.Now().Before(end); {
			time.Sleep(time.Millisecond) // the runtime may move the goroutine
			go func() {
				for busy := time.Now().Add(3 * time.Millisecond); time.Now().Before(busy); {
				}
			}()
			if syscall.Gettid() != tid {
				return nil
			}
		}
		return errors.New("the goroutine did not move")
	})
}

// ---- the drop of the process --------------------------------------------------------------------

// makeThreads makes threads of several kinds, and returns how they are ended.
func makeThreads(each int) func() {
	stop := make(chan bool)
	var started sync.WaitGroup
	for i := 0; i < each; i++ {
		started.Add(3)
		go func() { // waits in the runtime, with a thread of its own
			runtime.LockOSThread()
			started.Done()
			<-stop
		}()
		go func() { // waits in the kernel
			var ends [2]int
			_ = syscall.Pipe(ends[:])
			go func() { <-stop; syscall.Close(ends[1]) }()
			started.Done()
			_, _ = syscall.Read(ends[0], make([]byte, 1))
		}()
		go func() { // computes, allocates
			started.Done()
			for {
				select {
				case <-stop:
					return
				default:
					_ = make([]byte, 10000)
					runtime.Gosched()
				}
			}
		}()
	}
	started.Wait()
	return func() { close(stop) }
}

func drop(folder string) error {
	w, err := newWorld(folder, "")
	if err != nil {
		return err
	}
	signals := make(chan os.Signal, 10)
	signal.Notify(signals) // all that Go can deliver
	end := makeThreads(10)
	defer end()

	var refused *miguard.Error
	err = miguard.Act(w.targets[1], func() error { return miguard.Drop(w.targets[5]) })
	if !errors.As(err, &refused) || refused.Status != miguard.BadState {
		return fmt.Errorf("a drop inside of an act: %v", err)
	}
	if C.take_last_signal(1) != 0 {
		return errors.New("signal")
	}
	err = miguard.Drop(w.targets[5])
	if !errors.As(err, &refused) || refused.Status != miguard.NotSupported {
		return fmt.Errorf("a drop without a signal: %v", err)
	}
	if C.take_last_signal(0) != 0 {
		return errors.New("signal")
	}
	if _, err := eachThread(isRoot); err != nil {
		return fmt.Errorf("after a drop that was refused: %v", err)
	}
	if err := miguard.Drop(w.targets[5]); err != nil {
		return err
	}
	before, err := eachThread(isDropped)
	if err != nil {
		return err
	}
	endLater := makeThreads(20)
	defer endLater()
	after, err := eachThread(isDropped)
	if err != nil {
		return fmt.Errorf("a thread that was made later: %v", err)
	}
	fmt.Printf("%d threads dropped, %d made later\n", before, after-before)
	if before < 20 || after < before+20 {
		return errors.New("too few threads for a test")
	}
	return nothingIsLeft(w)
}

func isDropped(tid string, t thread) error {
	if !t.isDropped(5) {
		return fmt.Errorf("thread %s is %v %v %v", tid, t["Uid"], t["Groups"], t["CapPrm"])
	}
	return nil
}

// nothingIsLeft: no way back, no use of what was bound before.
func nothingIsLeft(w *world) error {
	if _, _, errno := syscall.RawSyscall(syscall.SYS_SETRESUID, 0, 0, 0); errno == 0 {
		return errors.New("a thread became root again")
	}
	if err := miguard.Act(w.targets[1], func() error { return nil }); err == nil {
		return errors.New("a thread switched after the drop")
	}
	if !isMismatch(w.bindings[5].Verify(read, "")) {
		return errors.New("a binding from before the drop was not refused")
	}
	return nil
}

// ---- handles ------------------------------------------------------------------------------------

func handles(folder string) error {
	log := filepath.Join(folder, "audit.jsonl")
	if err := miguard.Configure(miguard.Config{AuditFile: log}); err != nil {
		return err
	}
	frontEnd, err := miguard.Register("check", "read", "write")
	if err != nil {
		return err
	}
	binding, err := miguard.Bind(frontEnd, "", "one")
	if err != nil {
		return err
	}
	number := binding.Number()
	found, err := miguard.Find(number)
	if err != nil {
		return err
	}
	binding.Close()
	if err := found.Verify(read, ""); err != nil {
		return err // found has a reference of its own
	}
	found.Revoke()
	revoked := found.Verify(read, "")
	found.Close()
	_, stale := miguard.Find(number)
	_, nul := miguard.User("ro\x00ot")
	_, noTarget := miguard.BindTarget(frontEnd, nil, "", "")
	for what, err := range map[string]error{"revoked": revoked, "stale": stale, "NUL": nul,
		"no target": noTarget, "closed": binding.Verify(read, "")} {
		if err == nil || err.Error() == "" {
			return errors.New(what + " was not refused")
		}
	}
	return nil
}

func init() {
	if len(os.Args) > 1 && os.Args[1] == "given-up" {
		runtime.LockOSThread() // init and main run on the main thread
	}
}

func main() {
	arguments := append(os.Args[1:], "", "", "", "")
	folder := arguments[1]
	count, _ := strconv.Atoi(arguments[2])

	checks := map[string]func() error{
		"acts":     func() error { return concurrentActs(folder, count, arguments[3]) },
		"inside":   startedInside,
		"ways-out": waysOut,
		"goexit":   goexit,
		"c-code":   cCode,
		"given-up": givenUp,
		"unlocked": unlocked,
		"drop":     func() error { return drop(folder) },
		"handles":  func() error { return handles(folder) },
	}
	check := checks[arguments[0]]
	if check == nil {
		check = func() error { return errors.New("unknown") }
	}
	if err := check(); err != nil {
		fmt.Fprintf(os.Stderr, "%s: %v\n", arguments[0], err)
		os.Exit(1)
	}
}
