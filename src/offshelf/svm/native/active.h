/* Primal-dual active set: a guess of which rows are at a bound, solved for the others, tells which of them were guessed
wrong (Hintermüller, Ito, Kunisch, SIAM J. Optim. 2003). Once none is, the solution is exact. Pairs of classes get there
in a few rounds; where it fails (rows that depend on each other, or rounds that come back) greedy pairs go on. */

#ifndef OFFSHELF_ACTIVE_H
#define OFFSHELF_ACTIVE_H

#include <string.h>

#include "native.h"

enum { LANES = VECTOR / sizeof(double), SIDES = 2, MOST_ROUNDS = 12, MOST_FREE = 256 };
static const double SINGULAR = 1e-9; /* a pivot of a smaller share of the diagonal is no more than rounding */
static const double NEGLIGIBLE = 1e-12;
typedef double Lanes __attribute__((vector_size(VECTOR), aligned(sizeof(double)), may_alias));
typedef double Sides __attribute__((vector_size(SIDES * sizeof(double)), aligned(sizeof(double)), may_alias));

/* A pair of classes at one C, in one variant: the same as Box, in float64, with what its certificate needs; and the
memory for its solution. Rows that fill up a vector have an upper bound of 0. */
typedef struct {
    int64_t rows; /* a multiple of LANES */
    const double *K;
    double kappa; /* 0 with a free bias */
    double share; /* s², with a free bias that is penalised all the same */
    int is_free, is_squared;
    const double *y, *caps, *e, *upper;
    double *beta, *margins;   /* (K + κ11')β, from `multiply` */
    double *trial, *product;  /* the same, of a guess */
    double *is_inside, *is_full; /* the guess: 1 for rows between their bounds, and for those at the upper one, else 0 */
    double *columns, *scaled, *solved;
    int64_t *inside;
} Pair;

INLINE int64_t whole_lanes(int64_t size) { return (size + LANES - 1) / LANES * LANES; }

