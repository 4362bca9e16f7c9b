#include <stdlib.h>

#include "pairs.h"

/* Some rows of a matrix of `width` columns, and the same columns, side by side. */
void gather(int64_t width, const float *matrix, int64_t count, const int64_t *rows, float *out) {
    for (int64_t i = 0; i < count; i++)
        for (int64_t j = 0; j < count; j++) out[i * count + j] = matrix[rows[i] * width + rows[j]];
}

/* See descend_in; -1 where memory is short. */
FOR_EACH_PROCESSOR int64_t descend(int64_t rows, const float *K, double kappa, const float *e,
                                            const double *upper, const float *y, double *beta, float *gradient,
                                            double target, int64_t max_steps) {
    float *scratch = malloc(SCRATCH * rows * sizeof(float));
    if (!scratch) return -1;
    Box box = {rows, K, kappa, e, upper, y};
    int64_t steps = descend_in(box, beta, gradient, target, max_steps, scratch);
    free(scratch);
    return steps;
}

/* See complementarity_of. */
double complementarity(int64_t rows, const float *e, const double *upper, const float *y, const double *beta,
                                const float *gradient) {
    Box box = {rows, 0, 0, e, upper, y};
    return complementarity_of(box, beta, gradient);
}
