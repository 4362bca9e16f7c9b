/* Sequential minimal optimisation (SMO) with second-order working-set selection: Fan, Chen, Lin, "Working set selection
using second order information for training support vector machines", JMLR 2005, as in libsvm.

It minimises a box-constrained quadratic,

    ½ β'(K + κ11' + diag e) β − y'β,   0 ≤ y_i β_i ≤ U_i,

the dual of a linear SVM with signs y (hinge: U = C, e = 0; squared hinge: U = ∞, e = 1/2C; the bias is in κ). The first
row of a working set violates its optimality condition most; the second one is that with which the objective decreases
most. The two-variable problem is solved exactly.

Two steps are taken before the gradient is updated, one from each half of the blocks of rows, since the update is bound by
memory: the second step allows for the first one. The gradient is float32; β, its bounds and the two-variable problem are
float64. The caller recomputes the gradient from accurate products. */

#ifndef OFFSHELF_SMO_H
#define OFFSHELF_SMO_H

#include <math.h>

#include "native.h"

enum { SMO_SCRATCH = 3, BLOCK = 256, HALVES = 2 };
static const float TINY = 1e-7f;

/* The problem above on some rows. */
typedef struct {
    int64_t rows;
    const float *K;
    double kappa;
    const float *e;
    const double *upper;
    const float *y;
} BoxQP;

typedef struct {
    double lower, upper;
} Bounds;

INLINE float at_least(float value, float least) { return value > least ? value : least; }

/* 1 / x to within one percent: an estimate from the bits, and one step of Newton's method. */
INLINE float inverse(float x) {
    union {
        float value;
        int32_t bits;
    } guess = {x};
    guess.bits = 0x7EF311C7 - guess.bits;
    return guess.value * (2 - x * guess.value);
}

/* The bounds of a change of β: lower ≤ 0 ≤ upper. */
INLINE Bounds bounds_of_change(float y, double upper, double beta) {
    double low = y > 0 ? 0 : -upper, high = y > 0 ? upper : 0;
    return (Bounds){smaller(low - beta, 0), larger(high - beta, 0)};
}

/* The arrays that the loops over all rows read: the gradient, the diagonal of K + diag e, the factor that turns a gradient
into a violation, and the feasible direction of β: 1 up, -1 down, 0 both, NaN neither. */
typedef struct {
    float *gradient, *curvature, *slope, *direction;
} SmoState;

INLINE float direction_of(BoxQP qp, int64_t row, double beta) {
    Bounds change = bounds_of_change(qp.y[row], qp.upper[row], beta);
    if (change.upper > 0) return change.lower < 0 ? 0 : 1;
    return change.lower < 0 ? -1 : NAN;
}

/* The largest score so far, the block of rows that it is in, the scores of that block, and a buffer for the next block. */
typedef struct {
    float score, *scores, *next;
    int64_t block;
    float buffers[2][BLOCK];
} BlockMax;

INLINE void reset(BlockMax *top) { top->score = 0, top->scores = top->buffers[0], top->next = top->buffers[1]; }

INLINE int64_t end_of(int64_t block, int64_t rows) { return block + BLOCK < rows ? block + BLOCK : rows; }

/* Keep the block in `next` if its largest score exceeds the largest so far. */
INLINE void offer(BlockMax *top, float score, int64_t block) {
    if (!(score > top->score)) return;
    float *spare = top->scores;
    top->scores = top->next, top->next = spare;
    top->score = score, top->block = block;
}

/* Return the row of the largest score, -1 if that is 0. */
INLINE int64_t argmax(const BlockMax *top, int64_t rows) {
    const float *scores = top->scores, score = top->score;
    int32_t count = (int32_t)(end_of(top->block, rows) - top->block), back = 0;
    if (!(score > 0)) return -1;
#pragma omp simd reduction(max : back)
    for (int32_t t = 0; t < count; t++) {
        int32_t found = scores[t] == score ? count - t : 0;
        back = found > back ? found : back;
    }
    return top->block + count - back;
}

/* The changes of β that the gradient does not contain yet: their rows of K, and their sizes. */
typedef struct {
    int count;
    const float *row[2 * HALVES];
    float by[2 * HALVES];
    double total;
} PendingUpdate;

