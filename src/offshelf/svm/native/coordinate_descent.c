/* Dual coordinate descent: Hsieh, Chang, Lin, Keerthi, Sundararajan, "A dual coordinate descent method for large-scale
linear SVM", ICML 2008, algorithms 1 and 3, as in liblinear. */

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

/* One pass over `order`: update each active row in place, with w and the totals Σ β and Σ u β.

Rows that are at a bound, with a projected gradient beyond the shrinking threshold, become inactive. `gap` receives the sum
of the rows' terms of the duality gap before their updates, `max_violation` the largest gradient of an updated row. R rows
of D dimensions, P problems; arrays are [R, D], [R, P], [P, D] or [2, P] in C's order. */
void coordinate_descent_pass(int64_t dims, int64_t problems, const float *rows, const double *shift, double kappa,
                             const double *diagonal, const double *signs, const double *upper, const double *e,
                             double *beta, float *weights, double *totals, uint8_t *active, int64_t visits,
                             const int64_t *order, const double *threshold, double *gap, double *max_violation) {
    for (int64_t visit = 0; visit < visits && !is_stopped(); visit++) {
        int64_t i = order[visit];
        const float *row = rows + i * dims;
        for (int64_t p = 0; p < problems; p++) {
            int64_t at = i * problems + p;
            if (!active[at]) continue;
            float *w = weights + p * dims;
            double *total = totals + p, *shifted = totals + problems + p;
            double value = dot(dims, row, w) + shift[i] * *total + *shifted + kappa * *total;
            double alpha = signs[at] * beta[at], margin = signs[at] * value - 1, gradient = margin + e[at] * alpha;
            double slack = larger(-margin, 0);
            if (e[at] > 0)
                gap[p] += alpha * margin + slack * slack / (2 * e[at]) + e[at] * alpha * alpha / 2;
            else
                gap[p] += alpha * gradient + upper[at] * slack;
            double next = smaller(larger(alpha - gradient / (diagonal[i] + e[at]), 0), upper[at]);
            active[at] = !((next <= 0 && gradient > threshold[p]) || (next >= upper[at] && gradient < -threshold[p]));
            if (next == alpha) continue;
            max_violation[p] = larger(max_violation[p], gradient < 0 ? -gradient : gradient);
            double change = signs[at] * (next - alpha);
            beta[at] = signs[at] * next;
            *total += change;
            *shifted += shift[i] * change;
            add(dims, (float)change, row, w);
        }
    }
}
