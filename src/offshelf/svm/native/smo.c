/* Exported functions around sequential minimal optimisation. Its loop is `smo_iterate` in smo.h, so that ovo.c can inline it. */
#include <stdlib.h>

#include "smo.h"

enum { ROWS_AT_A_TIME = 4 };

/* Copy the submatrix of some rows, and the same columns, of a matrix of `width` columns. Several rows are copied at a time,
since each of them waits for memory. */
void gather_submatrix(int64_t width, const float *matrix, int64_t count, const int64_t *rows, float *out) {
    for (int64_t i = 0; i < count; i += ROWS_AT_A_TIME) {
        const float *from[ROWS_AT_A_TIME];
        float *to[ROWS_AT_A_TIME];
        for (int64_t each = 0; each < ROWS_AT_A_TIME; each++) {
            int64_t at = i + each < count ? i + each : count - 1;
            from[each] = matrix + rows[at] * width, to[each] = out + at * count;
        }
        for (int64_t j = 0; j < count; j++)
            for (int64_t each = 0; each < ROWS_AT_A_TIME; each++) to[each][j] = from[each][rows[j]];
    }
}

/* K x for a symmetric K and a sparse x. Only the rows of K of non-zero entries are read, several at a time. */
void multiply_sparse(int64_t rows, const float *K, const float *x, float *out) {
    for (int64_t block = 0; block < rows; block += BLOCK) {
        int64_t stop = end_of(block, rows);
        for (int64_t t = block; t < stop; t++) out[t] = 0;
        for (int64_t next = 0; next < rows;) {
            const float *row[ROWS_AT_A_TIME] = {K, K, K, K};
            float by[ROWS_AT_A_TIME] = {0};
            for (int found = 0; found < ROWS_AT_A_TIME && next < rows; next++)
                if (x[next] != 0) row[found] = K + next * rows, by[found++] = x[next];
            const float *a = row[0], *b = row[1], *c = row[2], *d = row[3];
#pragma omp simd
            for (int64_t t = block; t < stop; t++)
                out[t] += by[0] * a[t] + by[1] * b[t] + (by[2] * c[t] + by[3] * d[t]);
        }
    }
}

/* Call `smo_iterate`. Returns -1 if memory cannot be allocated. */
int64_t smo_solve(int64_t rows, const float *K, double kappa, const float *e, const double *upper, const float *y,
                  double *beta, float *gradient, double target, int64_t most) {
    float *scratch = malloc(SMO_SCRATCH * rows * sizeof(float));
    if (!scratch) return -1;
    BoxQP qp = {rows, K, kappa, e, upper, y};
    int64_t steps = smo_iterate(qp, beta, gradient, target, most, scratch);
    free(scratch);
    return steps;
}

/* Call `duality_gap_of`. */
double duality_gap(int64_t rows, const float *e, const double *upper, const float *y, const double *beta,
                   const float *gradient) {
    BoxQP qp = {rows, 0, 0, e, upper, y};
    return duality_gap_of(qp, beta, gradient);
}
