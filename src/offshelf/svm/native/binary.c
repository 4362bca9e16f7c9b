/* The regularisation path of one binary problem in all its variants; `path_binary.py` describes the method. */

#include "batch.h"
#include "finish.h"
#include "layout.h"
#include "violators.h"

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
static int take_rows(Path *path, const BinaryBatch *batch, const Task *task, int64_t variant, double C) {
    Binary *problem = &path->problem;
    int64_t positive = 0;
    problem->count = 0;
    for (int64_t i = 0; i < task->count; i++) {
        int64_t at = problem->count, number = task->numbers[i];
        double share = batch->members[number * batch->variants + variant] ? task->weights[i] : 0;
        if (!(share > 0)) continue;
        path->positions[at] = i, problem->numbers[at] = number, problem->y[at] = task->signs[i];
        problem->caps[at] = C * share;
        positive += problem->y[at] > 0, problem->count++;
    }
    return problem->count && (!problem->rows->is_free || (positive && positive < problem->count));
}

/* Solve a problem; if `is_warm`, from the whole at this C or the one before. Returns the gap. */
static double solve(Path *path, Violators *set, double tol, int is_warm) {
    Binary *problem = &path->problem;
    double passes = WARM_PASSES * (double)(problem->dims + 16) * (double)problem->count, gap = DBL_MAX;
    if (!is_warm) gap = add_violators(path, set, tol);
    if (gap < DBL_MAX) return gap;
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

/* Solve a task at all values of C in ascending order, in all variants, the whole last. */
static void solve_task(Path *path, Violators *set, const BinaryBatch *batch, const Task *task, int64_t number) {
    Binary *problem = &path->problem;
    int64_t bytes = problem->dims * sizeof(double);
    path->descent.bias = 0;
    for (int64_t c = 0; c < batch->values; c++)
        for (int64_t turn = 0; turn < batch->variants && !is_stopped(); turn++) {
            int64_t variant = turn ? turn - 1 : batch->variants - 1;
            int64_t out = ((number - batch->first_task) * batch->values + c) * batch->variants + variant;
            double gap = 0;
            if (take_rows(path, batch, task, variant, batch->Cs[c])) {
                gap = solve(path, set, batch->tol, c || turn);
                if (!turn) keep_alpha(path, task->count);
            } else {
                memset(problem->w, 0, bytes);
                if (problem->count) problem->w[problem->dims - 1] = problem->y[0] / problem->rows->bias;
            }
            if (!turn) memcpy(path->full_w, problem->w, bytes);
            memcpy(batch->solutions + out * problem->dims, problem->w, bytes);
            batch->gaps[out] = gap;
            count_solved();
        }
}

/* Solve the tasks [start, stop). Returns 0 if memory cannot be allocated. */
int64_t binary_solve(const BinaryBatch *batch, int64_t start, int64_t stop) {
    Rows rows = rows_of(batch);
    Path path = {.problem = {.rows = &rows, .dims = batch->dims + 1}};
    Violators set = {0};
    Task task = {0};
    int64_t most = most_rows(batch, start, stop);
    path.set.dims = batch->dims + 1, path.set.width = width_of(batch->dims + 1);
    path.set.is_free = (int)batch->is_free, path.set.is_squared = (int)batch->is_squared;
    int is_ready = allocate(&path, most) && allocate_task(&task, most) && allocate_violators(&path, most, &set);
    for (int64_t number = start; number < stop && is_ready && !is_stopped(); number++) {
        gather_task(batch, number, &task);
        solve_task(&path, &set, batch, &task, number);
    }
    free_violators(&set);
    free(path.memory), free(path.set_memory), free(task.numbers);
    return is_ready;
}

#define FIELD(name) FIELD_OF(BinaryBatch, name)
static const Field FIELDS[] = {
    FIELD(row_count),   FIELD(dims),      FIELD(tasks),          FIELD(first_task), FIELD(variants),     FIELD(values),
    FIELD(source),      FIELD(is_double), FIELD(inverse_scale),  FIELD(bias),       FIELD(diagonal),     FIELD(shift),
    FIELD(mean_square), FIELD(kappa),     FIELD(is_free),        FIELD(is_squared), FIELD(group_count),  FIELD(groups),
    FIELD(means),       FIELD(radii),     FIELD(signs),          FIELD(order),      FIELD(class_starts), FIELD(first),
    FIELD(second),      FIELD(members),   FIELD(weight_columns), FIELD(weights),    FIELD(Cs),           FIELD(tol),
    FIELD(solutions),   FIELD(gaps),
};

/* The layout of BinaryBatch: its size in bytes, and its fields up to one without a name. */
int64_t binary_batch_layout(int64_t number, Field *field) {
    int64_t count = sizeof FIELDS / sizeof *FIELDS;
    *field = number < count ? FIELDS[number] : (Field){0};
    return sizeof(BinaryBatch);
}
