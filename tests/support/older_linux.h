/* SPDX-License-Identifier: MIT */
/*
 * Takes away the numbers of the system calls that the headers of Linux 4.18 do not have, for
 * older_libc_test.sh: the library must know them by itself or do without.
 */
#include <sys/syscall.h>

#undef SYS_clone3
#undef SYS_close_range
#undef SYS_faccessat2
#undef SYS_io_uring_enter
#undef SYS_io_uring_register
#undef SYS_io_uring_setup
#undef SYS_landlock_add_rule
#undef SYS_landlock_create_ruleset
#undef SYS_landlock_restrict_self
#undef SYS_openat2
#undef SYS_pidfd_getfd
#undef SYS_pidfd_open
#undef SYS_pidfd_send_signal
#undef __NR_clone3
#undef __NR_close_range
#undef __NR_faccessat2
#undef __NR_io_uring_enter
#undef __NR_io_uring_register
#undef __NR_io_uring_setup
#undef __NR_landlock_add_rule
#undef __NR_landlock_create_ruleset
#undef __NR_landlock_restrict_self
#undef __NR_openat2
#undef __NR_pidfd_getfd
#undef __NR_pidfd_open
#undef __NR_pidfd_send_signal
