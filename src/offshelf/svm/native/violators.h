/* A working set that grows by the rows that violate the margin most, solved exactly in the matrix of its products, as pairs of
classes are: the cutting planes of Tsochantaridis et al., JMLR 2005, one row a constraint. Where few rows are support vectors it
ends after a few rounds, whatever C is, and lower bounds (`bounds.h`) spare most of the margins. It begins with the rows at the
inner ends of both classes along the difference of their means. */

#ifndef OFFSHELF_VIOLATORS_H
#define OFFSHELF_VIOLATORS_H

#include "bounds.h"
#include "gram_set.h"

enum { SET_MOST = 256, SET_FIRST = 8, SET_STEP = 16, SET_SMO = 2, SET_SPARE = 8, SET_SURE = 1000 };
/* Shares of rows on the wrong side: at first, from which on others are better, and from which on the first solution decides, and
under that. */
static const double OVERLAP = 0.12, DOUBT = 0.02, LEFT = 0.01;
static const double VIOLATION = 1e-10, EXACT = 1e-10;

/* The working set; its rows are centred under a free bias. */
typedef struct {
    int64_t count, width;
    int64_t *members;
    double *X, *K, *centre; /* [SET_MOST, width], [SET_MOST, SET_MOST], [width] */
    PairQP pair;
    PairSpace space;
    double offset, wrong; /* wrong: the share of rows on the wrong side at first */
    MarginBounds bounds;
    void *memory;
} Violators;

INLINE int allocate_violators(const Path *path, int64_t count, Violators *set) {
    int64_t dims = path->problem.dims, width = width_of(dims), groups = path->problem.rows->group_count;
    int64_t size = SET_MOST * (1 + width + SET_MOST) + width + MOST_SOLUTIONS * (dims + 2 * groups) + 2 * count;
    double *next = set->memory = malloc(8 * size + 9 * count);
    *set = (Violators){.width = width, .memory = next};
    if (!next) return 0;
    if (!allocate_pair(SET_MOST, &set->pair, &set->space)) return free(next), set->memory = 0, 0;
    set->members = (int64_t *)taken(&next, SET_MOST);
    set->X = taken(&next, SET_MOST * width), set->K = taken(&next, SET_MOST * SET_MOST);
    set->centre = taken(&next, width);
    MarginBounds *bounds = &set->bounds;
    bounds->w = taken(&next, MOST_SOLUTIONS * dims), bounds->at_means = taken(&next, MOST_SOLUTIONS * groups);
    bounds->shifts = taken(&next, MOST_SOLUTIONS * groups);
    bounds->values = taken(&next, count), bounds->radii = taken(&next, count);
    bounds->groups = (int32_t *)next, bounds->unclear = bounds->groups + count;
    bounds->since = (uint8_t *)(bounds->unclear + count);
    return 1;
}

INLINE void free_violators(Violators *set) {
    if (set->memory) free(set->space.memory), free(set->memory);
    set->memory = 0;
}

/* Compute the means of both classes from those of the groups, [2, D + 1]. Returns 0 if there is one class. */
INLINE int average_classes(const Binary *problem, const MarginBounds *bounds, double *counts, double *averages) {
    const Rows *rows = problem->rows;
    int64_t dims = problem->dims;
    double totals[2] = {0, 0};
    memset(counts, 0, 2 * rows->group_count * sizeof(double));
    memset(averages, 0, 2 * dims * sizeof(double));
    for (int64_t i = 0; i < problem->count; i++) {
        int side = problem->y[i] > 0;
        counts[2 * bounds->groups[i] + side]++, totals[side]++;
    }
    for (int64_t at = 0; at < 2 * rows->group_count; at++) {
        const double *mean = rows->means + at / 2 * dims;
        double share = counts[at] / larger(totals[at % 2], 1);
        for (int64_t d = 0; d < dims && share > 0; d++) averages[at % 2 * dims + d] += share * mean[d];
    }
    return totals[0] > 0 && totals[1] > 0;
}