/* Update the gradient. `violators` receives the maximal KKT violator of each half of the blocks, -1 if there is none. */
INLINE void update_gradient(int64_t rows, SmoState state, const PendingUpdate *pending, float k, int64_t *violators) {
    const float *a = pending->row[0], *b = pending->row[1], *c = pending->row[2], *d = pending->row[3];
    float by_a = pending->by[0], by_b = pending->by[1], by_c = pending->by[2], by_d = pending->by[3];
    float common = k * (float)pending->total;
    BlockMax best[HALVES];
    for (int half = 0; half < HALVES; half++) reset(best + half);
    for (int64_t block = 0, half = 0; block < rows; block += BLOCK, half = (half + 1) % HALVES) {
        int64_t stop = end_of(block, rows);
        float top = 0, *scores = best[half].next;
#pragma omp simd reduction(max : top)
        for (int64_t t = block; t < stop; t++) {
            float first = by_a * a[t] + by_b * b[t], second = by_c * c[t] + by_d * d[t];
            float moved = state.gradient[t] + (first + second + common);
            float violation = state.direction[t] * moved <= 0 ? fabsf(moved) * state.slope[t] : 0;
            state.gradient[t] = moved;
            scores[t - block] = violation;
            top = violation > top ? violation : top;
        }
        offer(best + half, top, block);
    }
    for (int half = 0; half < HALVES; half++) violators[half] = argmax(best + half, rows);
}

/* Select the second row of a working set: that with the largest decrease of the objective, bounds aside, to within one
percent. Returns -1 if no row decreases it. */
INLINE int64_t select_second(int64_t rows, int64_t i, SmoState state, const float *row, float k) {
    float g = state.gradient[i], q = state.curvature[i];
    BlockMax best;
    reset(&best);
    for (int64_t block = 0; block < rows; block += BLOCK) {
        int64_t stop = end_of(block, rows);
        float top = 0, *scores = best.next;
#pragma omp simd reduction(max : top)
        for (int64_t t = block; t < stop; t++) {
            float r = row[t], c = state.curvature[t], h = state.gradient[t], common = k * (g - h);
            float determinant = q * c - r * r + k * (q + c - 2 * r);
            float gain = g * (c * g - 2 * r * h) + q * h * h + common * (g - h);
            float change = r * g - q * h + common;
            float twice = at_least(gain * inverse(at_least(determinant, TINY)), 0);
            twice = state.direction[t] * change >= 0 ? twice : 0;
            scores[t - block] = twice;
            top = twice > top ? twice : top;
        }
        offer(&best, top, block);
    }
    return argmax(&best, rows);
}

/* Primal minus dual objective: a sum over the rows, of which no term is negative.

Hinge: α·yg + U·max(0, −yg), with α = yβ. Squared hinge: α(yf − 1) + ξ²/2e + eα²/2, with ξ = max(0, 1 − yf). */
INLINE double duality_gap_of(BoxQP qp, const double *beta, const float *gradient) {
    double total = 0;
#pragma omp simd reduction(+ : total)
    for (int64_t i = 0; i < qp.rows; i++) {
        double alpha = qp.y[i] * beta[i], yg = qp.y[i] * gradient[i], e = qp.e[i];
        double margin = yg - e * alpha, slack = larger(-margin, 0);
        double hinge = alpha * yg + qp.upper[i] * larger(-yg, 0);
        double squared = alpha * margin + slack * slack / (2 * e) + e * alpha * alpha / 2;
        double either = e > 0 ? squared : hinge;
        total += qp.upper[i] > 0 ? either : 0;
    }
    return total;
}

typedef struct {
    double i, j;
} Changes;

