/* One binary linear SVM on some of the rows, its certificate, and the best free bias.

The unit of length is σ, the root mean squared length of a centred row. `problem.py` states the mathematics: with signs y and
β = y α, w = Σ β_i x_i. A bias is the last weight, of a column that is constant. */

#ifndef OFFSHELF_BINARY_H
#define OFFSHELF_BINARY_H

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "doubles.h"

/* Training rows, which all problems share. */
typedef struct {
    int64_t dims;
    const void *source; /* [R, D] as given, float64 or float32 */
    int64_t is_double;
    double inverse_scale, bias; /* 1 / σ; the value of the column for the bias, in units of σ */
    const double *diagonal;     /* x·x + bias², with a free bias |x - mean|²: [R] */
    const double *shift;        /* with a free bias x·mean: [R] */
    double mean_square;         /* |mean|² */
    double kappa;               /* with a free bias, the penalty parameter of its constraint */
    int64_t is_free, is_squared;
    int64_t group_count;   /* of groups of rows, such as classes */
    const int32_t *groups; /* [R] */
    const double *means;   /* of the scaled rows of each group, with the column for the bias: [G, D + 1] */
    const double *radii;   /* distance of each scaled row from the mean of its group: [R] */
} Rows;

/* A problem: its rows, all of which have a positive cap C c. */
typedef struct {
    const Rows *rows;
    int64_t count, dims; /* dims counts the bias */
    int64_t *numbers;    /* of the rows */
    double *y, *caps, *alpha, *margins;
    double *w, *pull;        /* [D + 1]: the weights; Σ β x */
    double *values, *shares; /* workspace: [count] */
} Binary;

INLINE int64_t larger_of(int64_t a, int64_t b) { return a > b ? a : b; }
INLINE int64_t smaller_of(int64_t a, int64_t b) { return a < b ? a : b; }

typedef float Halves __attribute__((vector_size(VECTOR / 2), aligned(sizeof(float)), may_alias));

/* Some values of a row. */
INLINE Lanes values_at(const Rows *rows, int64_t at) {
    return rows->is_double ? *(const Lanes *)((const double *)rows->source + at)
                           : __builtin_convertvector(*(const Halves *)((const float *)rows->source + at), Lanes);
}

INLINE double value_at(const Rows *rows, int64_t at) {
    return rows->is_double ? ((const double *)rows->source)[at] : (double)((const float *)rows->source)[at];
}

/* Ones in the last `tail` lanes: the values at the end of a row that fill no vector are read with some before them. */
INLINE Lanes last_lanes(int64_t tail) {
    static const double ONES_AFTER_ZEROS[2 * LANES] = {[LANES... 2 * LANES - 1] = 1};
    return *(const Lanes *)(ONES_AFTER_ZEROS + tail);
}

INLINE double dot_row(const Rows *rows, int64_t number, const double *w) {
    Lanes sums[4] = {{0}, {0}, {0}, {0}};
    int64_t dims = rows->dims, d = 0, at = number * dims;
    for (; d + 4 * LANES <= dims; d += 4 * LANES)
        for (int k = 0; k < 4; k++)
            sums[k] += values_at(rows, at + d + k * LANES) * *(const Lanes *)(w + d + k * LANES);
    for (; d + LANES <= dims; d += LANES) sums[0] += values_at(rows, at + d) * *(const Lanes *)(w + d);
    if (d < dims && dims >= LANES) {
        int64_t last = dims - LANES;
        sums[1] += values_at(rows, at + last) * (*(const Lanes *)(w + last) * last_lanes(dims - d));
        d = dims;
    }
    Lanes sum = (sums[0] + sums[1]) + (sums[2] + sums[3]);
    double total = 0;
    for (int lane = 0; lane < LANES; lane++) total += sum[lane];
    for (; d < dims; d++) total += value_at(rows, at + d) * w[d];
    return total * rows->inverse_scale + rows->bias * w[dims];
}

/* Add a multiple of a row to `out`, [D + 1]. */
INLINE void add_row(const Rows *rows, int64_t number, double factor, double *out) {
    int64_t dims = rows->dims, d = 0, at = number * dims;
    double by = factor * rows->inverse_scale;
    for (; d + LANES <= dims; d += LANES) *(Lanes *)(out + d) += values_at(rows, at + d) * by;
    if (d < dims && dims >= LANES) {
        int64_t last = dims - LANES;
        *(Lanes *)(out + last) += values_at(rows, at + last) * (by * last_lanes(dims - d));
        d = dims;
    }
    for (; d < dims; d++) out[d] += value_at(rows, at + d) * by;
    out[dims] += factor * rows->bias;
}

/* Return the value up to which the shares of the smallest values add up to `wanted`, and the next larger one in `next`. Both
arrays are reordered. */
INLINE double weighted_quantile(int64_t count, double *values, double *shares, double wanted, double *next) {
    int64_t low = 0, high = count - 1;
    double before = 0, slack = 1e-12 * fabs(wanted);
    while (low < high) {
        double a = values[low], b = values[(low + high) / 2], c = values[high];
        double pivot = a < b ? (b < c ? b : larger(a, c)) : (a < c ? a : larger(b, c)), below = 0;
        int64_t i = low, j = high;
        while (i <= j) {
            while (values[i] < pivot) below += shares[i++];
            while (values[j] > pivot) j--;
            if (i > j) break;
            double value = values[i], share = shares[i];
            values[i] = values[j], shares[i] = shares[j], values[j] = value, shares[j] = share;
            below += shares[i++], j--;
        }
        if (before + below >= wanted - slack)
            high = i - 1;
        else
            before += below, low = i;
    }
    *next = DBL_MAX;
    for (int64_t i = low + 1; i < count; i++) *next = smaller(*next, values[i]);
    if (*next == DBL_MAX || before + shares[low] > wanted + slack) *next = values[low];
    return values[low];
}