/* (K + κ11') β. */
INLINE void multiply(const Pair *pair, const double *beta, double *out) {
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

/* Take what the columns before a block have to do with it off its columns. */
INLINE void reduce(int64_t block, int64_t padded, double *columns, double *scaled) {
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

/* L D L' of a symmetric matrix, column by column, its lower half in place: L times D, and 1/D on the diagonal. Rows below
it, up to `padded`, become L⁻¹ times what they were, the first half of a solution. There is memory for whole blocks of
columns. 0 where the matrix is singular. */
INLINE int factorise(int64_t size, int64_t padded, double *columns, const double *diagonal, double *scaled) {
    for (int64_t block = 0; block < size; block += LANES) {
        reduce(block, padded, columns, scaled);
        for (int64_t j = block; j < block + LANES && j < size; j++) {
            double *column = columns + j * padded;
            if (!(column[j] > SINGULAR * diagonal[j])) return 0;
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

/* The second half, L' x = D⁻¹ of the rows below: for both of them, side by side. */
INLINE void substitute(int64_t size, int64_t padded, const double *columns, double *solved) {
    for (int64_t j = 0; j < size; j++)
        for (int64_t side = 0; side < SIDES; side++) solved[j * SIDES + side] = columns[j * padded + size + side];
    for (int64_t j = size - 1; j >= 0; j--) {
        Sides x = *(Sides *)(solved + j * SIDES) * columns[j * padded + j];
        *(Sides *)(solved + j * SIDES) = x;
        for (int64_t i = 0; i < j; i++) *(Sides *)(solved + i * SIDES) -= columns[i * padded + j] * x;
    }
}

/* Which rows are at a bound, by β and its gradient. With no β yet: those that would be if all of them were. */
INLINE void guess(const Pair *pair, double offset) {
    double size = 0;
    for (int64_t i = 0; i < pair->rows; i++) size += pair->y[i] * pair->beta[i];
    const double *alpha = pair->beta, *margins = pair->margins;
    if (size == 0) {
        for (int64_t i = 0; i < pair->rows; i++)
            pair->trial[i] = pair->is_squared ? 0 : pair->y[i] * pair->upper[i];
        if (!pair->is_squared) multiply(pair, pair->trial, pair->product), margins = pair->product;
        alpha = pair->trial, offset = 0;
    }
#pragma omp simd
    for (int64_t i = 0; i < pair->rows; i++) {
        double y = pair->y[i], upper = pair->upper[i], a = y * alpha[i];
        double slope = y * (margins[i] + offset) - 1 + pair->e[i] * a;
        double is_empty = (upper > 0) & ((a > 0) | (slope < 0)) ? 0 : 1;
        double is_full = (a >= upper) & (slope <= 0) ? 1 : 0;
        pair->is_full[i] = is_full * (1 - is_empty);
        pair->is_inside[i] = (1 - is_full) * (1 - is_empty);
    }
}

/* A trial β, and b, at which the rows inside have a margin of 1, the others at their bounds; 0 where there is none. */
INLINE int solve_inside(const Pair *pair, double *offset) {
    int64_t size = 0;
    double total = 0;
#pragma omp simd reduction(+ : total)
    for (int64_t i = 0; i < pair->rows; i++) {
        pair->trial[i] = pair->is_full[i] * (pair->y[i] * pair->upper[i]);
        total += pair->trial[i];
    }
    for (int64_t i = 0; i < pair->rows; i++) pair->inside[size] = i, size += (int64_t)pair->is_inside[i];
    if (!size || size > MOST_FREE) return 0;
    multiply(pair, pair->trial, pair->product);
    int64_t padded = whole_lanes(size + SIDES);
    for (int64_t a = size; a < padded; a++) pair->inside[a] = 0;
    double *diagonal = pair->solved;
    for (int64_t a = 0; a < size; a++) {
        int64_t row = pair->inside[a];
        const double *from = pair->K + row * pair->rows;
        double *column = pair->columns + a * padded;
        for (int64_t start = a - a % LANES; start < padded; start += LANES)
#pragma omp simd
            for (int64_t b = start; b < start + LANES; b++) column[b] = from[pair->inside[b]] + pair->kappa;
        diagonal[a] = column[a] += pair->e[row];
        column[size] = pair->y[row] - pair->product[row];
        column[size + 1] = 1;
    }
    if (!factorise(size, padded, pair->columns, diagonal, pair->scaled)) return 0;
    substitute(size, padded, pair->columns, pair->solved);
    *offset = 0;
    if (pair->is_free) {
        double ones = 0;
        for (int64_t a = 0; a < size; a++) total += pair->solved[a * SIDES], ones += pair->solved[a * SIDES + 1];
        *offset = total / ones;
    }
    for (int64_t a = 0; a < size; a++)
        pair->trial[pair->inside[a]] = pair->solved[a * SIDES] - *offset * pair->solved[a * SIDES + 1];
    return 1;
}

/* Correct the guess by what was solved. Returns whether there was anything to correct. */
INLINE int correct(const Pair *pair, double offset) {
    double wrong = 0;
#pragma omp simd reduction(+ : wrong)
    for (int64_t i = 0; i < pair->rows; i++) {
        double y = pair->y[i], upper = pair->upper[i], alpha = y * pair->trial[i];
        double slope = y * (pair->product[i] + offset) - 1 + pair->e[i] * alpha;
        double was_inside = pair->is_inside[i], was_full = pair->is_full[i];
        double leaves = (was_full > 0 ? slope > NEGLIGIBLE : slope < -NEGLIGIBLE) & (upper > 0) ? 1 : 0;
        double is_full = was_inside > 0 ? (alpha > upper ? 1 : 0) : was_full * (1 - leaves);
        double is_inside = was_inside > 0 ? ((alpha < 0) | (alpha > upper) ? 0 : 1) : leaves;
        wrong += is_inside != was_inside ? 1 : 0;
        pair->is_full[i] = is_full;
        pair->is_inside[i] = is_inside;
    }
    return wrong > 0;
}

/* Solve exactly, β, its margins and b in place. Returns whether it succeeded; else nothing changes. */
INLINE int settle(const Pair *pair, double *offset) {
    guess(pair, *offset);
    for (int round = 0; round < MOST_ROUNDS; round++) {
        double trial_offset;
        if (!solve_inside(pair, &trial_offset)) return 0;
        multiply(pair, pair->trial, pair->product);
        if (correct(pair, trial_offset)) continue;
        memcpy(pair->beta, pair->trial, pair->rows * sizeof *pair->beta);
        memcpy(pair->margins, pair->product, pair->rows * sizeof *pair->margins);
        *offset = trial_offset;
        return 1;
    }
    return 0;
}

#endif
