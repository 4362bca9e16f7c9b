/* A working set solved in the matrix of its products, by the method for pairs of classes. Where classes can be told apart few rows
are support vectors, and these few decide everything: interior points, which take all rows of the set for undecided at first,
then make no progress where coordinates descend too slowly. */

#ifndef OFFSHELF_GRAM_SET_H
#define OFFSHELF_GRAM_SET_H

#include "pair.h"
#include "working_set.h"

static const double MULTIPLIER = 1e3; /* the penalty parameter of a free bias, in units of max(1, 1/U) */

/* Choose a working set to solve so: the rows nearest to the margin, and all below it. Returns 0 if more than `most` are below. */
INLINE int choose_few(Path *path, int64_t most) {
    const Binary *problem = &path->problem;
    int64_t count = 0, below = 0;
    for (int64_t i = 0; i < problem->count; i++) below += problem->margins[i] < 1;
    if (below > most) return 0;
    choose_rows(path, larger_of(GRAM_ROWS, 3 * below / 2));
    for (int64_t i = 0; i < problem->count; i++) {
        path->is_in[i] |= problem->margins[i] < 1;
        count += path->is_in[i];
    }
    memset(path->is_upper, 0, (size_t)larger_of(problem->count, 0));
    return count <= GRAM_MOST;
}

/* Centre the rows, which changes nothing under the constraint of a free bias. */
INLINE void centre(const Interior *set, const double *y, double *mean) {
    int64_t width = set->width;
    memset(mean, 0, width * sizeof(double));
    for (int64_t i = 0; i < set->count; i++) add(width, y[i] / (double)set->count, set->X + i * width, mean);
    for (int64_t i = 0; i < set->count; i++) {
        add(width, -y[i], mean, set->X + i * width);
        set->X[i * width + set->dims - 1] = 0;
    }
}

/* Compute the products of the rows of the working set, and what else its problem consists of. */
INLINE void state_pair(const Path *path, PairQP *pair, const PairSpace *space) {
    const Binary *problem = &path->problem;
    const Interior *set = &path->set;
    int64_t at = 0;
    for (int64_t i = 0; i < problem->count; i++)
        if (path->is_in[i]) {
            space->y[at] = problem->y[i], space->caps[at] = problem->caps[i];
            pair->beta[at++] = problem->y[i] * problem->alpha[i];
        }
    for (; at < pair->rows; at++) space->y[at] = 1, space->caps[at] = 0, pair->beta[at] = 0;
    if (set->is_free) centre(set, space->y, set->right);
    memset(space->K, 0, pair->rows * pair->rows * sizeof(double));
    for (int64_t i = 0; i < set->count && !is_stopped(); i++)
        for (int64_t j = 0; j <= i; j++) {
            double product = dot(set->width, set->X + i * set->width, set->X + j * set->width);
            space->K[i * pair->rows + j] = space->K[j * pair->rows + i] = space->y[i] * space->y[j] * product;
        }
    for (int64_t i = 0; i < pair->rows; i++) {
        double cap = space->caps[i];
        space->upper[i] = set->is_squared && cap > 0 ? 1e30 : cap;
        space->e[i] = set->is_squared && cap > 0 ? 0.5 / cap : 0;
    }
}

/* Solve for a working set from α: w, α, margins and the pull. Returns its gap; without memory a large one. */
INLINE double solve_set_in_gram(Path *path, double tol) {
    const Binary *problem = &path->problem;
    const Interior *set = &path->set;
    PairQP pair = {.has_free_bias = set->is_free, .is_squared = set->is_squared};
    PairSpace space;
    double offset = 0, cap = DBL_MAX;
    if (!gather_set(path, problem->pull)) return DBL_MAX;
    pair.rows = round_up(set->count);
    if (!allocate_pair(pair.rows, &pair, &space)) return DBL_MAX;
    state_pair(path, &pair, &space);
    for (int64_t i = 0; i < set->count; i++) cap = smaller(cap, space.caps[i]);
    if (set->is_free) balance_pair(pair.rows, pair.beta);
    double multiplier = set->is_free ? MULTIPLIER * larger(1, 1 / cap) : 0;
    double gap = solve_pair(&pair, AIM * tol, AIM * tol, multiplier, &offset, &space).gap;
    int64_t at = 0;
    for (int64_t i = 0; i < problem->count; i++)
        problem->alpha[i] = path->is_in[i] ? larger(problem->y[i] * pair.beta[at++], 0) : 0;
    free(space.memory);
    if (set->is_free) balance_alpha(problem);
    compute_pull(problem);
    memcpy(problem->w, problem->pull, problem->dims * sizeof(double));
    compute_margins(problem);
    return gap;
}

#endif