/* Minimise g'd + ½ d'Qd over two bounded changes: the unconstrained optimum if it is feasible, else the best on an edge. */
INLINE Changes solve_two(double gi, double gj, double qi, double qj, double qij, Bounds bounds_i, Bounds bounds_j) {
    double determinant = qi * qj - qij * qij;
    if (determinant > 1e-12 * qi * qj) {
        double i = (qij * gj - qj * gi) / determinant, j = (qij * gi - qi * gj) / determinant;
        if (bounds_i.lower <= i && i <= bounds_i.upper && bounds_j.lower <= j && j <= bounds_j.upper)
            return (Changes){i, j};
    }
    const double sides_i[] = {bounds_i.lower, bounds_i.upper, 0}, sides_j[] = {bounds_j.lower, bounds_j.upper, 0};
    Changes best = {0, 0};
    double least = 0;
    for (int side = 0; side < 6; side++) {
        double i, j;
        if (side < 3) {
            i = sides_i[side], j = smaller(larger(-(gj + qij * i) / qj, bounds_j.lower), bounds_j.upper);
        } else {
            j = sides_j[side - 3], i = smaller(larger(-(gi + qij * j) / qi, bounds_i.lower), bounds_i.upper);
        }
        double value = gi * i + gj * j + (qi * i * i + qj * j * j) / 2 + qij * i * j;
        if (value < least) least = value, best = (Changes){i, j};
    }
    return best;
}

/* The gradient of a row, pending changes included. */
INLINE double gradient_of(int64_t row, SmoState state, const PendingUpdate *pending, double kappa) {
    double sum = state.gradient[row] + kappa * pending->total;
    for (int each = 0; each < pending->count; each++) sum += pending->by[each] * (double)pending->row[each][row];
    return sum;
}

/* Take one SMO step from row i. The gradients of the other rows are left to `update_gradient`. */
INLINE void take_step(BoxQP qp, SmoState state, double *beta, int64_t i, PendingUpdate *pending) {
    const float *row_i = qp.K + i * qp.rows;
    state.direction[i] = NAN; /* not its own second row */
    int64_t j = select_second(qp.rows, i, state, row_i, (float)qp.kappa);
    if (j < 0) j = i ? 0 : qp.rows - 1;
    Changes changes =
        solve_two(gradient_of(i, state, pending, qp.kappa), gradient_of(j, state, pending, qp.kappa),
                  state.curvature[i] + qp.kappa, state.curvature[j] + qp.kappa, row_i[j] + qp.kappa,
                  bounds_of_change(qp.y[i], qp.upper[i], beta[i]), bounds_of_change(qp.y[j], qp.upper[j], beta[j]));
    for (int side = 0; side < 2; side++) {
        int64_t row = side ? j : i;
        double by = side ? changes.j : changes.i;
        beta[row] += by;
        state.gradient[row] += (float)(qp.e[row] * by);
        state.direction[row] = direction_of(qp, row, beta[row]);
        if (by == 0) continue;
        pending->row[pending->count] = qp.K + row * qp.rows;
        pending->by[pending->count++] = (float)by;
        pending->total += by;
    }
}

/* Improve β and its gradient, (K + κ11' + diag e)β − y, in place until the gap is at most `target`.

Bounds are float64: with rounded bounds, a row at its bound would be moved off it here and back by the caller, for ever.
Rows with upper bound 0 keep their β. `scratch` holds SMO_SCRATCH floats per row. Returns the number of steps, at most
`most` + 1. */
INLINE int64_t smo_iterate(BoxQP qp, double *beta, float *gradient, double target, int64_t most, float *scratch) {
    int64_t rows = qp.rows, check = rows / 4 + 8 < 64 ? rows / 4 + 8 : 64, step = 0, next_check = 0;
    SmoState state = {gradient, scratch, scratch + rows, scratch + 2 * rows};
    const PendingUpdate none = {0, {qp.K, qp.K, qp.K, qp.K}, {0}, 0};
    float k = (float)qp.kappa;
    for (int64_t row = 0; row < rows; row++) {
        state.curvature[row] = at_least(qp.K[row * rows + row] + qp.e[row], TINY);
        state.slope[row] = 1 / sqrtf(state.curvature[row] + k);
        state.direction[row] = direction_of(qp, row, beta[row]);
    }
    int64_t violators[HALVES];
    update_gradient(rows, state, &none, k, violators);
    while (step < most) {
        if (step >= next_check) {
            if (is_stopped() || duality_gap_of(qp, beta, gradient) <= target) return step;
            next_check = step + check;
        }
        PendingUpdate pending = none;
        for (int half = 0; half < HALVES; half++) {
            if (violators[half] < 0) continue;
            take_step(qp, state, beta, violators[half], &pending);
            step++;
        }
        if (!pending.count) return step;
        update_gradient(rows, state, &pending, k, violators);
    }
    return step;
}

#endif
