# SPDX-License-Identifier: MIT
"""miguard for Python, by ctypes: copy this file beside your own.

    files = miguard.FrontEnd("fileserver", ["read", "write"])
    alice = miguard.Target.user("alice")
    connection = miguard.Binding.of(files, alice, object="connection 7")

    with miguard.switched(alice):
        connection.verify(READ, "/srv/data/report")  # raises Refusal
        ...

    miguard.act(alice, connection.verify, READ, "/srv/data/report")  # the same, for one call

A switch changes the calling thread and no other (switch.h); a thread of Python is one of the
kernel. Whatever runs on that thread before the end of the block runs as the target, so a block must
not be suspended:

- A block in a coroutine, a generator or an asynchronous generator is refused, and so is one on a
  thread that runs an event loop of asyncio. Use act(), which calls a function that cannot await,
  or, where that blocks for long: await asyncio.to_thread(miguard.act, target, function).
- Blocks that end out of order, or on another thread, end the process: code would go on under
  another identity than it expects. So a suspension that came about in another way (greenlets, a
  generator that holds the object of a block) is noticed when the blocks of two tasks overlap, and
  not otherwise.
- Python runs signal handlers on the main thread, between any two of its instructions. An exception
  of one (KeyboardInterrupt) that comes just when a block ends can leave the main thread switched.
  act() has no such gap.
"""

import ctypes
import inspect
import os
import sys
import threading

# ---- the C declarations: status.h, switch.h, home.h, guard.h ------------------------------------
# tests/live/bindings_test.sh compares sizes and offsets with those of the C compiler.


class _Error(ctypes.Structure):
    _fields_ = [
        ("status", ctypes.c_int),
        ("system_errno", ctypes.c_int),
        ("step", ctypes.c_char * 64),
        ("detail", ctypes.c_char * 192),
    ]


class _Refusal(ctypes.Structure):
    _fields_ = [
        ("status", ctypes.c_int),
        ("reason", ctypes.c_char_p),
        ("difference", ctypes.c_uint32),
        ("rule", ctypes.c_char * 104),
        ("source", ctypes.c_char * 164),
        ("decision_id", ctypes.c_char * 48),
        ("sentence", ctypes.c_char * 960),
    ]


class _Use(ctypes.Structure):
    _fields_ = [
        ("size", ctypes.c_size_t),
        ("action", ctypes.c_uint32),
        ("resource", ctypes.c_char_p),
        ("object", ctypes.c_char_p),
    ]


class _Groups(ctypes.Structure):
    _fields_ = [
        ("choice", ctypes.c_int),
        ("list", ctypes.POINTER(ctypes.c_uint32)),
        ("count", ctypes.c_size_t),
        ("user", ctypes.c_char_p),
    ]


class _Config(ctypes.Structure):
    _fields_ = [
        ("size", ctypes.c_size_t),
        ("audit_file", ctypes.c_char_p),
        ("policy", ctypes.c_char_p),
        ("repeat_window", ctypes.c_int),
    ]


_OK = 0
_GROUPS_CLEAR, _GROUPS_LIST = 2, 3

_library = ctypes.CDLL("libmiguard.so.0")


def _function(name, result, *arguments):
    function = getattr(_library, name)
    function.restype = result
    function.argtypes = arguments
    return function


_int, _unsigned, _text, _pointer = ctypes.c_int, ctypes.c_uint, ctypes.c_char_p, ctypes.c_void_p
_result = ctypes.POINTER(_pointer)
_error, _refusal, _use = (ctypes.POINTER(type_) for type_ in (_Error, _Refusal, _Use))

