/* The regularisation path of one binary problem in all its variants; `path_binary.py` describes the method. */

#include "finish.h"

/* Steps of interior points from a poor start, under the hinge and the squared hinge, and from a good one. */
static const double STEPS[] = {60, 20}, WARM_STEPS = 10;
static const double WARM_PASSES = 20;   /* of coordinate descent, from a good start */
static const double MOST_PASSES = 1000; /* of coordinate descent, where interior points take too much memory */

/* Return the gap of coordinate descent from α; α, w and the margins become its solution. It ends early where interior points
are expected to take less time. */
static double approach(Path *path, double tol) {
    const Binary *problem = &path->problem;
    int64_t size = size_of_poor_set(problem), dims = problem->dims;
    double most = cost_of_interior(size, dims, STEPS[problem->rows->is_squared]), gap = DBL_MAX;
    if (size * path->set.width > MOST_VALUES) most = MOST_PASSES * (double)(dims + 16) * (double)problem->count;
    for (double target = 0.7 * tol; target > 1e-3 * tol && gap > tol; target /= 10) {
        int is_short = descend(problem, &path->descent, target, most) > target;
        if (problem->rows->is_free) balance_alpha(problem), compute_pull(problem);
        memcpy(problem->w, problem->pull, dims * sizeof(double));
        compute_margins(problem);
        gap = certify(problem, tol);
        if (is_short) break;
    }
    return gap;
}

/* Take the rows of a variant at one C. Returns whether there are two classes, or a bias that is not free and one. */
static int take_rows(Path *path, int64_t count, const int64_t *numbers, const double *signs, const double *shares,
                     double C) {
    Binary *problem = &path->problem;
    int64_t positive = 0;
    problem->count = 0;
    for (int64_t i = 0; i < count; i++) {
        int64_t at = problem->count;
        if (!(shares[i] > 0)) continue;
        path->positions[at] = i, problem->numbers[at] = numbers[i], problem->y[at] = signs[i];
        problem->caps[at] = C * shares[i];
        positive += signs[i] > 0, problem->count++;
    }
    return problem->count && (!problem->rows->is_free || (positive && positive < problem->count));
}

/* Solve a problem; if `is_warm`, from the whole at this C or the one before. Returns the gap. */
static double solve(Path *path, double tol, int is_warm) {
    Binary *problem = &path->problem;
    double passes = WARM_PASSES * (double)(problem->dims + 16) * (double)problem->count, gap = DBL_MAX;
    for (int64_t i = 0; i < problem->count; i++)
        problem->alpha[i] = is_warm ? path->full_alpha[path->positions[i]] * problem->caps[i] : 0;
    if (!is_warm || cost_of_interior(size_of_set(problem), problem->dims, WARM_STEPS) > passes) {
        gap = approach(path, tol);
        if (gap <= tol) return gap;
    }
    if (is_warm && gap > POOR) {
        gap = DBL_MAX;
        memcpy(problem->w, path->full_w, problem->dims * sizeof(double));
        compute_margins(problem);
    }
    return finish(path, tol, gap);
}

/* Keep α of the whole, as shares of the caps. */
static void keep_alpha(Path *path, int64_t count) {
    const Binary *problem = &path->problem;
    memset(path->full_alpha, 0, count * sizeof(double));
    for (int64_t i = 0; i < problem->count; i++)
        path->full_alpha[path->positions[i]] = problem->alpha[i] / problem->caps[i];
}

/* Solve a problem at all values of C in ascending order, in all variants, the whole last: weights [C, V, D + 1] and gaps
[C, V]. Shares are [V, N]. Returns 0 if memory cannot be allocated. */
int64_t binary_solve_path(int64_t dims, const void *source, int64_t is_double, double inverse_scale, double bias,
                          const double *diagonal, const double *shift, double mean_square, double kappa,
                          int64_t is_free, int64_t is_squared, int64_t count, const int64_t *numbers,
                          const double *signs, int64_t variants, const double *shares, int64_t values, const double *Cs,
                          double tol, double *weights, double *gaps) {
    Rows rows = {dims,  source,      is_double, inverse_scale, bias,      diagonal,
                 shift, mean_square, kappa,     is_free,       is_squared};
    Path path = {0};
    Binary *problem = &path.problem;
    problem->rows = &rows, problem->dims = dims + 1;
    path.set.dims = dims + 1, path.set.width = width_of(dims + 1);
    path.set.is_free = (int)is_free, path.set.is_squared = (int)is_squared;
    if (!allocate(&path, count)) return 0;
    for (int64_t c = 0; c < values; c++)
        for (int64_t turn = 0; turn < variants && !is_stopped(); turn++) {
            int64_t variant = turn ? turn - 1 : variants - 1, out = c * variants + variant;
            double gap = 0;
            if (take_rows(&path, count, numbers, signs, shares + variant * count, Cs[c])) {
                gap = solve(&path, tol, c || turn);
                if (!turn) keep_alpha(&path, count);
            } else {
                memset(problem->w, 0, problem->dims * sizeof(double));
                if (problem->count) problem->w[dims] = problem->y[0] / bias;
            }
            if (!turn) memcpy(path.full_w, problem->w, problem->dims * sizeof(double));
            memcpy(weights + out * problem->dims, problem->w, problem->dims * sizeof(double));
            gaps[out] = gap;
            count_solved();
        }
    free(path.memory), free(path.set_memory);
    return 1;
}
