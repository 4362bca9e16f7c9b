/* The regularisation path of one binary problem in all its variants; `path_binary.py` describes the method. */

#include "working_set.h"

static const double BUDGET = 0.1; /* what coordinate descent may cost, in units of what interior points are expected to */
static const double PASSES = 10;  /* and so many passes over all rows */
static const double CHEAP = 100;  /* passes over all rows for which interior points may cost, to begin with them at another
solution */
static const double AT_BOUND = 0.999; /* an α above this share of its bound moves with it to the next C */

/* Return the gap of coordinate descent; α, w and the margins are its solution. */
static double approach(Path *path, double tol, double bias) {
    const Binary *problem = &path->problem;
    double passes = PASSES * (double)problem->count * (double)problem->dims;
    double budget = passes + BUDGET * cost_of_interior(size_of_set(problem), problem->dims);
    descend(problem, &path->descent, 0.7 * tol, budget, bias);
    if (problem->rows->is_free) balance_alpha(problem);
    compute_pull(problem);
    memcpy(problem->w, problem->pull, problem->dims * sizeof(double));
    compute_margins(problem);
    return certify(problem, tol);
}

/* Take w and the margins of the whole, and α within the bounds of the problem; returns its bias for centred rows. */
static double take_whole(Path *path, double C) {
    Binary *problem = &path->problem;
    int64_t dims = problem->rows->dims;
    const float *row = problem->rows->centred + problem->numbers[0] * dims;
    memcpy(problem->w, path->full_w, problem->dims * sizeof(double));
    compute_margins(problem);
    for (int64_t i = 0; i < problem->count; i++) {
        double alpha = path->full_alpha[path->positions[i]], cap = problem->caps[i];
        int is_at_bound = alpha > AT_BOUND * cap * path->full_C / C;
        problem->alpha[i] = problem->rows->is_squared ? alpha : is_at_bound ? cap : smaller(alpha, cap);
    }
    double bias = problem->y[0] * problem->margins[0];
    for (int64_t d = 0; d < dims; d++) bias -= row[d] * problem->w[d];
    return bias;
}

/* Solve a problem; returns the gap. Interior points in few dimensions do best from another solution, without coordinate
descent. */
static double solve(Path *path, int is_first, double C, double tol) {
    const Binary *problem = &path->problem;
    double passes = (double)problem->count * (double)problem->dims, gap = DBL_MAX, bias = 0;
    memset(problem->alpha, 0, problem->count * sizeof(double));
    path->descent.count = 0;
    if (!is_first) bias = take_whole(path, C);
    if (is_first || cost_of_interior(size_of_set(problem), problem->dims) > CHEAP * passes)
        gap = approach(path, tol, bias);
    return gap <= tol ? gap : finish(path, gap, tol);
}

/* Keep the solution of the whole. */
static void keep_whole(Path *path, double C) {
    const Binary *problem = &path->problem;
    memcpy(path->full_w, problem->w, problem->dims * sizeof(double));
    for (int64_t i = 0; i < problem->count; i++) path->full_alpha[path->positions[i]] = problem->alpha[i];
    path->full_C = C;
}

/* Take the rows of a variant at one C. Returns whether there are two classes, or a bias that is not free and one. */
static int take_rows(Path *path, int64_t count, const int64_t *numbers, const double *signs, const double *shares, double C) {
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

/* Solve a problem at all values of C in ascending order, in all variants, the whole last: weights [C, V, D + 1] and gaps
[C, V]. Shares are [V, N]. Returns 0 if memory cannot be allocated. */
int64_t binary_solve_path(int64_t dims, const void *source, int64_t is_double, double inverse_scale, double bias,
                          const float *centred, const double *shift, const double *diagonal, double kappa, int64_t is_free,
                          int64_t is_squared, int64_t count, const int64_t *numbers, const double *signs, int64_t variants,
                          const double *shares, int64_t values, const double *Cs, double tol, double *weights,
                          double *gaps) {
    Rows rows = {dims, source, is_double, inverse_scale, bias, centred, shift, diagonal, kappa, is_free, is_squared};
    Path path = {0};
    Binary *problem = &path.problem;
    problem->rows = &rows, problem->dims = dims + 1;
    path.set.dims = dims + 1, path.set.width = width_of(dims + 1);
    path.set.is_free = (int)is_free, path.set.is_squared = (int)is_squared;
    if (!allocate(&path, count)) return 0;
    for (int64_t c = 0; c < values; c++)
        for (int64_t turn = 0; turn < variants; turn++) {
            int64_t variant = turn ? turn - 1 : variants - 1, out = c * variants + variant;
            double gap = 0;
            if (take_rows(&path, count, numbers, signs, shares + variant * count, Cs[c])) {
                gap = solve(&path, !c && !turn, Cs[c], tol);
            } else {
                memset(problem->w, 0, problem->dims * sizeof(double));
                if (problem->count) problem->w[dims] = problem->y[0] / bias;
            }
            if (!turn) keep_whole(&path, Cs[c]);
            memcpy(weights + out * problem->dims, problem->w, problem->dims * sizeof(double));
            gaps[out] = gap;
        }
    free(path.memory), free(path.set_memory);
    return 1;
}
