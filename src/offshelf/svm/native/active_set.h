/* Primal-dual active-set method: Hintermüller, Ito, Kunisch, "The primal-dual active set strategy as a semismooth Newton
method", SIAM J. Optim. 2003. A prediction of which rows are at a bound, solved for the free rows, shows which rows were
predicted wrongly. Once there are none, the solution is exact. Pairs of classes take a few rounds; where it fails
(linearly dependent rows, or cycling), SMO continues. */

#ifndef OFFSHELF_ACTIVE_SET_H
#define OFFSHELF_ACTIVE_SET_H

#include <string.h>

#include "doubles.h"

enum { SIDES = 2, MAX_ACTIVE_SET_ROUNDS = 12, MAX_FREE_ROWS = 256 };
static const double SINGULAR = 1e-9; /* a pivot below this share of the diagonal is rounding error */
static const double NEGLIGIBLE = 1e-12;
typedef double Sides __attribute__((vector_size(SIDES * sizeof(double)), aligned(sizeof(double)), may_alias));

/* The problem of a pair of classes at one C, in one variant: BoxQP in float64 with the weights of its certificate, and
workspace. Padding rows have an upper bound of 0. */
typedef struct {
    int64_t rows; /* a multiple of LANES */
    const double *K;
    double kappa;      /* 0 with a free bias */
    double bias_share; /* s² of a penalised bias that is treated as free; infinite without a penalty */
    int has_free_bias, is_squared;
    const double *y, *caps, *e, *upper;
    double *beta, *margins;        /* (K + κ11')β, from `multiply` */
    double *trial, *product;       /* the same of a prediction */
    double *is_free, *is_at_upper; /* the prediction, 1 or 0: between its bounds, at the upper one */
    double *columns, *scaled, *solved;
    int64_t *free_rows;
} PairQP;

INLINE int64_t round_up(int64_t size) { return (size + LANES - 1) / LANES * LANES; }

/* Compute (K + κ11') β. */
INLINE void multiply(const PairQP *pair, const double *beta, double *out) {
    double total = 0;
#pragma omp simd reduction(+ : total)
    for (int64_t i = 0; i < pair->rows; i++) total += beta[i];
    for (int64_t start = 0; start < pair->rows; start += LANES) {
        const double *column = pair->K + start;
        Lanes even = {0}, odd = {0};
        for (int64_t j = 0; j < pair->rows; j += 2, column += 2 * pair->rows) {
            even += *(const Lanes *)column * beta[j];
            odd += *(const Lanes *)(column + pair->rows) * beta[j + 1];
        }
        *(Lanes *)(out + start) = even + odd + pair->kappa * total;
    }
}

/* Subtract from a block of columns its products with the columns before it. */
INLINE void eliminate(int64_t block, int64_t padded, double *columns, double *scaled) {
    for (int64_t k = 0; k < block; k++) {
        const double *column = columns + k * padded;
        *(Lanes *)(scaled + k * LANES) = *(const Lanes *)(column + block) * column[k];
    }
    for (int64_t start = block; start < padded; start += LANES) {
        Lanes sums[LANES];
        for (int m = 0; m < LANES; m++) sums[m] = *(const Lanes *)(columns + (block + m) * padded + start);
        for (int64_t k = 0; k < block; k++) {
            Lanes other = *(const Lanes *)(columns + k * padded + start);
            for (int m = 0; m < LANES; m++) sums[m] -= other * scaled[k * LANES + m];
        }
        for (int m = 0; m < LANES; m++) *(Lanes *)(columns + (block + m) * padded + start) = sums[m];
    }
}

/* Factorise a symmetric matrix as L D L', column by column, its lower half in place: L times D, with 1/D on the diagonal.
Right-hand sides, stored as rows below the matrix up to `padded`, are multiplied by L⁻¹: the forward substitution. Memory
for whole blocks of columns is needed. Returns 0 if a pivot is below the share `least` of its diagonal: the matrix is singular. */
INLINE int factorise(int64_t size, int64_t padded, double *columns, const double *diagonal, double *scaled,
                     double least) {
    for (int64_t block = 0; block < size; block += LANES) {
        if (is_stopped()) return 0;
        eliminate(block, padded, columns, scaled);
        for (int64_t j = block; j < block + LANES && j < size; j++) {
            double *column = columns + j * padded;
            if (!(column[j] > least * diagonal[j])) return 0;
            double inverse = 1 / column[j];
            for (int64_t start = block; start < padded; start += LANES) {
                Lanes own = *(const Lanes *)(column + start) * inverse;
                for (int64_t m = j + 1; m < block + LANES; m++)
                    *(Lanes *)(columns + m * padded + start) -= own * column[m];
            }
            column[j] = inverse;
        }
    }
    return 1;
}

/* Backward substitution, L' x = D⁻¹ b, for both right-hand sides at once. */
INLINE void substitute(int64_t size, int64_t padded, const double *columns, double *solved) {
    for (int64_t j = 0; j < size; j++)
        for (int64_t side = 0; side < SIDES; side++) solved[j * SIDES + side] = columns[j * padded + size + side];
    for (int64_t j = size - 1; j >= 0; j--) {
        Sides x = *(Sides *)(solved + j * SIDES) * columns[j * padded + j];
        *(Sides *)(solved + j * SIDES) = x;
        for (int64_t i = 0; i < j; i++) *(Sides *)(solved + i * SIDES) -= columns[i * padded + j] * x;
    }
}

