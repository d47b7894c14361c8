# SPDX-License-Identifier: MIT
"""What miguard.py promises, at run time: check.py WHAT [folder for the log] [number of acts]
[policy]. Exits 1 and says what is wrong."""

import asyncio
import contextlib
import ctypes
import itertools
import os
import signal
import sys
import threading

import miguard

IDENTITIES, THREADS = 50, 16
READ, WRITE = 0, 1


def uid_of(place):
    return 70000 + place


def groups_of(place):
    return [80000 + 10 * place + more for more in range(place % 4)]


def target_of(place):
    return miguard.Target.ids(uid_of(place), uid_of(place) + 1000, groups_of(place))


# ---- what a thread is, by the kernel's own account ----------------------------------------------


def status_of(path):
    with open(path, encoding="utf-8") as file:
        return dict(line.rstrip("\n").split(":\t", 1) for line in file if ":\t" in line)


def here():
    return status_of("/proc/thread-self/status")


def is_identity(place):
    """The saved uid is the way back."""
    now, uid = here(), str(uid_of(place))
    uids = now["Uid"].split()
    return (
        [uids[0], uids[1], uids[3]] == [uid] * 3
        and now["Gid"].split() == [str(uid_of(place) + 1000)] * 4
        and now["Groups"].split() == [str(group) for group in groups_of(place)]
        and now["CapEff"] == "0000000000000000"
    )


NAMES = ["Uid", "Gid", "Groups", "CapPrm", "CapEff", "NoNewPrivs"]
ROOT = {name: here()[name] for name in NAMES}


def is_root():
    now = here()
    return miguard.switch_depth() == 0 and all(now[name] == ROOT[name] for name in NAMES)


def expect(holds, what):
    if not holds:
        raise AssertionError(what)


def is_mismatch(call, *arguments):
    try:
        call(*arguments)
    except miguard.Refusal as refusal:
        return refusal.reason == "identity-mismatch" and refusal.difference and str(refusal)
    return False


# ---- concurrent acts ----------------------------------------------------------------------------


class World:
    def __init__(self, folder, policy=None):
        miguard.configure(folder + "/audit.jsonl", policy, repeat_window=600)
        front_end = miguard.FrontEnd("check", ["read", "write"])
        self.targets = [target_of(place) for place in range(IDENTITIES)]
        self.bindings = [
            miguard.Binding.of(front_end, target, "/srv", f"connection {place}")
            for place, target in enumerate(self.targets)
        ]

    def inside(self, number):
        own = number * 7 % IDENTITIES
        self.bindings[own].verify(WRITE, "/srv/data")
        expect(is_identity(own), "ran under another identity")
        other = self.bindings[(own + 1) % IDENTITIES]
        expect(is_mismatch(other.verify, READ), "another's binding was not refused")
        self.bindings[own].verify_again(WRITE, "/srv/data")
        return number

    def act(self, number):
        """One request, by a block or by act()."""
        own = number * 7 % IDENTITIES
        if number % 10 == 0:
            expect(is_mismatch(self.bindings[own].verify, READ), "root's use was not refused")
        if number % 2 == 0:
            with miguard.switched(self.targets[own]):
                self.inside(number)
        else:
            expect(miguard.act(self.targets[own], self.inside, number) == number, "result")
        expect(is_root(), "did not come back")


def concurrent_acts(folder, count, policy):
    world, numbers, wrong = World(folder, policy), itertools.count(), []
    together = threading.Barrier(THREADS)

    def work():
        together.wait()
        while (number := next(numbers)) < count:
            try:
                world.act(number)
            except Exception as why:  # pylint: disable=broad-except
                wrong.append(f"act {number}: {why!r}")

    pool = [threading.Thread(target=work) for _ in range(THREADS)]
    for thread in pool:
        thread.start()
    for thread in pool:
        thread.join()
    print(f"{count} acts, {len(wrong)} wrong")
    expect(not wrong and next(numbers) >= count, wrong[:1])


