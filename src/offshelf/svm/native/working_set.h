/* Interior points on a working set of the rows near the margin; `path_binary.py` describes the method. */

#ifndef OFFSHELF_WORKING_SET_H
#define OFFSHELF_WORKING_SET_H

#include "binary.h"
#include "descent.h"
#include "interior.h"

enum { ROUNDS = 30 }; /* working sets at one C, at most */
/* Rows of a working set: at least so many, so many per dimension, and one in so many of all. */
enum { LEAST = 300, PER_DIMENSION = 4, PART = 40 };
/* Without a good start: all rows up to so many, under either loss, and one in so many of more. */
static const int64_t ALL[] = {3000, 1000};
enum { POOR_PART = 8 };
static const double POOR = 0.1;        /* the gap of a poor start */
static const double SAMPLE_GAP = 0.01; /* the gap to which a sample is solved */
static const double AIM = 0.3;         /* the gap to which a working set is solved, in units of the tolerance */
/* The share of the gap before, and the gap, after which working sets grow, and by how much. After the latter the next one is
chosen anew, since the objective of this one had no minimum above 0. */
static const double SLOW = 0.5, LOST = 4;
enum { GROWTH = 4 };
static const int64_t MOST_VALUES = (int64_t)1 << 26; /* of a working set: 512 MB */

/* The state of a path. A row of a working set is `is_in`; of the others, those `is_upper` are held at U, the rest at 0. */
typedef struct {
    Binary problem;
    Interior set;
    Descent descent;
    int64_t room; /* rows that `set` has memory for */
    void *memory, *set_memory;
    uint8_t *is_in, *is_upper;
    int64_t *positions; /* of the problem's rows among those of the task */
    double *full_alpha, *full_w, *best_w, *start_w;
} Path;

INLINE double *taken(double **next, int64_t count) {
    double *start = *next;
    *next += count;
    return start;
}

INLINE int64_t width_of(int64_t dims) {
    int64_t step = larger_of(LANES, TILE);
    return (dims + step - 1) / step * step;
}

INLINE int allocate(Path *path, int64_t count) {
    Binary *problem = &path->problem;
    int64_t dims = problem->dims, bytes = 8 * (9 * count + 7 * width_of(dims)) + 4 * count + 2 * count;
    double *next = path->memory = calloc(1, bytes + 64);
    if (!next) return 0;
    problem->y = taken(&next, count), problem->caps = taken(&next, count), problem->alpha = taken(&next, count);
    problem->margins = taken(&next, count), problem->values = taken(&next, count),
    problem->shares = taken(&next, count);
    path->full_alpha = taken(&next, count);
    problem->numbers = (int64_t *)taken(&next, count), path->positions = (int64_t *)taken(&next, count);
    problem->w = taken(&next, width_of(dims)), problem->pull = taken(&next, width_of(dims));
    path->full_w = taken(&next, width_of(dims)), path->best_w = taken(&next, width_of(dims));
    path->start_w = taken(&next, width_of(dims));
    path->descent.active = (int32_t *)next;
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
    double **rows[] = {&set->caps,  &set->margins, &set->alpha,  &set->s,  &set->xi,  &set->v,
                       &set->theta, &set->along,   &set->dalpha, &set->ds, &set->dxi, &set->best_alpha};
    double **columns[] = {&set->w, &set->pull, &set->right, &set->dw, &set->best_w, &set->diagonal};
    set->X = taken(&next, count * width);
    for (size_t each = 0; each < sizeof rows / sizeof *rows; each++) *rows[each] = taken(&next, count);
    for (size_t each = 0; each < sizeof columns / sizeof *columns; each++) *columns[each] = taken(&next, width);
    set->columns = taken(&next, width * width), set->scaled = taken(&next, LANES * width);
    set->panel = taken(&next, 2 * PANEL * width);
    path->room = count;
    return 1;
}

/* The cost of some steps of interior points, in multiplications of coordinate descent, which take twice as long. */
INLINE double cost_of_interior(int64_t rows, int64_t dims, double steps) {
    double d = (double)dims;
    return steps * ((double)rows * (d * d / 4 + 3 * d + 15) + d * d * d / 8);
}

INLINE int64_t size_of_set(const Binary *problem) {
    int64_t size = PER_DIMENSION * problem->dims;
    size = size > LEAST ? size : LEAST;
    return size > problem->count / PART ? size : problem->count / PART;
}

