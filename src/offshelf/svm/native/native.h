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

INLINE double larger(double a, double b) { return a > b ? a : b; }
INLINE double smaller(double a, double b) { return a < b ? a : b; }

#endif