def event_loop(folder):
    """Tasks of one event loop act on the threads of its pool, and none sees another's identity."""
    world = World(folder)

    async def request(number):
        own = number * 7 % IDENTITIES
        await asyncio.sleep(0)
        expect(is_root(), "a task ran as a target")
        await asyncio.to_thread(miguard.act, world.targets[own], world.inside, number)
        expect(is_root(), "a task ran as a target after its act")
        miguard.act(world.targets[own], world.inside, number)  # it blocks the loop: for short acts
        expect(is_root(), "the loop did not come back")

    async def all_requests():
        await asyncio.gather(*(request(number) for number in range(200)))

    asyncio.run(all_requests())


# ---- blocks that could be suspended -------------------------------------------------------------


def suspended():
    target = target_of(1)

    async def coroutine():
        with miguard.switched(target):
            await asyncio.sleep(0)

    def helper():
        with miguard.switched(target):
            pass

    async def calls_helper():
        helper()

    def generator():
        with miguard.switched(target):
            yield

    async def asynchronous_generator():
        with miguard.switched(target):
            yield

    def stack_in_generator():
        with contextlib.ExitStack() as stack:
            stack.enter_context(miguard.switched(target))
            yield

    refused = {
        "a coroutine": lambda: asyncio.run(coroutine()),
        "a coroutine without a loop": lambda: coroutine().send(None),
        "a helper under a loop": lambda: asyncio.run(calls_helper()),
        "a generator": lambda: next(generator()),
        "an asynchronous generator": lambda: asynchronous_generator().__anext__().send(None),
        "a stack in a generator": lambda: next(stack_in_generator()),
    }
    for what, call in refused.items():
        try:
            call()
        except RuntimeError as why:
            expect("miguard.act" in str(why), f"{what}: {why}")
        else:
            raise AssertionError(f"{what} was not refused")
        expect(is_root(), f"after {what}")
    for function in coroutine, generator, asynchronous_generator:
        try:
            miguard.act(target, function)
        except TypeError as why:
            expect("would run after" in str(why), why)
        else:
            raise AssertionError(f"act() returned what {function} gave")
    helper()
    with contextlib.ExitStack() as stack:
        stack.enter_context(miguard.switched(target))
        expect(is_identity(1), "a stack in a function")
    expect(is_root(), "at the end")


# ---- the ways out -------------------------------------------------------------------------------


def ways_out():
    one, two = target_of(1), target_of(2)

    def leave():
        with miguard.switched(one):
            with miguard.switched(two):
                return is_identity(2)

    expect(leave() and is_root(), "return")
    try:
        with miguard.switched(one):
            raise KeyError("as planned")
    except KeyError:
        expect(is_root(), "an exception")
    try:
        miguard.act(one, lambda: {}["as planned"])
    except KeyError:
        expect(is_root(), "an exception in act()")
    with miguard.switched(one):
        expect(miguard.act(two, is_identity, 2) and is_identity(1), "nested")
        left = miguard.Error if miguard._switch_to(two._raw, miguard._Error()) else None
        expect(left is None and is_identity(2), "what foreign code leaves switched")
    expect(is_root(), "left switched")
    block = miguard.switched(one)
    with block:
        pass
    try:
        with block:
            raise AssertionError("a block was entered twice")
    except RuntimeError:
        expect(is_root(), "used twice")


def pool():
    """Requests of which each third leaves the thread changed: each is noticed and mended."""
    home, target, setfsuid = miguard.Home(), target_of(1), ctypes.CDLL(None).setfsuid
    for request in range(300):
        expect(is_root(), f"request {request} found another identity")
        kind = request % 3
        if kind == 0:
            expect(miguard._switch_to(target._raw, miguard._Error()) == 0, "switch")
        elif kind == 1:
            setfsuid(70001)
        else:
            home.check()
        difference, switches = home.bring_back()
        expect((difference != 0, switches) == (kind != 2, int(kind == 0)), f"request {request}")


class Interrupted(Exception):
    pass


def interrupts():
    """Exceptions of a signal handler at any moment of an act: the thread comes back each time."""

    def handler(*_):
        raise Interrupted

    target, caught = target_of(1), 0
    signal.signal(signal.SIGALRM, handler)
    for turn in range(3000):
        try:
            signal.setitimer(signal.ITIMER_REAL, 2e-6 + turn % 150 * 1e-6)
            while True:
                miguard.act(target, os.getuid)
        except Interrupted:
            caught += 1
        if miguard.switch_depth() != 0 or os.getresuid() != (0, 0, 0):
            raise AssertionError(f"turn {turn}: still switched")
    expect(caught == 3000 and is_root(), f"{caught} caught")


