/* What the compiled parts of the solver share. They take arrays, never Python objects: no interpreter is needed here. */

#ifndef OFFSHELF_NATIVE_H
#define OFFSHELF_NATIVE_H

#include <stdint.h>

/* Compiled for several processors, the best of which is chosen as the library is loaded. */
#if defined(__x86_64__) && defined(__linux__) && defined(__GLIBC__)
#define FOR_EACH_PROCESSOR __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define FOR_EACH_PROCESSOR
#endif

#define INLINE static inline __attribute__((always_inline)) /* into each of the versions */

INLINE double larger(double a, double b) { return a > b ? a : b; }
INLINE double smaller(double a, double b) { return a < b ? a : b; }

#endif
