/* SPDX-License-Identifier: MIT */
/*
 * A switch as long as an object lives, for providers in C++ (C++11 and later, with or without
 * exceptions):
 *
 *     miguard::switched as_user(target);
 *     if (!as_user) {
 *         return as_user.status();
 *     }
 *
 * The thread comes back when the object dies, also when an exception passes; when it cannot, the
 * process is aborted (miguard_switch_back()). The object cannot be copied, moved or made by new, so
 * that it dies on its thread and in the right order.
 */
#ifndef MIGUARD_SWITCH_HPP
#define MIGUARD_SWITCH_HPP

#include <cstddef>

#include "switch.h"

#if defined(__has_cpp_attribute) && __cplusplus >= 201703L
#define MIGUARD_NODISCARD [[nodiscard]]
#else
#define MIGUARD_NODISCARD
#endif

namespace miguard
{

class MIGUARD_NODISCARD switched
{
  public:
    MIGUARD_NODISCARD explicit switched(const ::miguard_target *target) noexcept
        : error_(), status_(MIGUARD_INVALID_ARGUMENT),
          scope_(::miguard_scope_enter(target, &status_, &error_))
    {
    }

    ~switched()
    {
        ::miguard_scope_leave(&scope_);
    }

    switched(const switched &) = delete;
    switched &operator=(const switched &) = delete;
    static void *operator new(std::size_t) = delete;
    static void *operator new[](std::size_t) = delete;

    /* True when the thread is the target. */
    explicit operator bool() const noexcept
    {
        return status_ == MIGUARD_OK;
    }

    ::miguard_status status() const noexcept
    {
        return status_;
    }

    /* Which step failed and why; empty when the switch succeeded. */
    const ::miguard_error &error() const noexcept
    {
        return error_;
    }

  private:
    ::miguard_error error_;
    ::miguard_status status_;
    ::miguard_scope scope_; /* last: it is made with the other two */
};

} // namespace miguard

#endif
