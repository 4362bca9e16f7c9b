/* A pair of classes in the matrix of its products: SMO in float32 and active sets in float64, in turns, until the gap is small.
`ovo.py` describes the method. */

#ifndef OFFSHELF_PAIR_H
#define OFFSHELF_PAIR_H

#include <float.h>
#include <stdlib.h>

#include "active_set.h"
#include "smo.h"

enum {
    PAIR_ROUNDS = 60,
    PAIR_STEPS = 50
}; /* most refreshes of the gradient, and most SMO steps per row between them */
enum { PAIR_PATIENCE = 4 }; /* rounds without progress at a gap within the tolerance, after which the search ends */
static const double HOPELESS_GAP = 0.1; /* above this gap, rescaling w does not help */
/* Factors of w among which the best primal point is chosen. `problem.py` has the same: see `ovo_primal_scales`. */
static const double PRIMAL_SCALES[] = {1, 1 + 1e-6, 1 + 1e-5, 1 + 3e-5, 1 + 1e-4, 1 + 3e-4, 1 + 1e-3};

/* The workspace of one thread. */
typedef struct {
    double *K, *y, *caps, *e, *upper, *full, *best;
    float *single_K, *single_y, *single_e, *gradient, *scratch;
    int64_t *numbers; /* of the rows */
    int64_t most_smo; /* runs of SMO that are left, after which the search ends */
    void *memory;
} PairSpace;

typedef struct {
    double gap, scale, factor;
} Certificate;

/* Compute the relative gap, the scale of the objectives, and the factor of w with the least primal objective. */
INLINE Certificate certify_pair(const PairQP *pair, double offset, double tol) {
    double quadratic = 0, linear = 0, squares = 0;
#pragma omp simd reduction(+ : quadratic, linear, squares)
    for (int64_t i = 0; i < pair->rows; i++) {
        quadratic += pair->beta[i] * pair->margins[i];
        linear += pair->y[i] * pair->beta[i];
        squares += pair->e[i] * pair->beta[i] * pair->beta[i];
    }
    double dual = linear - quadratic / 2 - squares / 2, best = DBL_MAX, factor = 1;
    double norm = quadratic + (pair->bias_share > 0 ? offset * offset / pair->bias_share : 0);
    for (size_t number = 0; number < sizeof PRIMAL_SCALES / sizeof *PRIMAL_SCALES; number++) {
        double each = PRIMAL_SCALES[number], primal = each * each * norm / 2;
#pragma omp simd reduction(+ : primal)
        for (int64_t i = 0; i < pair->rows; i++) {
            double slack = larger(1 - each * pair->y[i] * (pair->margins[i] + offset), 0);
            primal += pair->caps[i] * (pair->is_squared ? slack * slack : slack);
        }
        if (primal < best) best = primal, factor = each;
        if (pair->is_squared || best - dual <= tol * best || best - dual > HOPELESS_GAP * best) break;
    }
    double gap = best > 0 ? larger(best - dual, 0) / best : 0;
    return (Certificate){gap, larger(dual, best / 4), factor};
}

/* Scale down the larger of the positive and the negative sum: Σ β = 0. */
INLINE void balance_pair(int64_t rows, double *beta) {
    double positive = 0, negative = 0;
    for (int64_t i = 0; i < rows; i++) positive += larger(beta[i], 0), negative += larger(-beta[i], 0);
    double least = smaller(positive, negative);
    for (int64_t i = 0; i < rows; i++)
        if (beta[i] != 0) beta[i] *= least / (beta[i] > 0 ? positive : negative);
}