_status_name = _function("miguard_status_name", _text, _int)
_status_text = _function("miguard_status_text", _text, _int)
_configure = _function("miguard_configure", _int, ctypes.POINTER(_Config), _error)
_register = _function(
    "miguard_front_end_register",
    _int,
    _text,
    ctypes.POINTER(_text),
    ctypes.c_size_t,
    _result,
    _error,
)
_target_user = _function("miguard_target_user", _int, _text, _result, _error)
_target_ids = _function(
    "miguard_target_ids",
    _int,
    ctypes.c_uint32,
    ctypes.c_uint32,
    ctypes.POINTER(_Groups),
    _result,
    _error,
)
_target_peer = _function("miguard_target_peer", _int, _int, _result, _error)
_target_free = _function("miguard_target_free", None, _pointer)
_switch_to = _function("miguard_switch_to", _int, _pointer, _error)
_switch_depth = _function("miguard_switch_depth", _unsigned)
_switch_home = _function("miguard_switch_home", _unsigned, _unsigned)
_drop = _function("miguard_drop", _int, _pointer, _error)
_home_capture = _function("miguard_home_capture", _int, _result, _error)
_home_check = _function("miguard_home_check", _int, _pointer, _error)
_home_return = _function(
    "miguard_home_return",
    _int,
    _pointer,
    ctypes.POINTER(ctypes.c_uint32),
    ctypes.POINTER(_unsigned),
    _error,
)
_home_free = _function("miguard_home_free", None, _pointer)
_bind = _function("miguard_bind", _int, _pointer, _text, _text, _result, _refusal)
_bind_target = _function(
    "miguard_bind_target", _int, _pointer, _pointer, _text, _text, _result, _refusal
)
_verify = _function("miguard_verify", _int, _pointer, _use, _refusal)
_verify_again = _function("miguard_verify_again", _int, _pointer, _use, _refusal)
_revoke = _function("miguard_revoke", None, _pointer)
_release = _function("miguard_release", None, _pointer)
_binding_number = _function("miguard_binding_number", ctypes.c_uint64, _pointer)
_binding_find = _function("miguard_binding_find", _int, ctypes.c_uint64, _result, _refusal)


def _encoded(text):
    """None stays NULL. A path may have bytes that are not UTF-8 (os.fsencode)."""
    if text is None:
        return None
    encoded = os.fsencode(text)
    if b"\0" in encoded:
        raise ValueError("a text has a NUL byte")  # C would cut it, and name something else
    return encoded


def _decoded(text):
    return text.decode("utf-8", "replace") if text else ""


# ---- errors -------------------------------------------------------------------------------------


class Error(Exception):
    """Why a call failed: struct miguard_error. status is a name such as "NOT_PERMITTED"."""

    def __init__(self, status, raw):
        self.status = _decoded(_status_name(status))
        self.system_errno = raw.system_errno
        self.step = _decoded(raw.step)
        self.detail = _decoded(raw.detail)
        parts = [_decoded(_status_text(status)), self.step, self.detail]
        super().__init__(": ".join(part for part in parts if part))


class Refusal(Exception):
    """Why a use was refused: struct miguard_refusal. Its text is the sentence."""

    def __init__(self, status, raw):
        self.status = _decoded(_status_name(status))
        self.reason = _decoded(raw.reason)
        self.difference = raw.difference
        self.rule = _decoded(raw.rule)
        self.source = _decoded(raw.source)
        self.decision_id = _decoded(raw.decision_id)
        super().__init__(_decoded(raw.sentence))


def _checked(function, *arguments):
    raw = _Error()
    status = function(*arguments, raw)
    if status != _OK:
        raise Error(status, raw)


def _permitted(function, *arguments):
    raw = _Refusal()
    status = function(*arguments, raw)
    if status != _OK:
        raise Refusal(status, raw)


# ---- the guard of the process -------------------------------------------------------------------


def configure(audit_file=None, policy=None, repeat_window=-1):
    """miguard_configure(): None is the standard place, -1 the window of the policy."""
    config = _Config(
        ctypes.sizeof(_Config), _encoded(audit_file), _encoded(policy), repeat_window
    )
    _checked(_configure, config)


class FrontEnd:
    """A part of the program that binds objects. It lives as long as the process."""

    def __init__(self, component, actions):
        """The place of an action in the list is its number in Binding.verify()."""
        names = [_encoded(action) for action in actions]
        self._raw = _pointer()
        _checked(
            _register, _encoded(component), (_text * len(names))(*names), len(names), self._raw
        )


# ---- targets ------------------------------------------------------------------------------------