/* Move a free bias to where the losses are least, and the margins with it. */
INLINE void move_bias(const Binary *problem) {
    double step = 0;
    int64_t count = problem->count;
    const double *y = problem->y, *caps = problem->caps, *margins = problem->margins;
    if (!problem->rows->is_squared) {
        double wanted = 0, next;
        for (int64_t i = 0; i < count; i++) {
            problem->values[i] = y[i] * (1 - margins[i]), problem->shares[i] = caps[i];
            wanted += y[i] > 0 ? caps[i] : 0;
        }
        step = weighted_quantile(count, problem->values, problem->shares, wanted, &next);
        step = (step + next) / 2;
    } else {
        for (int turn = 0; turn < 50; turn++) {
            double slope = 0, curvature = 0;
            for (int64_t i = 0; i < count; i++) {
                double slack = 1 - margins[i] - y[i] * step, cap = slack > 0 ? caps[i] : 0;
                slope += cap * y[i] * slack, curvature += cap;
            }
            if (curvature == 0 || fabs(slope) <= 1e-14 * curvature) break;
            step += slope / curvature;
        }
    }
    problem->w[problem->rows->dims] += step / problem->rows->bias;
    for (int64_t i = 0; i < count; i++) problem->margins[i] += y[i] * step;
}

/* Compute the margins of all rows; a free bias moves to its best value. */
INLINE void compute_margins(const Binary *problem) {
    for (int64_t i = 0; i < problem->count && !is_stopped(); i++)
        problem->margins[i] = problem->y[i] * dot_row(problem->rows, problem->numbers[i], problem->w);
    if (problem->rows->is_free) move_bias(problem);
}

/* With a free bias, scale down the α of the side with the larger sum: Σ y α = 0. */
INLINE void balance_alpha(const Binary *problem) {
    double sums[2] = {0, 0};
    for (int64_t i = 0; i < problem->count; i++) sums[problem->y[i] > 0] += problem->alpha[i];
    double least = smaller(sums[0], sums[1]);
    for (int64_t i = 0; i < problem->count; i++)
        if (problem->alpha[i] > 0) problem->alpha[i] *= least / sums[problem->y[i] > 0];
}

/* Compute Σ y α x. */
INLINE void compute_pull(const Binary *problem) {
    memset(problem->pull, 0, problem->dims * sizeof(double));
    for (int64_t i = 0; i < problem->count && !is_stopped(); i++)
        if (problem->alpha[i] > 0)
            add_row(problem->rows, problem->numbers[i], problem->y[i] * problem->alpha[i], problem->pull);
}

/* The squared length of weights without a free bias. */
INLINE double squared_norm(const Rows *rows, const double *w) {
    double total = rows->is_free ? 0 : w[rows->dims] * w[rows->dims];
    for (int64_t d = 0; d < rows->dims; d++) total += w[d] * w[d];
    return total;
}

/* Return the relative gap of w and α; `pull` and `margins` are theirs. `chosen` becomes the factor of w and the margins with
the least objective: a hard margin that is short of 1 by a rounding error costs C times that error. */
INLINE double least_gap(const Binary *problem, double tol, double *chosen) {
    static const double FACTORS[] = {1, 1 + 1e-7, 1 + 1e-6, 1 + 1e-5, 1 + 3e-5, 1 + 1e-4}, HOPELESS = 0.1;
    int is_squared = (int)problem->rows->is_squared;
    double dual = -squared_norm(problem->rows, problem->pull) / 2, best = DBL_MAX;
    double norm = squared_norm(problem->rows, problem->w);
    *chosen = 1;
    for (int64_t i = 0; i < problem->count; i++) {
        double alpha = problem->alpha[i];
        dual += alpha - (is_squared ? alpha * alpha / (4 * problem->caps[i]) : 0);
    }
    for (size_t number = 0; number < sizeof FACTORS / sizeof *FACTORS; number++) {
        double each = FACTORS[number], primal = each * each * norm / 2;
#pragma omp simd reduction(+ : primal)
        for (int64_t i = 0; i < problem->count; i++) {
            double slack = larger(1 - each * problem->margins[i], 0);
            primal += problem->caps[i] * (is_squared ? slack * slack : slack);
        }
        if (primal < best) best = primal, *chosen = each;
        if (is_squared || best - dual <= tol / 2 * best || best - dual > HOPELESS * best) break;
    }
    double gap = best > 0 ? larger(best - dual, 0) / best : 0;
    return gap >= 0 ? gap : DBL_MAX;
}

/* Multiply w and the margins. */
INLINE void scale_weights(const Binary *problem, double factor) {
    for (int64_t d = 0; d < problem->dims && factor > 1; d++) problem->w[d] *= factor;
    for (int64_t i = 0; i < problem->count && factor > 1; i++) problem->margins[i] *= factor;
}

/* The same gap; w and the margins are multiplied by the factor. */
INLINE double certify(const Binary *problem, double tol) {
    double factor, gap = least_gap(problem, tol, &factor);
    scale_weights(problem, factor);
    return gap;
}

#endif