/* Improve β and b by SMO in float32. */
INLINE void improve_by_smo(const PairQP *pair, double multiplier, double target, double *offset,
                           const PairSpace *space) {
    double before = 0, after = 0;
    for (int64_t i = 0; i < pair->rows * pair->rows; i++) space->single_K[i] = (float)pair->K[i];
    for (int64_t i = 0; i < pair->rows; i++) {
        space->single_e[i] = (float)pair->e[i];
        space->single_y[i] = (float)pair->y[i];
        space->gradient[i] = (float)(pair->margins[i] + *offset - pair->y[i] + pair->e[i] * pair->beta[i]);
        before += pair->beta[i];
    }
    BoxQP qp = {pair->rows, space->single_K, multiplier, space->single_e, pair->upper, space->single_y};
    smo_iterate(qp, pair->beta, space->gradient, target, PAIR_STEPS * pair->rows + 100, space->scratch);
    if (!pair->has_free_bias) return;
    for (int64_t i = 0; i < pair->rows; i++) after += pair->beta[i];
    *offset += multiplier * (after - before);
    balance_pair(pair->rows, pair->beta);
}

/* Solve at one C, β and b in place. The best round counts: with linearly dependent rows, a round may increase the gap. */
OUTLINE Certificate solve_pair(const PairQP *pair, double tol, double target_gap, double multiplier, double *offset,
                               PairSpace *space) {
    Certificate best = {DBL_MAX, 1, 1};
    double offset_of_best = *offset;
    int is_solved = 0, stuck = 0;
    multiply(pair, pair->beta, pair->margins);
    for (int round = 0; round < PAIR_ROUNDS && !is_stopped(); round++) {
        Certificate found = certify_pair(pair, *offset, tol);
        stuck += found.gap <= tol && found.gap > best.gap / 2;
        if (!round || found.gap < best.gap) {
            best = found, offset_of_best = *offset;
            memcpy(space->best, pair->beta, pair->rows * sizeof(double));
        }
        if (found.gap <= target_gap || stuck == PAIR_PATIENCE) break;
        is_solved = !is_solved && active_set_solve(pair, offset);
        if (is_solved) continue;
        if (space->most_smo-- <= 0) break;
        improve_by_smo(pair, multiplier, target_gap * found.scale / 2, offset, space);
        multiply(pair, pair->beta, pair->margins);
    }
    memcpy(pair->beta, space->best, pair->rows * sizeof(double));
    *offset = offset_of_best;
    return best;
}

/* Allocate workspace for pairs of at most `rows` rows. Returns 0 if there is no memory. */
INLINE int allocate_pair(int64_t rows, PairQP *pair, PairSpace *space) {
    int64_t most = round_up((rows < MAX_FREE_ROWS ? rows : MAX_FREE_ROWS) + SIDES);
    double **doubles[] = {&space->y,    &space->caps,   &space->e,      &space->upper,
                          &space->full, &space->best,   &pair->beta,    &pair->margins,
                          &pair->trial, &pair->product, &pair->is_free, &pair->is_at_upper};
    float **singles[] = {&space->single_y, &space->single_e, &space->gradient};
    int64_t arrays = sizeof doubles / sizeof *doubles, small = sizeof singles / sizeof *singles + SMO_SCRATCH;
    int64_t bytes = 8 * (rows * rows + most * most + (SIDES + LANES) * most + arrays * rows + 2 * rows + LANES);
    double *next = space->memory = malloc(bytes + 4 * (rows * rows + small * rows));
    if (!next) return 0;
    space->most_smo = INT64_MAX;
    space->K = next, next += rows * rows;
    pair->columns = next, next += most * most;
    pair->scaled = next, next += LANES * most;
    pair->solved = next, next += SIDES * most;
    for (int64_t each = 0; each < arrays; each++) *doubles[each] = next, next += rows;
    space->numbers = (int64_t *)next, next += rows;
    pair->free_rows = (int64_t *)next, next += rows + LANES;
    float *single = (float *)next;
    space->single_K = single, single += rows * rows;
    for (size_t each = 0; each < sizeof singles / sizeof *singles; each++) *singles[each] = single, single += rows;
    space->scratch = single, single += SMO_SCRATCH * rows;
    pair->K = space->K, pair->y = space->y, pair->caps = space->caps, pair->e = space->e, pair->upper = space->upper;
    return 1;
}

#endif