/* The same without a good start: all rows, if they are few. */
INLINE int64_t size_of_poor_set(const Binary *problem) {
    int64_t all = ALL[problem->rows->is_squared];
    int64_t size = larger_of(size_of_set(problem), larger_of(problem->count / POOR_PART, all / 2));
    return problem->count <= all || problem->count < size ? problem->count : size;
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

/* Choose a working set: the rows with margins nearest to 1, or all if they are not many more. */
INLINE void choose_rows(Path *path, int64_t size) {
    const Binary *problem = &path->problem;
    if (problem->count <= 3 * size / 2) size = problem->count;
    memset(path->is_in, 1, problem->count);
    double most = nearest(problem, path->is_in, size);
    for (int64_t i = 0; i < problem->count; i++) {
        path->is_in[i] = fabs(problem->margins[i] - 1) <= most;
        path->is_upper[i] = !path->is_in[i] && problem->margins[i] < 1;
    }
}

/* Choose the next one: also the rows that contradict their bound. Returns 0 if it was all rows already. */
INLINE int choose_again(Path *path, int64_t size) {
    const Binary *problem = &path->problem;
    uint8_t *is_wrong = (uint8_t *)path->descent.active;
    int64_t held = 0;
    for (int64_t i = 0; i < problem->count; i++) {
        double margin = problem->margins[i];
        is_wrong[i] = !path->is_in[i] && (path->is_upper[i] ? margin > 1 : margin < 1);
        held += !path->is_in[i];
    }
    choose_rows(path, size);
    for (int64_t i = 0; i < problem->count; i++)
        if (is_wrong[i]) path->is_in[i] = 1, path->is_upper[i] = 0;
    return held > 0;
}

/* Gather the rows of the working set; under the squared hinge, without an upper bound, all rows below the margin are among
them. Returns 0 without memory. */
INLINE int gather_set(Path *path, double *g) {
    const Binary *problem = &path->problem;
    const Rows *rows = problem->rows;
    Interior *set = &path->set;
    int64_t count = 0, width = set->width;
    memset(g, 0, width * sizeof(double));
    set->held = 0;
    for (int64_t i = 0; i < problem->count; i++) {
        if (rows->is_squared && problem->margins[i] < 1) path->is_in[i] = 1;
        count += path->is_in[i];
    }
    if (!allocate_set(path, count)) return 0;
    set->count = 0;
    for (int64_t i = 0; i < problem->count; i++) {
        if (path->is_in[i]) {
            double *out = set->X + set->count * width;
            memset(out, 0, width * sizeof(double));
            add_row(rows, problem->numbers[i], problem->y[i], out);
            set->caps[set->count++] = problem->caps[i];
        } else if (path->is_upper[i]) {
            add_row(rows, problem->numbers[i], problem->y[i] * problem->caps[i], g);
            set->held += problem->caps[i];
        }
    }
    set->g = g;
    return 1;
}

/* Solve for a working set: w, α, margins and the pull. */
INLINE int solve_set(Path *path, double tol) {
    const Binary *problem = &path->problem;
    Interior *set = &path->set;
    if (!gather_set(path, problem->pull)) return 0;
    memset(set->w, 0, set->width * sizeof(double));
    memcpy(set->w, problem->w, problem->dims * sizeof(double));
    follow_path(set, AIM * tol);
    memcpy(problem->w, set->w, problem->dims * sizeof(double));
    int64_t at = 0;
    for (int64_t i = 0; i < problem->count; i++)
        problem->alpha[i] = path->is_in[i] ? set->alpha[at++] : path->is_upper[i] ? problem->caps[i] : 0;
    if (problem->rows->is_free) balance_alpha(problem);
    compute_pull(problem);
    compute_margins(problem);
    return 1;
}

/* Find w and the margins from a sample of the rows. Returns 0 without memory. */
INLINE int guess(Path *path, int64_t size) {
    const Binary *problem = &path->problem;
    Interior *set = &path->set;
    int64_t step = problem->count / size;
    for (int64_t i = 0; i < problem->count; i++) path->is_in[i] = i % step == 0, path->is_upper[i] = 0;
    if (!gather_set(path, problem->pull)) return 0;
    for (int64_t i = 0; i < set->count; i++) set->caps[i] *= (double)step;
    memset(set->w, 0, set->width * sizeof(double));
    follow_path(set, SAMPLE_GAP);
    memcpy(problem->w, set->w, problem->dims * sizeof(double));
    compute_margins(problem);
    return 1;
}

#endif
