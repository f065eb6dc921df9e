/* standin.h - what stand-ins of NVIDIA's libraries share: what an environment variable tells them
 * to do wrong, and the hooks of the sim that they find in the program that loads them. */
#ifndef KD_TESTS_CUDA_STANDIN_H
#define KD_TESTS_CUDA_STANDIN_H

#include <dlfcn.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* "hang=2,rank=1": the number behind a name that ends with '='. */
static inline int kd_standin_told(const char *variable, const char *name, int otherwise)
{
    const char *text = getenv(variable), *at = text ? strstr(text, name) : NULL;
    return at ? atoi(at + strlen(name)) : otherwise;
}

/* Function pointers do not convert from void * in C. `to` is one; NULL: the program has no sim. */
static inline void kd_standin_find(const char *name, void *to)
{
    void *symbol = dlsym(RTLD_DEFAULT, name);
    memcpy(to, &symbol, sizeof symbol);
}

static inline void kd_standin_call(const char *name)
{
    void (*function)(void);
    kd_standin_find(name, &function);
    if (function)
        function();
}

/* ---- the sim's streams */

static inline bool kd_standin_streams_are_done(void)
{
    int (*finish)(void);
    kd_standin_find("kd_sim_finish_streams", &finish);
    return !finish || finish();
}

static inline bool kd_standin_is_captured(void *stream)
{
    int (*ask)(void *);
    kd_standin_find("kd_sim_is_capturing", &ask);
    return ask && ask(stream);
}

/* False: what the stream captures for is spoilt. */
static inline bool kd_standin_takes_launch(void *stream)
{
    int (*ask)(void *);
    kd_standin_find("kd_sim_takes_launch", &ask);
    return !ask || ask(stream);
}

/* Asks for what is refused while something captures. Was it? */
static inline bool kd_standin_spoil_captures(void)
{
    int (*ask)(void);
    kd_standin_find("kd_sim_may_wait", &ask);
    return ask && !ask();
}

/* NCCL's own calls of CUDA, when it frees a communicator, would fail in a thread that captures. */
static inline void kd_standin_check_that_nothing_captures(void)
{
    if (kd_standin_spoil_captures())
        abort();
}

/* 0 where the program has no sim. */
static inline int kd_standin_current_gpu(void)
{
    int (*ask)(void);
    kd_standin_find("kd_sim_current_gpu", &ask);
    return ask ? ask() : 0;
}

static inline void kd_standin_give_sim(void *stream, int (*work)(void *), void *ud,
                                       void (*drop)(void *))
{
    void (*give)(void *, int (*)(void *), void *, void (*)(void *));
    kd_standin_find("kd_sim_give_until_done", &give);
    give(stream, work, ud, drop);
}

/* Without the sim's hook nothing could hang, and a test of it would pass for no reason. */
static inline void kd_standin_hold_streams(bool held)
{
    void (*hold)(int);
    kd_standin_find("kd_sim_hold_streams", &hold);
    if (hold)
        hold(held);
    else if (held)
        abort();
}

#endif
