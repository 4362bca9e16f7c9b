/* Greedy pairs: the inner loop of the dual solver.

It minimises a quadratic over a box,

    ½ β'(K + κ11' + diag e) β − y'β,   0 ≤ y_i β_i ≤ U_i,

the dual of a linear SVM with signs y (hinge: U = C, e = 0; squared hinge: U = ∞, e = 1/2C; the bias is in κ). Each
step takes the row that violates its optimality most and the partner with which it gains most, as libsvm does (Fan,
Chen, Lin, JMLR 2005, working set selection 2), and solves for the two exactly. The gradient is kept in float32, β, its
bounds and the two-variable problem in float64; who calls refreshes the gradient from accurate products. */

#ifndef OFFSHELF_PAIRS_H
#define OFFSHELF_PAIRS_H

#include <math.h>

#include "native.h"

enum { SCRATCH = 4, BLOCK = 256 };
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

/* How far β may move down (at most 0) and up (at least 0). */
INLINE Room room(float y, double upper, double beta) {
    double low = y > 0 ? 0 : -upper, high = y > 0 ? upper : 0;
    return (Room){smaller(low - beta, 0), larger(high - beta, 0)};
}

/* Whether β may move up and down, each as the slope by which its gradient is judged, or 0. */
INLINE void allow(Box box, int64_t row, double beta, float curvature, float *rise, float *fall) {
    Room free = room(box.y[row], box.upper[row], beta);
    float slope = 1 / sqrtf(curvature + (float)box.kappa);
    rise[row] = free.high > 0 ? slope : 0;
    fall[row] = free.low < 0 ? slope : 0;
}

/* The largest score so far, and the block that it is in. */
typedef struct {
    float score;
    int64_t block;
} Top;

INLINE int64_t end_of(int64_t block, int64_t rows) { return block + BLOCK < rows ? block + BLOCK : rows; }

INLINE Top higher(Top top, float score, int64_t block) { return score > top.score ? (Top){score, block} : top; }

/* The row of the largest score, -1 if it is 0. */
INLINE int64_t place(Top top, const float *score, int64_t rows) {
    int64_t stop = end_of(top.block, rows);
    int32_t found = 0;
    if (!(top.score > 0)) return -1;
#pragma omp simd reduction(max : found)
    for (int64_t t = top.block; t < stop; t++) {
        int32_t back = score[t] == top.score ? (int32_t)(stop - t) : 0;
        found = back > found ? back : found;
    }
    return stop - found;
}

/* Change two rows. Returns the row that violates its optimality most then, -1 if none does. */
INLINE int64_t move(int64_t rows, float *gradient, const float *row_i, const float *row_j, float change_i, float change_j,
                    float common, const float *rise, const float *fall, float *score) {
    Top best = {0, 0};
    for (int64_t block = 0; block < rows; block += BLOCK) {
        int64_t stop = end_of(block, rows);
        float top = 0;
#pragma omp simd reduction(max : top)
        for (int64_t t = block; t < stop; t++) {
            float moved = gradient[t] + (change_i * row_i[t] + change_j * row_j[t] + common);
            float up = -moved * rise[t], down = moved * fall[t];
            float violation = up > down ? up : down;
            gradient[t] = moved;
            score[t] = violation;
            top = violation > top ? violation : top;
        }
        best = higher(best, top, block);
    }
    return place(best, score, rows);
}

/* The row with which to move row i, by twice the decrease that both give without bounds; -1 if none gives any. */
INLINE int64_t partner(int64_t rows, int64_t i, const float *row, const float *curvature, const float *gradient, float k,
                       const float *rise, const float *fall, float *score) {
    float g = gradient[i], q = curvature[i];
    Top best = {0, 0};
    for (int64_t block = 0; block < rows; block += BLOCK) {
        int64_t stop = end_of(block, rows);
        float top = 0;
#pragma omp simd reduction(max : top)
        for (int64_t t = block; t < stop; t++) {
            float r = row[t], c = curvature[t], h = gradient[t], common = k * (g - h);
            float determinant = q * c - r * r + k * (q + c - 2 * r);
            float gain = g * (c * g - 2 * r * h) + q * h * h + common * (g - h);
            float can = r * g - q * h + common < 0 ? fall[t] : rise[t];
            float value = gain / (determinant > TINY ? determinant : TINY);
            value = can > 0 && value > 0 && t != i ? value : 0;
            score[t] = value;
            top = value > top ? value : top;
        }
        best = higher(best, top, block);
    }
    return place(best, score, rows);
}

/* Primal minus dual objective, a sum of what each row contributes, none of it negative.

Hinge: α·yg + U·max(0, −yg), with α = yβ. Squared hinge: α(yf − 1) + ξ²/2e + eα²/2, with ξ = max(0, 1 − yf). */
INLINE double complementarity_of(Box box, const double *beta, const float *gradient) {
    double total = 0;
    for (int64_t i = 0; i < box.rows; i++) {
        if (!(box.upper[i] > 0)) continue;
        double alpha = box.y[i] * beta[i], yg = box.y[i] * gradient[i], e = box.e[i];
        if (e > 0) {
            double margin = yg - e * alpha, slack = larger(-margin, 0);
            total += alpha * margin + slack * slack / (2 * e) + e * alpha * alpha / 2;
        } else {
            total += alpha * yg + box.upper[i] * larger(-yg, 0);
        }
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

/* Improve β in place until the gap is at most `target`; the gradient, (K + κ11' + diag e)β − y, goes with it.

Bounds are float64: with rounded ones, rows at theirs would be moved off it here and back by the caller, for ever. Rows
with upper bound 0 stay where they are. Needs room for 4 floats a row. Returns the steps taken. */
INLINE int64_t descend_in(Box box, double *beta, float *gradient, double target, int64_t max_steps, float *scratch) {
    int64_t rows = box.rows, check = rows / 4 + 8 < 64 ? rows / 4 + 8 : 64;
    float *curvature = scratch, *rise = curvature + rows, *fall = rise + rows, *score = fall + rows;
    float k = (float)box.kappa;
    for (int64_t row = 0; row < rows; row++) {
        float diagonal = box.K[row * rows + row] + box.e[row];
        curvature[row] = diagonal > TINY ? diagonal : TINY;
        allow(box, row, beta[row], curvature[row], rise, fall);
    }
    int64_t i = move(rows, gradient, box.K, box.K, 0, 0, 0, rise, fall, score);
    for (int64_t step = 0; step < max_steps; step++) {
        if (i < 0 || (step % check == 0 && complementarity_of(box, beta, gradient) <= target)) return step;
        const float *row_i = box.K + i * rows;
        int64_t j = partner(rows, i, row_i, curvature, gradient, k, rise, fall, score);
        if (j < 0) j = i ? 0 : rows - 1;
        const float *row_j = box.K + j * rows;
        Changes changes = pair(gradient[i], gradient[j], curvature[i] + box.kappa, curvature[j] + box.kappa,
                               row_i[j] + box.kappa, room(box.y[i], box.upper[i], beta[i]),
                               room(box.y[j], box.upper[j], beta[j]));
        if (changes.i == 0 && changes.j == 0) return step;
        for (int side = 0; side < 2; side++) {
            int64_t row = side ? j : i;
            double change = side ? changes.j : changes.i;
            beta[row] += change;
            gradient[row] += (float)(box.e[row] * change);
            allow(box, row, beta[row], curvature[row], rise, fall);
        }
        i = move(rows, gradient, row_i, row_j, (float)changes.i, (float)changes.j,
                 (float)(box.kappa * (changes.i + changes.j)), rise, fall, score);
    }
    return max_steps;
}

#endif
