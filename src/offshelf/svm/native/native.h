/* Definitions that the compiled parts of the solver share. They take arrays, never Python objects: no interpreter is needed.
All files are compiled for several instruction sets (`setup.py`), of which `native/__init__.py` loads the best. */

#ifndef OFFSHELF_NATIVE_H
#define OFFSHELF_NATIVE_H

#include <stdint.h>

/* Bytes of a vector. */
#if defined(__AVX512F__)
enum { VECTOR = 64 };
#elif defined(__AVX2__)
enum { VECTOR = 32 };
#else
enum { VECTOR = 16 };
#endif

#define INLINE static inline __attribute__((always_inline))
/* What is large, and called from several places. */
#define OUTLINE static __attribute__((noinline, unused))

/* What a fit reports, and whether it is to stop; `svm/monitor.py` has the same two numbers. */
typedef struct {
    int64_t is_stopped, solved;
} Control;

/* The control of the fit that this thread works for; set by `watch`, NULL if nobody waits. */
extern _Thread_local Control *watched __attribute__((visibility("hidden")));

/* Whether to return at once, in every loop that may take over some tenths of a second. The results are discarded. Functions
that ask are called through `_watched()` of `native/__init__.py`, since `watched` may be out of date otherwise. */
INLINE int is_stopped(void) { return watched && __atomic_load_n(&watched->is_stopped, __ATOMIC_RELAXED); }

/* Report a solved problem. */
INLINE void count_solved(void) {
    if (watched) __atomic_fetch_add(&watched->solved, 1, __ATOMIC_RELAXED);
}

INLINE double larger(double a, double b) { return a > b ? a : b; }
INLINE double smaller(double a, double b) { return a < b ? a : b; }

#endif
