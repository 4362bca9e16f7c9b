/* What the solver asks of all training rows, in two passes over them. */

#include "binary.h"

/* Compute squared lengths, the mean, the means of groups, products with the mean and distances from the mean of the own group:
[R], [D], [G, D], [R] and [R]. Groups without rows have the mean 0. */
void describe_rows(int64_t count, int64_t dims, const void *source, int64_t is_double, int64_t group_count,
                   const int32_t *groups, double *squares, double *mean, double *means, double *along, double *radii) {
    Rows rows = {.dims = dims, .source = source, .is_double = is_double};
    double *sizes = along; /* its memory is free until the second pass; there are no more groups than rows */
    memset(sizes, 0, group_count * sizeof(double));
    memset(means, 0, group_count * dims * sizeof(double));
    memset(mean, 0, dims * sizeof(double));
    for (int64_t i = 0; i < count && !is_stopped(); i++) {
        double *sum = means + groups[i] * dims, square = 0;
        int64_t at = i * dims, d = 0;
        Lanes squared = {0};
        for (; d + LANES <= dims; d += LANES) {
            Lanes values = values_at(&rows, at + d);
            *(Lanes *)(sum + d) += values, squared += values * values;
        }
        for (int lane = 0; lane < LANES; lane++) square += squared[lane];
        for (; d < dims; d++) {
            double value = value_at(&rows, at + d);
            sum[d] += value, square += value * value;
        }
        squares[i] = square, sizes[groups[i]]++;
    }
    for (int64_t g = 0; g < group_count; g++)
        for (int64_t d = 0; d < dims; d++) {
            mean[d] += means[g * dims + d] / (double)count;
            means[g * dims + d] /= larger(sizes[g], 1);
        }
    for (int64_t i = 0; i < count && !is_stopped(); i++) {
        const double *own = means + groups[i] * dims;
        int64_t at = i * dims, d = 0;
        double total = 0, square = 0;
        Lanes products = {0}, squared = {0};
        for (; d + LANES <= dims; d += LANES) {
            Lanes values = values_at(&rows, at + d), difference = values - *(const Lanes *)(own + d);
            products += values * *(const Lanes *)(mean + d), squared += difference * difference;
        }
        for (int lane = 0; lane < LANES; lane++) total += products[lane], square += squared[lane];
        for (; d < dims; d++) {
            double value = value_at(&rows, at + d), difference = value - own[d];
            total += value * mean[d], square += difference * difference;
        }
        along[i] = total, radii[i] = sqrt(square);
    }
}
