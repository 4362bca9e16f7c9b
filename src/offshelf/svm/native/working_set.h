/* Interior points on a working set of the rows near the margin; `path_interior.py` describes the method. */

#ifndef OFFSHELF_WORKING_SET_H
#define OFFSHELF_WORKING_SET_H

#include "binary.h"
#include "descent.h"
#include "interior.h"

enum { ROUNDS = 30 };                               /* working sets at one C, at most */
enum { LEAST = 300, PER_DIMENSION = 4, PART = 40 }; /* rows of a working set: at least so many, so many per dimension, and one
in so many of all */
enum { POOR = 8 };         /* coordinate descent left more than one in so many rows active: it has not found those that matter */
enum { GUESS_ROWS = 1500 }; /* rows of the sample whose solution is then the first guess */
static const double GUESS_GAP = 1e-2; /* and its gap */
static const double AIM = 0.3;   /* the gap that a working set is solved to, in units of the tolerance */
static const double EXPECTED_STEPS = 15;
static const int64_t MOST_VALUES = (int64_t)1 << 26; /* of a working set: 512 MB */

/* The state of a path. A row of a working set is `is_in`; of the others, those `is_upper` are held at U, the rest at 0. */
typedef struct {
    Binary problem;
    Interior set;
    Descent descent;
    int64_t room; /* rows that `set` has memory for */
    void *memory, *set_memory;
    uint8_t *is_in, *is_upper;
    int64_t *positions;            /* of the problem's rows among those of the task */
    double *full_alpha, *full_w, *best_w; /* full: of the whole, from which the folds and the next C start */
    double full_C;
} Path;

INLINE double *taken(double **next, int64_t count) {
    double *start = *next;
    *next += count;
    return start;
}

INLINE int64_t width_of(int64_t dims) {
    int64_t step = (int)LANES > (int)TILE ? (int)LANES : (int)TILE;
    return (dims + step - 1) / step * step;
}

INLINE int allocate(Path *path, int64_t count) {
    Binary *problem = &path->problem;
    int64_t dims = problem->dims, bytes = 8 * (9 * count + 6 * width_of(dims)) + 4 * (dims + count) + 2 * count;
    double *next = path->memory = calloc(1, bytes + 64);
    if (!next) return 0;
    problem->y = taken(&next, count), problem->caps = taken(&next, count), problem->alpha = taken(&next, count);
    problem->margins = taken(&next, count), problem->values = taken(&next, count), problem->shares = taken(&next, count);
    path->full_alpha = taken(&next, count);
    problem->numbers = (int64_t *)taken(&next, count), path->positions = (int64_t *)taken(&next, count);
    problem->w = taken(&next, width_of(dims)), problem->pull = taken(&next, width_of(dims));
    path->full_w = taken(&next, width_of(dims)), path->best_w = taken(&next, width_of(dims));
    path->descent.w = (float *)next;
    path->descent.active = (int32_t *)(path->descent.w + dims);
    path->is_in = (uint8_t *)(path->descent.active + count), path->is_upper = path->is_in + count;
    return 1;
}

/* Allocate a working set for `count` rows. */
INLINE int allocate_set(Path *path, int64_t count) {
    Interior *set = &path->set;
    int64_t width = set->width;
    if (count <= path->room) return 1;
    free(path->set_memory);
    path->room = 0;
    if (count * width > MOST_VALUES) return path->set_memory = 0, 0;
    double *next = path->set_memory = malloc(8 * (count * (width + 13) + width * (width + 2 * PANEL + LANES + 8)));
    if (!next) return 0;
    double **rows[] = {&set->caps, &set->margins, &set->alpha, &set->s,  &set->xi,        &set->v,
                       &set->theta, &set->along,  &set->dalpha, &set->ds, &set->dxi, &set->best_alpha};
    double **columns[] = {&set->w, &set->pull, &set->right, &set->dw, &set->best_w, &set->diagonal};
    set->X = taken(&next, count * width);
    for (size_t each = 0; each < sizeof rows / sizeof *rows; each++) *rows[each] = taken(&next, count);
    for (size_t each = 0; each < sizeof columns / sizeof *columns; each++) *columns[each] = taken(&next, width);
    set->columns = taken(&next, width * width), set->scaled = taken(&next, LANES * width);
    set->panel = taken(&next, 2 * PANEL * width);
    path->room = count;
    return 1;
}

/* The expected cost of interior points, in multiplications. */
INLINE double cost_of_interior(int64_t rows, int64_t dims) {
    double d = (double)dims;
    return EXPECTED_STEPS * ((double)rows * (d * d / 2 + 6 * d + 30) + d * d * d / 4);
}

INLINE int64_t size_of_set(const Binary *problem) {
    int64_t size = PER_DIMENSION * problem->dims;
    size = size > LEAST ? size : LEAST;
    return size > problem->count / PART ? size : problem->count / PART;
}

/* Return the distance of margins from 1 within which there are `size` rows among the flagged ones. */
INLINE double nearest(const Binary *problem, const uint8_t *flags, int64_t size) {
    int64_t count = 0;
    double next;
    for (int64_t i = 0; i < problem->count; i++)
        if (flags[i]) problem->values[count] = fabs(problem->margins[i] - 1), problem->shares[count++] = 1;
    if (count <= size) return DBL_MAX;
    return weighted_quantile(count, problem->values, problem->shares, (double)size, &next);
}

/* Choose the first working set: the rows with margins nearest to 1. */
INLINE void choose_rows(Path *path, int64_t size) {
    const Binary *problem = &path->problem;
    memset(path->is_in, 1, problem->count);
    double most = nearest(problem, path->is_in, size);
    for (int64_t i = 0; i < problem->count; i++) {
        path->is_in[i] = fabs(problem->margins[i] - 1) <= most;
        path->is_upper[i] = !path->is_in[i] && problem->margins[i] < 1;
    }
}

