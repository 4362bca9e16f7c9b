/* The solution on working sets, each corrected by the margins of all rows; `path_binary.py` describes the method. */

#ifndef OFFSHELF_FINISH_H
#define OFFSHELF_FINISH_H

#include "gram_set.h"

/* Choose the next working set, and solve for it. Returns 0 if there is none, or no memory. */
INLINE int solve_next_set(Path *path, double tol, int64_t size, int is_fresh) {
    if (is_fresh)
        choose_rows(path, size);
    else if (!choose_again(path, size))
        return 0;
    return solve_set(path, tol);
}

/* Finish on working sets. w and the margins are those to start from, `gap` is theirs; returns the gap of the best w. */
INLINE double finish(Path *path, double tol, double gap) {
    const Binary *problem = &path->problem;
    int64_t size = size_of_set(problem), bytes = problem->dims * sizeof(double);
    int64_t most_below = smaller_of(problem->dims, GRAM_ROWS); /* rows below the margin, to solve by products */
    double best = gap, before = DBL_MAX;
    int is_fresh = 1;
    memcpy(path->best_w, problem->w, bytes);
    if (gap > POOR && gap < DBL_MAX && !choose_few(path, most_below)) {
        size = size_of_poor_set(problem);
        int is_sampled = problem->count > ALL[problem->rows->is_squared];
        if (is_sampled && !guess(path, problem->count < 2 * size ? problem->count : size)) return best;
    }
    memcpy(path->start_w, problem->w, bytes);
    for (int round = 0; round < ROUNDS && !is_stopped(); round++) {
        int are_few = choose_few(path, most_below), is_lost;
        if (are_few && solve_set_in_gram(path, tol) > tol) most_below = -1;
        if (!are_few && !solve_next_set(path, tol, size, is_fresh)) break;
        gap = certify(problem, tol);
        if (gap < best) best = gap, memcpy(path->best_w, problem->w, bytes);
        if (best <= tol) break;
        if (!are_few && (gap > SLOW * before || gap > LOST)) {
            size *= GROWTH;
            if (most_below > 0) most_below = GRAM_ROWS;
        }
        is_lost = gap > LOST && size < GROWTH * problem->count;
        if (is_lost) {
            memcpy(problem->w, path->start_w, bytes);
            compute_margins(problem);
        }
        is_fresh = is_lost || are_few;
        before = gap;
    }
    memcpy(problem->w, path->best_w, bytes);
    return best;
}

#endif
