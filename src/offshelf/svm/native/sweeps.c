#include "native.h"

INLINE float dot(int64_t dims, const float *a, const float *b) {
    float total = 0;
#pragma omp simd reduction(+ : total)
    for (int64_t d = 0; d < dims; d++) total += a[d] * b[d];
    return total;
}

INLINE void add(int64_t dims, float factor, const float *row, float *out) {
#pragma omp simd
    for (int64_t d = 0; d < dims; d++) out[d] += factor * row[d];
}

/* One step for each undecided row of `order`, in place: β, w, and the totals Σ β and Σ u β.

Rows that are firmly at a bound are marked as decided. What is found: the sum of what rows had to do with the gap before
their own steps, and the steepest slope that moved one. R rows of D dimensions, P problems; arrays are [R, D], [R, P],
[P, D] or [2, P], row by row. */
void sweep(int64_t dims, int64_t problems, const float *rows, const double *shift, double kappa, const double *diagonal,
           const double *signs, const double *upper, const double *e, double *beta, float *weights, double *totals,
           uint8_t *undecided, int64_t visits, const int64_t *order, const double *firm, double *gap,
           double *steepest) {
    for (int64_t visit = 0; visit < visits; visit++) {
        int64_t i = order[visit];
        const float *row = rows + i * dims;
        for (int64_t p = 0; p < problems; p++) {
            int64_t at = i * problems + p;
            if (!undecided[at]) continue;
            float *w = weights + p * dims;
            double *total = totals + p, *shifted = totals + problems + p;
            double value = dot(dims, row, w) + shift[i] * *total + *shifted + kappa * *total;
            double alpha = signs[at] * beta[at], margin = signs[at] * value - 1, slope = margin + e[at] * alpha;
            double lack = larger(-margin, 0);
            if (e[at] > 0)
                gap[p] += alpha * margin + lack * lack / (2 * e[at]) + e[at] * alpha * alpha / 2;
            else
                gap[p] += alpha * slope + upper[at] * lack;
            double next = smaller(larger(alpha - slope / (diagonal[i] + e[at]), 0), upper[at]);
            undecided[at] = !((next <= 0 && slope > firm[p]) || (next >= upper[at] && slope < -firm[p]));
            if (next == alpha) continue;
            steepest[p] = larger(steepest[p], slope < 0 ? -slope : slope);
            double change = signs[at] * (next - alpha);
            beta[at] = signs[at] * next;
            *total += change;
            *shifted += shift[i] * change;
            add(dims, (float)change, row, w);
        }
    }
}
