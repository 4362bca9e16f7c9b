/* Greedy pairs: the inner loop of the dual solver.

It minimises a quadratic over a box,

    ½ β'(K + κ11' + diag e) β − y'β,   0 ≤ y_i β_i ≤ U_i,

the dual of a linear SVM with signs y (hinge: U = C, e = 0; squared hinge: U = ∞, e = 1/2C; the bias is in κ). Each
step takes the row that violates its optimality most and the partner with which it gains most, as libsvm does (Fan,
Chen, Lin, JMLR 2005, working set selection 2), and solves for the two exactly. Of many rows, two steps are taken before
the gradient follows, one from each half of them, since what they wait for is memory: the second is solved with what the
first does to it. The gradient is kept in float32, β, its bounds and the two-variable problem in float64; who calls
refreshes the gradient from accurate products. */

#ifndef OFFSHELF_PAIRS_H
#define OFFSHELF_PAIRS_H

#include <math.h>

#include "native.h"

enum { SCRATCH = 3, BLOCK = 256, PAIRS = 2 };
static const float TINY = 1e-7f;

/* min ½ β'(K + κ11' + diag e) β − y'β over 0 ≤ y_i β_i ≤ U_i, of so many rows. */
typedef struct {
    int64_t rows;
    const float *K;
    double kappa;
    const float *e;
    const double *upper;
    const float *y;
} Box;

typedef struct {
    double low, high;
} Room;

INLINE float at_least(float value, float least) { return value > least ? value : least; }

/* 1 / x to a percent: a guess from the bits, and a step of Newton's method. */
INLINE float inverse(float x) {
    union {
        float value;
        int32_t bits;
    } guess = {x};
    guess.bits = 0x7EF311C7 - guess.bits;
    return guess.value * (2 - x * guess.value);
}

/* How far β may move down (at most 0) and up (at least 0). */
INLINE Room room(float y, double upper, double beta) {
    double low = y > 0 ? 0 : -upper, high = y > 0 ? upper : 0;
    return (Room){smaller(low - beta, 0), larger(high - beta, 0)};
}

/* What the loops over all rows read: the gradient, the diagonal of K + diag e, the slope by which the gradient is judged,
and which way β may move: 1 up, -1 down, 0 both, NaN neither. */
typedef struct {
    float *gradient, *curvature, *slope, *way;
} State;

INLINE float way(Box box, int64_t row, double beta) {
    Room free = room(box.y[row], box.upper[row], beta);
    if (free.high > 0) return free.low < 0 ? 0 : 1;
    return free.low < 0 ? -1 : NAN;
}

/* The largest score so far and the block of rows that it is in, with their scores; and room for those of the next. */
typedef struct {
    float score, *scores, *next;
    int64_t block;
    float room[2][BLOCK];
} Top;

INLINE void begin(Top *top) { top->score = 0, top->scores = top->room[0], top->next = top->room[1]; }

INLINE int64_t end_of(int64_t block, int64_t rows) { return block + BLOCK < rows ? block + BLOCK : rows; }

/* The block in `next` is kept if its largest score is larger. */
INLINE void keep(Top *top, float score, int64_t block) {
    if (!(score > top->score)) return;
    float *spare = top->scores;
    top->scores = top->next, top->next = spare;
    top->score = score, top->block = block;
}

/* The row of the largest score, -1 if it is 0. */
INLINE int64_t place(const Top *top, int64_t rows) {
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

/* What the gradient has still to follow: the rows of K whose β has changed, and by how much. */
typedef struct {
    int count;
    const float *row[2 * PAIRS];
    float by[2 * PAIRS];
    double total;
} Pending;

/* Let the gradient follow. `worst`: of each half of the blocks, the row that violates its optimality most then, -1 if none
does. */
INLINE void follow(int64_t rows, State state, const Pending *pending, float k, int64_t *worst) {
    const float *a = pending->row[0], *b = pending->row[1], *c = pending->row[2], *d = pending->row[3];
    float by_a = pending->by[0], by_b = pending->by[1], by_c = pending->by[2], by_d = pending->by[3];
    float common = k * (float)pending->total;
    Top best[PAIRS];
    for (int half = 0; half < PAIRS; half++) begin(best + half);
    for (int64_t block = 0, half = 0; block < rows; block += BLOCK, half = (half + 1) % PAIRS) {
        int64_t stop = end_of(block, rows);
        float top = 0, *scores = best[half].next;
#pragma omp simd reduction(max : top)
        for (int64_t t = block; t < stop; t++) {
            float first = by_a * a[t] + by_b * b[t], second = by_c * c[t] + by_d * d[t];
            float moved = state.gradient[t] + (first + second + common);
            float violation = state.way[t] * moved <= 0 ? fabsf(moved) * state.slope[t] : 0;
            state.gradient[t] = moved;
            scores[t - block] = violation;
            top = violation > top ? violation : top;
        }
        keep(best + half, top, block);
    }
    for (int half = 0; half < PAIRS; half++) worst[half] = place(best + half, rows);
}

/* The row with which to move row i, by twice the decrease that both give without bounds, to a percent; -1 if none gives
any. */
INLINE int64_t partner(int64_t rows, int64_t i, State state, const float *row, float k) {
    float g = state.gradient[i], q = state.curvature[i];
    Top best;
    begin(&best);
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
            twice = state.way[t] * change >= 0 ? twice : 0;
            scores[t - block] = twice;
            top = twice > top ? twice : top;
        }
        keep(&best, top, block);
    }
    return place(&best, rows);
}

