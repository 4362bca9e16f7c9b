#include <stdlib.h>

#include "pairs.h"

enum { TOGETHER = 4 };

/* Some rows of a matrix of `width` columns, and the same columns, side by side; a few rows at a time, since what each waits
for is memory. */
void gather(int64_t width, const float *matrix, int64_t count, const int64_t *rows, float *out) {
    for (int64_t i = 0; i < count; i += TOGETHER) {
        const float *from[TOGETHER];
        float *to[TOGETHER];
        for (int64_t each = 0; each < TOGETHER; each++) {
            int64_t at = i + each < count ? i + each : count - 1;
            from[each] = matrix + rows[at] * width, to[each] = out + at * count;
        }
        for (int64_t j = 0; j < count; j++)
            for (int64_t each = 0; each < TOGETHER; each++) to[each][j] = from[each][rows[j]];
    }
}

/* K x, for a symmetric K and an x of which few are not 0: their rows of K alone are read, a few at a time. */
void multiply_sparse(int64_t rows, const float *K, const float *x, float *out) {
    for (int64_t block = 0; block < rows; block += BLOCK) {
        int64_t stop = end_of(block, rows);
        for (int64_t t = block; t < stop; t++) out[t] = 0;
        for (int64_t next = 0; next < rows;) {
            const float *row[TOGETHER] = {K, K, K, K};
            float by[TOGETHER] = {0};
            for (int found = 0; found < TOGETHER && next < rows; next++)
                if (x[next] != 0) row[found] = K + next * rows, by[found++] = x[next];
            const float *a = row[0], *b = row[1], *c = row[2], *d = row[3];
#pragma omp simd
            for (int64_t t = block; t < stop; t++)
                out[t] += by[0] * a[t] + by[1] * b[t] + (by[2] * c[t] + by[3] * d[t]);
        }
    }
}

/* See descend_in; -1 where memory is short. */
int64_t descend(int64_t rows, const float *K, double kappa, const float *e, const double *upper, const float *y,
                double *beta, float *gradient, double target, int64_t most) {
    float *scratch = malloc(SCRATCH * rows * sizeof(float));
    if (!scratch) return -1;
    Box box = {rows, K, kappa, e, upper, y};
    int64_t steps = descend_in(box, beta, gradient, target, most, scratch);
    free(scratch);
    return steps;
}

/* See complementarity_of. */
double complementarity(int64_t rows, const float *e, const double *upper, const float *y, const double *beta,
                      const float *gradient) {
    Box box = {rows, 0, 0, e, upper, y};
    return complementarity_of(box, beta, gradient);
}