/* Set w to the combination of the means of both classes that has decision values of -1 and 1 there; with a bias, along their
difference. Returns 0 if they are equal. The centre becomes the point between them. */
INLINE int point_between_means(const Binary *problem, const double *averages, double *centre) {
    int64_t last = problem->dims - 1;
    const double *a = averages, *b = averages + problem->dims;
    double aa = plain_dot(last, a, a), ab = plain_dot(last, a, b), bb = plain_dot(last, b, b);
    double bias = problem->rows->bias, square = aa - 2 * ab + bb, area = aa * bb - ab * ab;
    if (!(square > 1e-12 * (aa + bb)) || (bias == 0 && !(area > 1e-12 * aa * bb))) return 0;
    double of_a = bias > 0 ? -2 / square : -(bb + ab) / area, of_b = bias > 0 ? 2 / square : (aa + ab) / area;
    for (int64_t d = 0; d < last; d++) problem->w[d] = of_a * a[d] + of_b * b[d], centre[d] = (a[d] + b[d]) / 2;
    problem->w[last] = bias > 0 ? -plain_dot(last, problem->w, centre) / bias : 0;
    return 1;
}

/* Add a row to the working set. */
INLINE void add_member(Path *path, Violators *set, int64_t i) {
    const Binary *problem = &path->problem;
    int64_t at = set->count++, width = set->width, j = 0;
    double *own = set->X + at * width, *products = set->K + at * SET_MOST;
    path->is_in[i] = 1, set->members[at] = i, set->pair.beta[at] = 0;
    memset(own, 0, width * sizeof(double));
    add_row(problem->rows, problem->numbers[i], 1, own);
    if (path->set.is_free) {
        for (int64_t d = 0; d < problem->dims - 1; d++) own[d] -= set->centre[d];
        own[problem->dims - 1] = 0;
    }
    for (; j + 4 <= at + 1; j += 4) {
        const double *others = set->X + j * width;
        Lanes sums[4] = {{0}, {0}, {0}, {0}};
        for (int64_t d = 0; d < width; d += LANES)
            for (int k = 0; k < 4; k++) sums[k] += *(const Lanes *)(own + d) * *(const Lanes *)(others + k * width + d);
        for (int k = 0; k < 4; k++) {
            products[j + k] = 0;
            for (int lane = 0; lane < LANES; lane++) products[j + k] += sums[k][lane];
        }
    }
    for (; j <= at; j++) products[j] = dot(width, own, set->X + j * width);
}

/* Solve for the working set: α, w, and the pull. Returns its gap. */
INLINE double solve_violators(Path *path, Violators *set, double tol) {
    const Binary *problem = &path->problem;
    PairQP *pair = &set->pair;
    int64_t rows = pair->rows = round_up(set->count), is_squared = problem->rows->is_squared;
    double least = DBL_MAX;
    pair->has_free_bias = path->set.is_free, pair->is_squared = (int)is_squared;
    for (int64_t i = 0; i < rows; i++) {
        int is_padding = i >= set->count;
        double cap = is_padding ? 0 : problem->caps[set->members[i]], *to = set->space.K + i * rows;
        set->space.y[i] = is_padding ? 1 : problem->y[set->members[i]], set->space.caps[i] = cap;
        set->space.upper[i] = is_squared && cap > 0 ? 1e30 : cap;
        set->space.e[i] = is_squared && cap > 0 ? 0.5 / cap : 0;
        if (is_padding)
            pair->beta[i] = 0;
        else
            least = smaller(least, cap);
        for (int64_t j = 0; j < rows; j++)
            to[j] = i >= set->count || j >= set->count ? 0
                    : j <= i                           ? set->K[i * SET_MOST + j]
                                                       : set->K[j * SET_MOST + i];
    }
    double multiplier = path->set.is_free ? MULTIPLIER * larger(1, 1 / least) : 0;
    double gap = solve_pair(pair, AIM * tol, AIM * tol, multiplier, &set->offset, &set->space).gap;
    if (path->set.is_free) balance_pair(rows, pair->beta);
    memset(problem->pull, 0, problem->dims * sizeof(double));
    for (int64_t j = 0; j < set->count; j++) {
        double alpha = larger(problem->y[set->members[j]] * pair->beta[j], 0);
        problem->alpha[set->members[j]] = alpha;
        const double *row = set->X + j * set->width;
        double by = problem->y[set->members[j]] * alpha;
        for (int64_t d = 0; d < problem->dims && alpha > 0; d++) problem->pull[d] += by * row[d];
    }
    memcpy(problem->w, problem->pull, problem->dims * sizeof(double));
    if (path->set.is_free) {
        int64_t last = problem->dims - 1;
        problem->w[last] = (set->offset - plain_dot(last, problem->w, set->centre)) / problem->rows->bias;
    }
    return gap;
}

