/* copies.h - copies into shared memory that go on by themselves (cp.async), a thread's in groups.
 *
 * CUDA does not say when such a copy is done before it is waited for. Here every second thread's
 * are done at once, so that what is still read there is lost, and the others' when they wait and
 * not before, so that what is read too early is not there; which threads those are changes from
 * block to block.
 *
 * Ends the program: 16 bytes from or to an address that is no multiple of 16, a thread that ends
 * with copies that it did not wait for. */
#ifndef KD_TESTS_CUDA_COPIES_H
#define KD_TESTS_CUDA_COPIES_H

namespace kd_sim
{

struct place;

/* from NULL: zeros. */
void begin_copy(void *to, const void *from, place at);
void end_group();
/* Until all but the n latest groups are done. */
void wait_for_groups(unsigned n, place at);

/* The running thread has done its last. */
void end_of_copies();

} // namespace kd_sim

#endif