# ---- what ends the process (SIGABRT) ------------------------------------------------------------


def out_of_order():
    """Two tasks of a scheduler that the library cannot know overlap."""
    first, second = miguard.switched(target_of(1)), miguard.switched(target_of(2))
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)


def other_thread():
    block = miguard.switched(target_of(1))
    block.__enter__()
    thread = threading.Thread(target=block.__exit__, args=(None, None, None))
    thread.start()
    thread.join()


def undone_by_others():
    undo = ctypes.CDLL("libmiguard.so.0").miguard_switch_back
    with miguard.switched(target_of(1)):
        undo(None)


def undone_in_act():
    miguard.act(target_of(1), ctypes.CDLL("libmiguard.so.0").miguard_switch_back, None)


# ---- the drop, and handles ----------------------------------------------------------------------


def drop():
    stop = threading.Event()
    pool = [threading.Thread(target=stop.wait) for _ in range(THREADS)]
    for thread in pool:
        thread.start()
    miguard.drop(target_of(3))
    late = threading.Thread(target=stop.wait)
    late.start()
    tasks = os.listdir("/proc/self/task")
    for tid in tasks:
        now = status_of(f"/proc/self/task/{tid}/status")
        expect(now["Uid"].split() == ["70003"] * 4, now["Uid"])
        expect(now["Groups"].split() == [str(group) for group in groups_of(3)], now["Groups"])
        for name in "CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb":
            expect(now[name] == "0000000000000000", f"{name} {now[name]}")
    stop.set()
    expect(len(tasks) >= THREADS + 2, tasks)


def handles(folder):
    miguard.configure(folder + "/audit.jsonl")
    front_end = miguard.FrontEnd("check", ["read", "write"])
    binding = miguard.Binding.here(front_end, object="one")
    number = binding.number
    found = miguard.Binding.find(number)
    binding.close()
    found.verify(READ)  # it has a reference of its own
    found.revoke()
    refused = {
        "revoked": (miguard.Refusal, lambda: found.verify(READ)),
        "closed": (miguard.Refusal, lambda: binding.verify(READ)),
        "an action": (miguard.Refusal, lambda: miguard.Binding.here(front_end).verify(2)),
        "a large action": (ValueError, lambda: found.verify(2**32)),
        "NUL": (ValueError, lambda: miguard.Target.user("ro\0ot")),
        "an unknown user": (miguard.Error, lambda: miguard.Target.user("no-such-user")),
        "an id of -1": (ValueError, lambda: miguard.Target.ids(-1, 1, [])),
        "a large id": (ValueError, lambda: miguard.Target.ids(2**32, 1, [])),
        "a large group": (ValueError, lambda: miguard.Target.ids(1, 1, [2**32])),
    }
    for what, (error, call) in refused.items():
        try:
            call()
        except error as why:
            expect(str(why), f"{what}: no text")
        else:
            raise AssertionError(f"{what} was not refused")
    found.close()
    try:
        miguard.Binding.find(number)
    except miguard.Refusal as why:
        expect(why.status == "BAD_HANDLE", why.status)
    else:
        raise AssertionError("a stale number was found")


def main():
    what, folder, count, policy = (sys.argv[1:] + ["", "", "", ""])[:4]
    checks = {
        "layout": lambda: print("\n".join(miguard.layout())),
        "acts": lambda: concurrent_acts(folder, int(count), policy or None),
        "event-loop": lambda: event_loop(folder),
        "suspended": suspended,
        "ways-out": ways_out,
        "pool": pool,
        "interrupts": interrupts,
        "out-of-order": out_of_order,
        "other-thread": other_thread,
        "undone": undone_by_others,
        "undone-in-act": undone_in_act,
        "drop": drop,
        "handles": lambda: handles(folder),
    }
    checks[what]()


if __name__ == "__main__":
    main()