/* Whether classes overlap, and another method is faster: more rows are support vectors than there are dimensions, and some to
spare. Under the hinge it is not, if the rows are few. */
INLINE int is_overlapping(const Path *path, const Violators *set) {
    int64_t support = 0;
    for (int64_t j = 0; j < set->count; j++) support += path->problem.alpha[set->members[j]] > 0;
    int is_asked = path->set.is_squared || path->problem.count > SET_SURE;
    return is_asked && support > path->problem.dims + SET_SPARE;
}

/* Add the `most` rows outside the working set, of a side or of both, that have the least margins, if these are below `below`.
Returns their number. */
INLINE int64_t add_least(Path *path, Violators *set, int64_t most, double below, double side) {
    const Binary *problem = &path->problem;
    int32_t *found = path->descent.active;
    int64_t count = 0, added = 0;
    double next, limit = below;
    for (int64_t i = 0; i < problem->count; i++) {
        found[count] = (int32_t)i;
        count += (problem->margins[i] < below) & !path->is_in[i] & (side * problem->y[i] >= 0); /* without a branch */
    }
    for (int64_t at = 0; at < count; at++) problem->values[at] = problem->margins[found[at]], problem->shares[at] = 1;
    if (count > most) limit = weighted_quantile(count, problem->values, problem->shares, (double)most, &next);
    for (int64_t at = 0; at < count && added < most; at++)
        if (problem->margins[found[at]] <= limit) add_member(path, set, found[at]), added++;
    return added;
}

INLINE double share_on_wrong_side(const Binary *problem) {
    int64_t wrong = 0;
    for (int64_t i = 0; i < problem->count; i++) wrong += problem->margins[i] < 0;
    return (double)wrong / (double)problem->count;
}

/* Take the first rows. Returns 0 where classes overlap. */
INLINE int take_first(Path *path, Violators *set) {
    const Binary *problem = &path->problem;
    set->count = 0, set->offset = 0;
    set->space.most_smo = problem->count > SET_SURE ? SET_SMO : INT64_MAX;
    memset(path->is_in, 0, problem->count);
    memset(problem->alpha, 0, problem->count * sizeof(double));
    begin_bounds(problem, &set->bounds);
    if (!average_classes(problem, &set->bounds, set->bounds.shifts, set->X)) return 0;
    if (!point_between_means(problem, set->X, set->centre)) return 0;
    add_solution(problem, &set->bounds);
    bound_margins(problem, &set->bounds, 1);
    set->wrong = share_on_wrong_side(problem);
    if (set->wrong > OVERLAP) return 0;
    return add_least(path, set, SET_FIRST, DBL_MAX, 1) && add_least(path, set, SET_FIRST, DBL_MAX, -1);
}

/* Have coordinate descent, which may solve the next problem, begin with the bias of the centred rows. */
INLINE void hand_over_bias(Path *path, const Violators *set) {
    const Binary *problem = &path->problem;
    path->descent.bias = problem->w[problem->dims - 1] * problem->rows->bias;
    for (int64_t j = 0; j < set->count; j++) {
        int64_t i = set->members[j];
        path->descent.bias += problem->y[i] * problem->alpha[i] * problem->rows->shift[problem->numbers[i]];
    }
}

/* Solve from the rows nearest to the other class, and return the gap: DBL_MAX, and α = 0, where it is not for this. */
OUTLINE double add_violators(Path *path, Violators *set, double tol) {
    const Binary *problem = &path->problem;
    double gap = DBL_MAX, factor = 1;
    int is_going = take_first(path, set);
    while (is_going && !is_stopped()) {
        double inner = solve_violators(path, set, tol);
        gap = DBL_MAX;
        if (inner > larger(tol, EXACT) || is_overlapping(path, set)) break;
        add_solution(problem, &set->bounds);
        bound_margins(problem, &set->bounds, 1 + BEYOND);
        gap = least_gap(problem, tol, &factor);
        if (gap <= tol || (set->wrong > DOUBT && share_on_wrong_side(problem) > LEFT)) break;
        int64_t room = SET_MOST - set->count, step = larger_of(SET_STEP, set->count / 3);
        is_going = room > 0 && set->bounds.count < MOST_SOLUTIONS &&
                   add_least(path, set, smaller_of(step, room), 1 - VIOLATION, 0);
    }
    if (gap <= larger(tol, EXACT)) {
        if (path->set.is_free) hand_over_bias(path, set);
        return scale_weights(problem, factor), gap;
    }
    memset(problem->alpha, 0, problem->count * sizeof(double));
    return DBL_MAX;
}

#endif