/* Predict the active set from β and its gradient. For β = 0 with the hinge, from β at its upper bounds. */
INLINE void predict_active_set(const PairQP *pair, double offset) {
    double size = 0;
    for (int64_t i = 0; i < pair->rows; i++) size += pair->y[i] * pair->beta[i];
    const double *alpha = pair->beta, *margins = pair->margins;
    if (size == 0) {
        for (int64_t i = 0; i < pair->rows; i++) pair->trial[i] = pair->is_squared ? 0 : pair->y[i] * pair->upper[i];
        if (!pair->is_squared) multiply(pair, pair->trial, pair->product), margins = pair->product;
        alpha = pair->trial, offset = 0;
    }
#pragma omp simd
    for (int64_t i = 0; i < pair->rows; i++) {
        double y = pair->y[i], upper = pair->upper[i], a = y * alpha[i];
        double slope = y * (margins[i] + offset) - 1 + pair->e[i] * a;
        double is_at_zero = (upper > 0) & ((a > 0) | (slope < 0)) ? 0 : 1;
        double is_at_upper = (a >= upper) & (slope <= 0) ? 1 : 0;
        pair->is_at_upper[i] = is_at_upper * (1 - is_at_zero);
        pair->is_free[i] = (1 - is_at_upper) * (1 - is_at_zero);
    }
}

/* Compute a trial β and b: free rows have a margin of 1, the others are at their bounds. Returns 0 if there is none. */
INLINE int solve_free_rows(const PairQP *pair, double *offset) {
    int64_t size = 0;
    double total = 0;
#pragma omp simd reduction(+ : total)
    for (int64_t i = 0; i < pair->rows; i++) {
        pair->trial[i] = pair->is_at_upper[i] * (pair->y[i] * pair->upper[i]);
        total += pair->trial[i];
    }
    for (int64_t i = 0; i < pair->rows; i++) pair->free_rows[size] = i, size += (int64_t)pair->is_free[i];
    if (!size || size > MAX_FREE_ROWS) return 0;
    multiply(pair, pair->trial, pair->product);
    int64_t padded = round_up(size + SIDES);
    for (int64_t a = size; a < padded; a++) pair->free_rows[a] = 0;
    double *diagonal = pair->solved;
    for (int64_t a = 0; a < size; a++) {
        int64_t row = pair->free_rows[a];
        const double *from = pair->K + row * pair->rows;
        double *column = pair->columns + a * padded;
        for (int64_t start = a - a % LANES; start < padded; start += LANES)
#pragma omp simd
            for (int64_t b = start; b < start + LANES; b++) column[b] = from[pair->free_rows[b]] + pair->kappa;
        diagonal[a] = column[a] += pair->e[row];
        column[size] = pair->y[row] - pair->product[row];
        column[size + 1] = 1;
    }
    if (!factorise(size, padded, pair->columns, diagonal, pair->scaled, SINGULAR)) return 0;
    substitute(size, padded, pair->columns, pair->solved);
    *offset = 0;
    if (pair->has_free_bias) {
        double ones = 0;
        for (int64_t a = 0; a < size; a++) total += pair->solved[a * SIDES], ones += pair->solved[a * SIDES + 1];
        *offset = total / ones;
    }
    for (int64_t a = 0; a < size; a++)
        pair->trial[pair->free_rows[a]] = pair->solved[a * SIDES] - *offset * pair->solved[a * SIDES + 1];
    return 1;
}

/* Update the prediction from the trial solution. Returns whether it changed. */
INLINE int update_active_set(const PairQP *pair, double offset) {
    double wrong = 0;
#pragma omp simd reduction(+ : wrong)
    for (int64_t i = 0; i < pair->rows; i++) {
        double y = pair->y[i], upper = pair->upper[i], alpha = y * pair->trial[i];
        double slope = y * (pair->product[i] + offset) - 1 + pair->e[i] * alpha;
        double was_free = pair->is_free[i], was_at_upper = pair->is_at_upper[i];
        double leaves = (was_at_upper > 0 ? slope > NEGLIGIBLE : slope < -NEGLIGIBLE) & (upper > 0) ? 1 : 0;
        double is_at_upper = was_free > 0 ? (alpha > upper ? 1 : 0) : was_at_upper * (1 - leaves);
        double is_free = was_free > 0 ? ((alpha < 0) | (alpha > upper) ? 0 : 1) : leaves;
        wrong += is_free != was_free ? 1 : 0;
        pair->is_at_upper[i] = is_at_upper;
        pair->is_free[i] = is_free;
    }
    return wrong > 0;
}

/* Solve exactly: β, its margins and b in place. Returns 1 on success; otherwise nothing changes. */
INLINE int active_set_solve(const PairQP *pair, double *offset) {
    predict_active_set(pair, *offset);
    for (int round = 0; round < MAX_ACTIVE_SET_ROUNDS; round++) {
        double trial_offset;
        if (!solve_free_rows(pair, &trial_offset)) return 0;
        multiply(pair, pair->trial, pair->product);
        if (update_active_set(pair, trial_offset)) continue;
        memcpy(pair->beta, pair->trial, pair->rows * sizeof *pair->beta);
        memcpy(pair->margins, pair->product, pair->rows * sizeof *pair->margins);
        *offset = trial_offset;
        return 1;
    }
    return 0;
}

#endif
