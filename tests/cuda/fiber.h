/* fiber.h - stacks, and the jump from one to another: what a thread of a kernel is while a block
 * runs here.
 *
 * A fiber is a stack and where it stopped. Switching costs a few nanoseconds where there is
 * assembly for it (x86-64, aarch64), and two system calls elsewhere (ucontext). AddressSanitizer is
 * told of every switch. */
#ifndef KD_TESTS_CUDA_FIBER_H
#define KD_TESTS_CUDA_FIBER_H

#include <stddef.h>
#include <ucontext.h>

namespace kd_sim
{

struct fiber {
    char *stack; /* NULL: that of the program, which was there before */
    size_t size;
    void *stopped_at;   /* the stack pointer, where assembly switches */
    ucontext_t context; /* the same where ucontext does */
    void *fake_stack;   /* AddressSanitizer's */
};

/* One that is not running, with a stack of its own and a page below it that nobody may touch. Never
 * freed: the next launch takes it again. */
fiber *fiber_new();

/* What a switch to it does next is call entry, which must not return. */
void fiber_prepare(fiber *fiber, void (*entry)());

/* Stops `from` (which runs now) and goes on with `to`. last: nobody will come back to `from`. */
void fiber_switch(fiber *from, fiber *to, bool last);

/* The first thing that an entry calls. */
void fiber_entered();

} // namespace kd_sim

#endif