/* Choose the next one: rows that contradict their bound, and half of the rows of the last one; or, if the last one was poor,
also all its rows and the worst of the others. */
INLINE void choose_again(Path *path) {
    const Binary *problem = &path->problem;
    int64_t size = 0, wrong = 0, count = problem->count;
    uint8_t *is_wrong = (uint8_t *)path->descent.active;
    for (int64_t i = 0; i < count; i++) {
        double margin = problem->margins[i];
        is_wrong[i] = !path->is_in[i] && (path->is_upper[i] ? margin > 1 : margin < 1);
        size += path->is_in[i], wrong += is_wrong[i];
    }
    double near = wrong <= size ? nearest(problem, path->is_in, size / 2) : DBL_MAX, far = 0;
    if (wrong > size) far = nearest(problem, is_wrong, wrong - size);
    for (int64_t i = 0; i < count; i++) {
        double margin = problem->margins[i], distance = fabs(margin - 1);
        int was_in = path->is_in[i], is_in = was_in ? distance <= near : is_wrong[i] && distance >= far;
        path->is_upper[i] = !is_in && (was_in ? margin < 1 : path->is_upper[i]);
        path->is_in[i] = (uint8_t)is_in;
    }
}

/* Gather the rows of the working set, with their caps times `factor`; under the squared hinge, without an upper bound, all rows below the margin are among
them. Returns 0 without memory. */
INLINE int gather_set(Path *path, double factor, double *g) {
    const Binary *problem = &path->problem;
    const Rows *rows = problem->rows;
    Interior *set = &path->set;
    int64_t count = 0, width = set->width;
    memset(g, 0, width * sizeof(double));
    set->held = 0;
    for (int64_t i = 0; i < problem->count; i++) {
        if (rows->is_squared && path->is_upper[i]) path->is_in[i] = 1;
        count += path->is_in[i];
    }
    if (!allocate_set(path, count)) return 0;
    set->count = 0;
    for (int64_t i = 0; i < problem->count; i++) {
        if (path->is_in[i]) {
            double *out = set->X + set->count * width;
            memset(out, 0, width * sizeof(double));
            add_row(rows, problem->numbers[i], problem->y[i], out);
            set->caps[set->count++] = factor * problem->caps[i];
        } else if (path->is_upper[i]) {
            add_row(rows, problem->numbers[i], problem->y[i] * problem->caps[i], g);
            set->held += problem->caps[i];
        }
    }
    set->g = g;
    return 1;
}

/* Solve for the w of a working set. Returns whether the gap is reached. */
INLINE int solve_set(Path *path, double factor, double gap) {
    const Binary *problem = &path->problem;
    Interior *set = &path->set;
    if (!gather_set(path, factor, problem->pull)) return 0;
    memset(set->w, 0, set->width * sizeof(double));
    memcpy(set->w, problem->w, problem->dims * sizeof(double));
    int is_reached = follow_path(set, gap);
    memcpy(problem->w, set->w, problem->dims * sizeof(double));
    compute_margins(problem);
    return is_reached;
}

/* Take the α of a working set; returns the gap on all rows. */
INLINE double certify_set(Path *path, double tol) {
    const Binary *problem = &path->problem;
    int64_t at = 0;
    for (int64_t i = 0; i < problem->count; i++)
        problem->alpha[i] = path->is_in[i] ? path->set.alpha[at++] : path->is_upper[i] ? problem->caps[i] : 0;
    if (problem->rows->is_free) balance_alpha(problem);
    compute_pull(problem);
    return certify(problem, tol);
}

/* Compute w and the margins of a sample of the rows, whose caps are larger by as much as they are fewer. */
INLINE void guess(Path *path) {
    const Binary *problem = &path->problem;
    int64_t step = (problem->count + GUESS_ROWS - 1) / GUESS_ROWS;
    memset(path->is_upper, 0, problem->count);
    for (int64_t i = 0; i < problem->count; i++) path->is_in[i] = i % step == 0;
    memset(problem->w, 0, problem->dims * sizeof(double));
    solve_set(path, (double)step, GUESS_GAP);
}

/* Finish by interior points. w and the margins, of the gap `best`, are those to start from; returns the gap. A working
set that was chosen so
badly that its problem has no solution is replaced by a larger one. */
INLINE double finish(Path *path, double best, double tol) {
    const Binary *problem = &path->problem;
    int64_t count = problem->count, size = size_of_set(problem), is_poor = path->descent.count > count / POOR;
    double before = DBL_MAX;
    memcpy(path->best_w, problem->w, problem->dims * sizeof(double));
    if (is_poor) size = size > count / POOR ? size : count / POOR;
    if (is_poor && count > GUESS_ROWS) guess(path);
    choose_rows(path, count <= 3 * size / 2 ? count : size);
    for (int round = 0; round < ROUNDS; round++) {
        int is_solved = solve_set(path, 1, AIM * tol);
        if (!path->room) break;
        double gap = certify_set(path, tol);
        if (gap < best) best = gap, memcpy(path->best_w, problem->w, problem->dims * sizeof(double));
        if (best <= tol || path->set.count == count) break;
        if (is_solved && (round < 3 || gap < 0.5 * before)) {
            choose_again(path);
        } else {
            memcpy(problem->w, path->best_w, problem->dims * sizeof(double));
            compute_margins(problem);
            size *= 4;
            choose_rows(path, count <= 3 * size / 2 ? count : size);
        }
        before = gap;
    }
    memcpy(problem->w, path->best_w, problem->dims * sizeof(double));
    return best;
}

#endif
