#include "tests/cuda/fiber.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#if defined(__SANITIZE_ADDRESS__)
#define KD_FIBER_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define KD_FIBER_ASAN 1
#endif
#endif
#ifdef KD_FIBER_ASAN
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif

namespace kd_sim
{

/* Frames are several times as large under AddressSanitizer; what is not touched costs nothing. */
enum { STACK_BYTES = 256 * 1024, GUARD_BYTES = 4096, TOP_BYTES = 8192 };

fiber *fiber_new()
{
    fiber *made = static_cast<fiber *>(calloc(1, sizeof(fiber)));
    void *stack = mmap(NULL, STACK_BYTES, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (!made || stack == MAP_FAILED || mprotect(stack, GUARD_BYTES, PROT_NONE) != 0) {
        perror("kd_sim: a stack for a thread");
        abort();
    }
    made->stack = static_cast<char *>(stack);
    made->size = STACK_BYTES;
    return made;
}

#if defined(__x86_64__) && !defined(KD_FIBER_UCONTEXT)

/* Registers that a callee keeps go on the old stack, and come from the new one. */
extern "C" void kd_fiber_swap(void **stopped_at, void *go_on_at);
asm(".text\n"
    ".globl kd_fiber_swap\n"
    ".type kd_fiber_swap, @function\n"
    "kd_fiber_swap:\n"
    "    push %rbp\n    push %rbx\n    push %r12\n    push %r13\n    push %r14\n    push %r15\n"
    "    mov %rsp, (%rdi)\n"
    "    mov %rsi, %rsp\n"
    "    pop %r15\n    pop %r14\n    pop %r13\n    pop %r12\n    pop %rbx\n    pop %rbp\n"
    "    ret\n"
    ".size kd_fiber_swap, . - kd_fiber_swap\n");

/* As if entry had been called by nobody: six registers, the address to return to, and a return
 * address of 0. */
static void *first_frame(char *top, void (*entry)())
{
    void **frame = reinterpret_cast<void **>(top) - 8;
    for (int i = 0; i < 8; i++)
        frame[i] = NULL;
    frame[6] = reinterpret_cast<void *>(entry);
    return frame;
}

#elif defined(__aarch64__) && !defined(KD_FIBER_UCONTEXT)

extern "C" void kd_fiber_swap(void **stopped_at, void *go_on_at);
asm(".text\n"
    ".globl kd_fiber_swap\n"
    ".type kd_fiber_swap, %function\n"
    "kd_fiber_swap:\n"
    "    sub sp, sp, #160\n"
    "    stp x19, x20, [sp]\n      stp x21, x22, [sp, #16]\n  stp x23, x24, [sp, #32]\n"
    "    stp x25, x26, [sp, #48]\n stp x27, x28, [sp, #64]\n  stp x29, x30, [sp, #80]\n"
    "    stp d8, d9, [sp, #96]\n   stp d10, d11, [sp, #112]\n"
    "    stp d12, d13, [sp, #128]\n stp d14, d15, [sp, #144]\n"
    "    mov x9, sp\n"
    "    str x9, [x0]\n"
    "    mov sp, x1\n"
    "    ldp x19, x20, [sp]\n      ldp x21, x22, [sp, #16]\n  ldp x23, x24, [sp, #32]\n"
    "    ldp x25, x26, [sp, #48]\n ldp x27, x28, [sp, #64]\n  ldp x29, x30, [sp, #80]\n"
    "    ldp d8, d9, [sp, #96]\n   ldp d10, d11, [sp, #112]\n"
    "    ldp d12, d13, [sp, #128]\n ldp d14, d15, [sp, #144]\n"
    "    add sp, sp, #160\n"
    "    ret\n"
    ".size kd_fiber_swap, . - kd_fiber_swap\n");

static void *first_frame(char *top, void (*entry)())
{
    void **frame = reinterpret_cast<void **>(top) - 20;
    for (int i = 0; i < 20; i++)
        frame[i] = NULL;
    frame[11] = reinterpret_cast<void *>(entry);
    return frame;
}

#else
#define KD_FIBER_BY_UCONTEXT 1
#endif

void fiber_prepare(fiber *fiber, void (*entry)())
{
    [[maybe_unused]] char *top = fiber->stack + fiber->size;
    fiber->fake_stack = NULL;
#ifdef KD_FIBER_ASAN
    /* The frame in which the last thread ended was never left. */
    ASAN_UNPOISON_MEMORY_REGION(top - TOP_BYTES, TOP_BYTES);
#endif
#ifdef KD_FIBER_BY_UCONTEXT
    getcontext(&fiber->context);
    fiber->context.uc_stack.ss_sp = fiber->stack;
    fiber->context.uc_stack.ss_size = fiber->size;
    fiber->context.uc_link = NULL;
    makecontext(&fiber->context, entry, 0);
#else
    fiber->stopped_at = first_frame(top, entry);
#endif
}

static fiber *came_from;

static void arrived([[maybe_unused]] fiber *at)
{
#ifdef KD_FIBER_ASAN
    const void *stack;
    size_t size;
    __sanitizer_finish_switch_fiber(at ? at->fake_stack : NULL, &stack, &size);
    if (came_from && came_from->size == 0) { /* the program's own: nobody else knows where it is */
        came_from->stack = static_cast<char *>(const_cast<void *>(stack));
        came_from->size = size;
    }
#endif
}

void fiber_entered()
{
    arrived(NULL);
}

void fiber_switch(fiber *from, fiber *to, [[maybe_unused]] bool last)
{
    came_from = from;
#ifdef KD_FIBER_ASAN
    __sanitizer_start_switch_fiber(last ? NULL : &from->fake_stack, to->stack, to->size);
#endif
#ifdef KD_FIBER_BY_UCONTEXT
    swapcontext(&from->context, &to->context);
#else
    kd_fiber_swap(&from->stopped_at, to->stopped_at);
#endif
    arrived(from);
}

} // namespace kd_sim