/* Primal minus dual objective, a sum of what each row contributes, none of it negative.

Hinge: α·yg + U·max(0, −yg), with α = yβ. Squared hinge: α(yf − 1) + ξ²/2e + eα²/2, with ξ = max(0, 1 − yf). */
INLINE double complementarity_of(Box box, const double *beta, const float *gradient) {
    double total = 0;
#pragma omp simd reduction(+ : total)
    for (int64_t i = 0; i < box.rows; i++) {
        double alpha = box.y[i] * beta[i], yg = box.y[i] * gradient[i], e = box.e[i];
        double margin = yg - e * alpha, slack = larger(-margin, 0);
        double hinge = alpha * yg + box.upper[i] * larger(-yg, 0);
        double squared = alpha * margin + slack * slack / (2 * e) + e * alpha * alpha / 2;
        double either = e > 0 ? squared : hinge;
        total += box.upper[i] > 0 ? either : 0;
    }
    return total;
}

typedef struct {
    double i, j;
} Changes;

/* The two changes that minimise g'd + ½ d'Qd in a box: inside it, or best on one of its sides. */
INLINE Changes pair(double gi, double gj, double qi, double qj, double qij, Room room_i, Room room_j) {
    double determinant = qi * qj - qij * qij;
    if (determinant > 1e-12 * qi * qj) {
        double i = (qij * gj - qj * gi) / determinant, j = (qij * gi - qi * gj) / determinant;
        if (room_i.low <= i && i <= room_i.high && room_j.low <= j && j <= room_j.high) return (Changes){i, j};
    }
    const double sides_i[] = {room_i.low, room_i.high, 0}, sides_j[] = {room_j.low, room_j.high, 0};
    Changes best = {0, 0};
    double least = 0;
    for (int side = 0; side < 6; side++) {
        double i, j;
        if (side < 3) {
            i = sides_i[side], j = smaller(larger(-(gj + qij * i) / qj, room_j.low), room_j.high);
        } else {
            j = sides_j[side - 3], i = smaller(larger(-(gi + qij * j) / qi, room_i.low), room_i.high);
        }
        double value = gi * i + gj * j + (qi * i * i + qj * j * j) / 2 + qij * i * j;
        if (value < least) least = value, best = (Changes){i, j};
    }
    return best;
}

/* The gradient of a row, with what it has still to follow. */
INLINE double gradient_of(int64_t row, State state, const Pending *pending, double kappa) {
    double sum = state.gradient[row] + kappa * pending->total;
    for (int each = 0; each < pending->count; each++) sum += pending->by[each] * (double)pending->row[each][row];
    return sum;
}

/* Change row i, and the one with which it gains most; the gradients of others are to follow. */
INLINE void step_from(Box box, State state, double *beta, int64_t i, Pending *pending) {
    const float *row_i = box.K + i * box.rows;
    state.way[i] = NAN; /* no partner of itself */
    int64_t j = partner(box.rows, i, state, row_i, (float)box.kappa);
    if (j < 0) j = i ? 0 : box.rows - 1;
    Changes changes = pair(gradient_of(i, state, pending, box.kappa), gradient_of(j, state, pending, box.kappa),
                           state.curvature[i] + box.kappa, state.curvature[j] + box.kappa, row_i[j] + box.kappa,
                           room(box.y[i], box.upper[i], beta[i]), room(box.y[j], box.upper[j], beta[j]));
    for (int side = 0; side < 2; side++) {
        int64_t row = side ? j : i;
        double by = side ? changes.j : changes.i;
        beta[row] += by;
        state.gradient[row] += (float)(box.e[row] * by);
        state.way[row] = way(box, row, beta[row]);
        if (by == 0) continue;
        pending->row[pending->count] = box.K + row * box.rows;
        pending->by[pending->count++] = (float)by;
        pending->total += by;
    }
}

/* Improve β in place until the gap is at most `target`; the gradient, (K + κ11' + diag e)β − y, goes with it.

Bounds are float64: with rounded ones, rows at theirs would be moved off it here and back by the caller, for ever. Rows
with upper bound 0 stay where they are. Needs room for SCRATCH floats a row. Returns the steps taken, of which there may
be one more than `most`. */
INLINE int64_t descend_in(Box box, double *beta, float *gradient, double target, int64_t most, float *scratch) {
    int64_t rows = box.rows, check = rows / 4 + 8 < 64 ? rows / 4 + 8 : 64, step = 0, next_check = 0;
    State state = {gradient, scratch, scratch + rows, scratch + 2 * rows};
    const Pending none = {0, {box.K, box.K, box.K, box.K}, {0}, 0};
    float k = (float)box.kappa;
    for (int64_t row = 0; row < rows; row++) {
        state.curvature[row] = at_least(box.K[row * rows + row] + box.e[row], TINY);
        state.slope[row] = 1 / sqrtf(state.curvature[row] + k);
        state.way[row] = way(box, row, beta[row]);
    }
    int64_t worst[PAIRS];
    follow(rows, state, &none, k, worst);
    while (step < most) {
        if (step >= next_check) {
            if (complementarity_of(box, beta, gradient) <= target) return step;
            next_check = step + check;
        }
        Pending pending = none;
        for (int half = 0; half < PAIRS; half++) {
            if (worst[half] < 0) continue;
            step_from(box, state, beta, worst[half], &pending);
            step++;
        }
        if (!pending.count) return step;
        follow(rows, state, &pending, k, worst);
    }
    return step;
}

#endif
