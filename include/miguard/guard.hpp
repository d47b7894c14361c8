/* SPDX-License-Identifier: MIT */
/*
 * <miguard/guard.h> for daemons in C++ (C++11 and later, with or without exceptions): a binding
 * that is released when its object dies, and refusals as objects.
 *
 *     miguard::front_end files;
 *     files.open("fileserver", actions, &error);
 *     ...
 *     miguard::binding binding;
 *     binding.bind_target(files, peer, nullptr, "connection 7", &refusal);
 *     ...
 *     if (binding.verify(ACTION_READ, "/srv/data/report", &refusal) != MIGUARD_OK) {
 *         log(refusal.what());
 *     }
 *
 * Nothing here throws. The errors and the thread safety are those of the functions in guard.h.
 */
#ifndef MIGUARD_GUARD_HPP
#define MIGUARD_GUARD_HPP

#include <cstddef>
#include <cstdint>

#include "guard.h"
#include "switch.hpp"

namespace miguard
{

/* Why something was refused. Empty until a function has written it. */
class refusal
{
  public:
    refusal() noexcept : data_()
    {
    }

    /* One sentence for a person; "" before a refusal. Valid as long as the object. */
    const char *what() const noexcept
    {
        return data_.sentence;
    }

    ::miguard_status status() const noexcept
    {
        return data_.status;
    }

    /* reason, difference, rule, source and decision_id. */
    const ::miguard_refusal &data() const noexcept
    {
        return data_;
    }

    ::miguard_refusal *get() noexcept
    {
        return &data_;
    }

  private:
    ::miguard_refusal data_;
};

/* A part of a daemon, and the actions that it knows. The library keeps it as long as the process,
 * so that a copy is the same one. */
class front_end
{
  public:
    front_end() noexcept : front_end_(nullptr)
    {
    }

    /* miguard_front_end_register() with an array of names. */
    template <std::size_t count>
    MIGUARD_CHECKED ::miguard_status open(const char *component,
                                          const char *const (&actions)[count],
                                          ::miguard_error *reterr = nullptr) noexcept
    {
        return ::miguard_front_end_register(component, actions, count, &front_end_, reterr);
    }

    explicit operator bool() const noexcept
    {
        return front_end_ != nullptr;
    }

    const ::miguard_front_end *get() const noexcept
    {
        return front_end_;
    }

  private:
    ::miguard_front_end *front_end_;
};

/* One reference to a binding, or to nothing: every use of nothing is refused. Moved, not copied;
 * keep() makes a second reference, for another thread. */
class binding
{
  public:
    binding() noexcept : binding_(nullptr)
    {
    }

    ~binding()
    {
        ::miguard_release(binding_);
    }

    binding(binding &&other) noexcept : binding_(other.binding_)
    {
        other.binding_ = nullptr;
    }

    binding &operator=(binding &&other) noexcept
    {
        if (this != &other) {
            reset();
            binding_ = other.binding_;
            other.binding_ = nullptr;
        }
        return *this;
    }

    binding(const binding &) = delete;
    binding &operator=(const binding &) = delete;

    /* To the identity of the calling thread. What the object held before is released. */
    MIGUARD_CHECKED ::miguard_status bind(const front_end &by, const char *resource,
                                          const char *object, refusal *why = nullptr) noexcept
    {
        reset();
        return ::miguard_bind(by.get(), resource, object, &binding_, refusal_of(why));
    }

    /* To the identity that the calling thread would have as the target. */
    MIGUARD_CHECKED ::miguard_status bind_target(const front_end &by,
                                                 const ::miguard_target *target,
                                                 const char *resource, const char *object,
                                                 refusal *why = nullptr) noexcept
    {
        reset();
        return ::miguard_bind_target(by.get(), target, resource, object, &binding_,
                                     refusal_of(why));
    }

    /* The binding of a number that number() gave. */
    MIGUARD_CHECKED ::miguard_status find(std::uint64_t number, refusal *why = nullptr) noexcept
    {
        reset();
        return ::miguard_binding_find(number, &binding_, refusal_of(why));
    }

    /* Only MIGUARD_OK allows the use. resource and object: nullptr means those of the binding. */
    MIGUARD_CHECKED ::miguard_status verify(std::uint32_t action, const char *resource = nullptr,
                                            refusal *why = nullptr,
                                            const char *object = nullptr) const noexcept
    {
        const ::miguard_use use = {sizeof(::miguard_use), action, resource, object};
        return ::miguard_verify(binding_, &use, refusal_of(why));
    }

    /* The same use, after the thread has waited. */
    MIGUARD_CHECKED ::miguard_status verify_again(std::uint32_t action,
                                                  const char *resource = nullptr,
                                                  refusal *why = nullptr,
                                                  const char *object = nullptr) const noexcept
    {
        const ::miguard_use use = {sizeof(::miguard_use), action, resource, object};
        return ::miguard_verify_again(binding_, &use, refusal_of(why));
    }

    void revoke() const noexcept
    {
        ::miguard_revoke(binding_);
    }

    /* A second reference. */
    MIGUARD_NODISCARD binding keep() const noexcept
    {
        return binding(binding_ != nullptr ? ::miguard_keep(binding_) : nullptr);
    }

    /* Releases the reference before the object dies. */
    void reset() noexcept
    {
        ::miguard_release(binding_);
        binding_ = nullptr;
    }

    /* For foreign code that keeps numbers; 0 for nothing, which find() refuses. */
    std::uint64_t number() const noexcept
    {
        return binding_ != nullptr ? ::miguard_binding_number(binding_) : 0;
    }

    explicit operator bool() const noexcept
    {
        return binding_ != nullptr;
    }

    ::miguard_binding *get() const noexcept
    {
        return binding_;
    }

  private:
    explicit binding(::miguard_binding *reference) noexcept : binding_(reference)
    {
    }

    static ::miguard_refusal *refusal_of(refusal *why) noexcept
    {
        return why != nullptr ? why->get() : nullptr;
    }

    ::miguard_binding *binding_;
};

} // namespace miguard

#endif