class Target:
    """The identity to switch to. Any number of threads may use one."""

    def __init__(self, make, *arguments):
        self._raw = _pointer()
        _checked(make, *arguments, self._raw)

    @classmethod
    def user(cls, user):
        """A user by name or id, with the groups of that user."""
        return cls(_target_user, _encoded(user))

    @classmethod
    def ids(cls, uid, gid, groups):
        """Exactly these groups, which may be an empty list."""
        if not (0 <= uid < 2**32 - 1 and 0 <= gid < 2**32 - 1):
            raise ValueError("an id is out of range")  # ctypes would cut it
        if not all(0 <= group < 2**32 - 1 for group in groups):
            raise ValueError("a group is out of range")
        if not groups:
            return cls(_target_ids, uid, gid, _Groups(_GROUPS_CLEAR, None, 0, None))
        numbers = (ctypes.c_uint32 * len(groups))(*groups)
        return cls(_target_ids, uid, gid, _Groups(_GROUPS_LIST, numbers, len(groups), None))

    @classmethod
    def peer(cls, socket):
        """The peer of a connected unix socket."""
        return cls(_target_peer, socket.fileno())

    def __del__(self, free=_target_free):
        if self.__dict__.get("_raw"):
            free(self._raw)


# ---- the switch of a thread ---------------------------------------------------------------------

_SUSPENDS = (
    inspect.CO_GENERATOR
    | inspect.CO_COROUTINE
    | inspect.CO_ITERABLE_COROUTINE
    | inspect.CO_ASYNC_GENERATOR
)

_here = threading.local()  # .blocks: those of this thread that have not ended


def _blocks():
    if not hasattr(_here, "blocks"):
        _here.blocks = []
    return _here.blocks


def _runs_event_loop():
    asyncio = sys.modules.get("asyncio")
    if asyncio is None:
        return False
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def _refuse_where_it_could_be_suspended(frame):
    while frame.f_globals.get("__name__") == "contextlib":
        frame = frame.f_back  # ExitStack enters for its caller
    if frame.f_code.co_flags & _SUSPENDS:
        raise RuntimeError(
            f"{frame.f_code.co_name}() is a coroutine or generator: other code could run as the "
            "target while it is suspended; use miguard.act()"
        )
    if _runs_event_loop():
        raise RuntimeError(
            "this thread runs an event loop: other tasks could run as the target; use "
            "miguard.act(), or await asyncio.to_thread(miguard.act, ...)"
        )


def _give_up(why):
    """The thread has another identity than its code expects, and Python cannot end a thread."""
    os.write(2, f"miguard: {why}\n".encode())
    os.abort()


class switched:
    """A block that runs as the target, on this thread. An object is for one block."""

    def __init__(self, target):
        self._target = target
        self._thread = None

    def __enter__(self):
        _refuse_where_it_could_be_suspended(sys._getframe(1))
        if self._thread is not None:
            raise RuntimeError("the object was used for a block before")
        blocks = _blocks()
        error = _Error()
        self._depth = _switch_depth()
        self._thread = threading.get_ident()
        try:
            status = _switch_to(self._target._raw, error)
            if status == _OK:
                blocks.append(self)
        except BaseException:  # of a signal handler, after the call
            _switch_home(self._depth)
            raise
        if status != _OK:
            raise Error(status, error)
        return self

    def __exit__(self, *exception):
        blocks = _blocks()
        if self._thread != threading.get_ident():
            _give_up("a block ended on another thread than the one that it switched")
        if not blocks or blocks[-1] is not self:
            _give_up("a block ended before one that began later on this thread")
        # Also what was left switched inside. Nothing to undo: other code has undone this switch.
        if _switch_home(self._depth) == 0:
            _give_up("other code undid the switch of a block")
        blocks.pop()
        return False


