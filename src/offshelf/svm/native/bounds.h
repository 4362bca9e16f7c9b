/* Margins that are computed only where they matter. Between two solutions w and w' the decision value of a row x, in a group of
rows with the mean m and |x - m| <= r, changes by that of m, and by at most r |w' - w| more. From its value under an earlier
solution follows a lower bound of its margin; where classes are far apart most margins stay above 1 by it, and are not computed.
The first solution is w = 0, under which all values are known. */

#ifndef OFFSHELF_BOUNDS_H
#define OFFSHELF_BOUNDS_H

#include "binary.h"

enum { MOST_SOLUTIONS = 40 };
static const double BEYOND = 1e-9; /* margins are computed unless they exceed 1 by this, more than rounding errors */

typedef struct {
    int64_t count; /* of solutions */
    double *w,
        *at_means;  /* of each: [MOST_SOLUTIONS, D + 1], and the decision values of the means: [MOST_SOLUTIONS, G] */
    double *shifts; /* the change of the latter until the last solution: [MOST_SOLUTIONS, G] */
    double lengths[MOST_SOLUTIONS]; /* |w' - w| */
    double *values, *radii;         /* [N]: decision values under an earlier solution */
    uint8_t *since;                 /* [N]: its number */
    int32_t *groups, *unclear;      /* [N]: the groups of rows, and those whose margin the bound leaves open */
} MarginBounds;

/* Begin with w = 0. */
INLINE void begin_bounds(const Binary *problem, MarginBounds *bounds) {
    const Rows *rows = problem->rows;
    memset(bounds->w, 0, problem->dims * sizeof(double));
    memset(bounds->at_means, 0, rows->group_count * sizeof(double));
    memset(bounds->values, 0, problem->count * sizeof(double));
    memset(bounds->since, 0, problem->count);
    for (int64_t i = 0; i < problem->count; i++) {
        int64_t number = problem->numbers[i];
        bounds->groups[i] = rows->groups[number], bounds->radii[i] = rows->radii[number];
    }
    bounds->count = 1;
}

INLINE double plain_dot(int64_t count, const double *a, const double *b) {
    double total = 0;
#pragma omp simd reduction(+ : total)
    for (int64_t d = 0; d < count; d++) total += a[d] * b[d];
    return total;
}

/* Take the problem's w as the next solution. */
INLINE void add_solution(const Binary *problem, MarginBounds *bounds) {
    const Rows *rows = problem->rows;
    int64_t groups = rows->group_count, dims = problem->dims, last = bounds->count++;
    double *own = bounds->w + last * dims, *now = bounds->at_means + last * groups;
    memcpy(own, problem->w, dims * sizeof(double));
    for (int64_t g = 0; g < groups; g++) now[g] = plain_dot(dims, rows->means + g * dims, own);
    for (int64_t s = 0; s <= last; s++) {
        const double *other = bounds->w + s * dims;
        double square = 0;
#pragma omp simd reduction(+ : square)
        for (int64_t d = 0; d < dims - 1; d++) square += (own[d] - other[d]) * (own[d] - other[d]);
        bounds->lengths[s] = sqrt(square) * (1 + BEYOND);
        for (int64_t g = 0; g < groups; g++) bounds->shifts[s * groups + g] = now[g] - bounds->at_means[s * groups + g];
    }
}

/* Set margins to those of the last solution, or to a lower bound above `least`. Returns the number of those computed. */
INLINE int64_t bound_margins(const Binary *problem, MarginBounds *bounds, double least) {
    int64_t groups = problem->rows->group_count, computed = 0;
    for (int64_t i = 0; i < problem->count; i++) {
        int64_t since = bounds->since[i];
        double y = problem->y[i], value = bounds->values[i] + bounds->shifts[since * groups + bounds->groups[i]];
        double margin = y * value - bounds->radii[i] * bounds->lengths[since] - BEYOND * fabs(value);
        problem->margins[i] = margin;
        bounds->unclear[computed] = (int32_t)i, computed += !(margin > least); /* without a branch */
    }
    for (int64_t at = 0; at < computed && !is_stopped(); at++) {
        int32_t i = bounds->unclear[at];
        double value = dot_row(problem->rows, problem->numbers[i], problem->w);
        bounds->values[i] = value, bounds->since[i] = (uint8_t)(bounds->count - 1);
        problem->margins[i] = problem->y[i] * value;
    }
    return computed;
}

#endif
