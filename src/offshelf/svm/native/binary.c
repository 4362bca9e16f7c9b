/* The regularisation path of one binary problem in all its variants; `path_binary.py` describes the method. */

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
static const double BUDGET = 0.1; /* what coordinate descent may cost, in units of what interior points are expected to */
static const double PASSES = 10;  /* and so many passes over all rows */
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
    double *full_alpha, *full_w, *best_w;
} Path;

static double *taken(double **next, int64_t count) {
    double *start = *next;
    *next += count;
    return start;
}

static int64_t width_of(int64_t dims) {
    int64_t step = LANES > TILE ? LANES : TILE;
    return (dims + step - 1) / step * step;
}

static int allocate(Path *path, int64_t count) {
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
static int allocate_set(Path *path, int64_t count) {
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
static double cost_of_interior(int64_t rows, int64_t dims) {
    double d = (double)dims;
    return EXPECTED_STEPS * ((double)rows * (d * d / 2 + 6 * d + 30) + d * d * d / 4);
}

static int64_t size_of_set(const Binary *problem) {
    int64_t size = PER_DIMENSION * problem->dims;
    size = size > LEAST ? size : LEAST;
    return size > problem->count / PART ? size : problem->count / PART;
}

/* Return the distance of margins from 1 within which there are `size` rows among the flagged ones. */
static double nearest(const Binary *problem, const uint8_t *flags, int64_t size) {
    int64_t count = 0;
    double next;
    for (int64_t i = 0; i < problem->count; i++)
        if (flags[i]) problem->values[count] = fabs(problem->margins[i] - 1), problem->shares[count++] = 1;
    if (count <= size) return DBL_MAX;
    return weighted_quantile(count, problem->values, problem->shares, (double)size, &next);
}

/* Choose the first working set: the rows with margins nearest to 1. */
static void choose_rows(Path *path, int64_t size) {
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
static void choose_again(Path *path) {
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
static int gather_set(Path *path, double factor, double *g) {
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
static int solve_set(Path *path, double factor, double gap) {
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
static double certify_set(Path *path, double tol) {
    const Binary *problem = &path->problem;
    int64_t at = 0;
    for (int64_t i = 0; i < problem->count; i++)
        problem->alpha[i] = path->is_in[i] ? path->set.alpha[at++] : path->is_upper[i] ? problem->caps[i] : 0;
    if (problem->rows->is_free) balance_alpha(problem);
    compute_pull(problem);
    return certify(problem, tol);
}

/* Compute w and the margins of a sample of the rows, whose caps are larger by as much as they are fewer. */
static void guess(Path *path) {
    const Binary *problem = &path->problem;
    int64_t step = (problem->count + GUESS_ROWS - 1) / GUESS_ROWS;
    memset(path->is_upper, 0, problem->count);
    for (int64_t i = 0; i < problem->count; i++) path->is_in[i] = i % step == 0;
    memset(problem->w, 0, problem->dims * sizeof(double));
    solve_set(path, (double)step, GUESS_GAP);
}

/* Finish by interior points. w and the margins are those to start from; returns the gap. A working set that was chosen so
badly that its problem has no solution is replaced by a larger one. */
static double finish(Path *path, double tol) {
    const Binary *problem = &path->problem;
    int64_t count = problem->count, size = size_of_set(problem), is_poor = path->descent.count > count / POOR;
    double best = DBL_MAX, before = DBL_MAX;
    if (is_poor) size = size > count / POOR ? size : count / POOR;
    if (is_poor && count > GUESS_ROWS) guess(path);
    memcpy(path->best_w, problem->w, problem->dims * sizeof(double));
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
                int is_first = !c && !turn;
                for (int64_t i = 0; i < problem->count; i++) problem->alpha[i] = 0;
                gap = DBL_MAX;
                if (is_first) {
                    gap = approach(&path, tol, 0);
                } else {
                    memcpy(problem->w, path.full_w, problem->dims * sizeof(double));
                    path.descent.count = 0;
                    compute_margins(problem);
                }
                if (!(gap <= tol)) gap = finish(&path, tol);
            } else {
                memset(problem->w, 0, problem->dims * sizeof(double));
                if (problem->count) problem->w[dims] = problem->y[0] / bias;
            }
            if (!turn) memcpy(path.full_w, problem->w, problem->dims * sizeof(double));
            memcpy(weights + out * problem->dims, problem->w, problem->dims * sizeof(double));
            gaps[out] = gap;
        }
    free(path.memory), free(path.set_memory);
    return 1;
}