def act(target, function, *arguments, **named):
    """Calls the function as the target, on this thread, and returns its result.

    It must do its work before it returns: a coroutine or generator that it returns would run later,
    as the process, so it is an error.
    """
    error = _Error()
    raw = target._raw
    depth = _switch_depth()
    status = None
    # A signal handler can raise an exception at the end of a call; there is none between the
    # switch and the try, nor between the end of the try and the way back.
    try:
        status = _switch_to(raw, error)
        if status == _OK:
            result = function(*arguments, **named)
    finally:
        if _switch_home(depth) == 0 and status == _OK:
            _give_up("other code undid the switch of an act")
    if status != _OK:
        raise Error(status, error)
    if inspect.iscoroutine(result) or inspect.isgenerator(result):
        result.close()
    elif not inspect.isasyncgen(result):
        return result
    raise TypeError(f"{function!r} would run after the switch back")


def switch_depth():
    """The number of switches of this thread that are not undone."""
    return _switch_depth()


def drop(target):
    """Makes every thread of the process the target, irreversibly: miguard_drop()."""
    _checked(_drop, target._raw)


# ---- threads of a pool --------------------------------------------------------------------------


class Home:
    """Who the calling thread is, and with it each thread of a pool when it serves nothing (home.h).
    For code that does not switch by this module: plug-ins, PAM modules, C libraries."""

    def __init__(self):
        self._raw = _pointer()
        _checked(_home_capture, self._raw)

    def check(self):
        """Raises Error unless the calling thread is home."""
        _checked(_home_check, self._raw)

    def bring_back(self):
        """The end of a request: changes back what it left. Returns the components in which the
        thread differed, as a set of enum miguard_components, and the number of switches that were
        left. After an Error the thread must serve nothing more and end. Not inside of a block."""
        difference, switches = ctypes.c_uint32(), _unsigned()
        _checked(_home_return, self._raw, difference, switches)
        return difference.value, switches.value

    def __del__(self, free=_home_free):
        if self.__dict__.get("_raw"):
            free(self._raw)


# ---- bindings -----------------------------------------------------------------------------------


class Binding:
    """An object's identity and the policy that it was bound under. Any number of threads may use
    one. The reference is given up with the object, or by close()."""

    def __init__(self, make, *arguments):
        self._raw = _pointer()
        _permitted(make, *arguments, self._raw)

    @classmethod
    def here(cls, front_end, resource=None, object=None):
        """Binds to the identity of the calling thread."""
        return cls(_bind, front_end._raw, _encoded(resource), _encoded(object))

    @classmethod
    def of(cls, front_end, target, resource=None, object=None):
        """Binds to what the calling thread would be as the target, without a switch."""
        return cls(_bind_target, front_end._raw, target._raw, _encoded(resource), _encoded(object))

    @classmethod
    def find(cls, number):
        """The binding of a number that went through foreign code."""
        if not 0 <= number < 2**64:
            raise ValueError("a number is out of range")
        return cls(_binding_find, number)

    @property
    def number(self):
        return _binding_number(self._raw)

    def verify(self, action, resource=None, object=None):
        """Raises Refusal unless the calling thread may do this. None: what was bound."""
        self._ask(_verify, action, resource, object)

    def verify_again(self, action, resource=None, object=None):
        """The same use, after the thread has waited or has run foreign code."""
        self._ask(_verify_again, action, resource, object)

    def _ask(self, function, action, resource, object):
        if not 0 <= action < 2**32:
            raise ValueError("an action is out of range")
        use = _Use(ctypes.sizeof(_Use), action, _encoded(resource), _encoded(object))
        _permitted(function, self._raw, use)

    def revoke(self):
        """Every later verification is refused."""
        _revoke(self._raw)

    def close(self):
        """Not while another thread uses it."""
        raw, self._raw = self._raw, _pointer()
        _release(raw)

    def __del__(self, release=_release):
        if self.__dict__.get("_raw"):
            release(self._raw)


# ---- for the test -------------------------------------------------------------------------------


def layout():
    """Each struct's size and the offset of each member."""
    structs = {
        "miguard_error": _Error,
        "miguard_refusal": _Refusal,
        "miguard_use": _Use,
        "miguard_groups": _Groups,
        "miguard_config": _Config,
    }
    for name, struct in structs.items():
        yield f"{name} sizeof {ctypes.sizeof(struct)}"
        for member, _ in struct._fields_:
            yield f"{name} {member} {getattr(struct, member).offset}"
