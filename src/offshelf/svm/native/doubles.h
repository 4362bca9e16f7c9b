/* Vectors of float64. */

#ifndef OFFSHELF_DOUBLES_H
#define OFFSHELF_DOUBLES_H

#include "native.h"

enum { LANES = VECTOR / sizeof(double) };
typedef double Lanes __attribute__((vector_size(VECTOR), aligned(sizeof(double)), may_alias));

#endif
