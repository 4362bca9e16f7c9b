/* Regularisation paths of one-vs-one problems, a pair of classes each; ovo.py describes the method. */

#include <float.h>
#include <stddef.h>
#include <stdlib.h>

#include "active_set.h"
#include "smo.h"

enum { ROUNDS = 60, STEPS = 50 }; /* most refreshes of the gradient, and most SMO steps per row between them */
enum { PATIENCE = 4 }; /* rounds without progress at a gap within the tolerance, after which the search ends */
static const double HOPELESS_GAP = 0.1; /* above this gap, rescaling w does not help */
/* Factors of w among which the best primal point is chosen. `problem.py` has the same: see `ovo_primal_scales`. */
static const double PRIMAL_SCALES[] = {1, 1 + 1e-6, 1 + 1e-5, 1 + 3e-5, 1 + 1e-4, 1 + 3e-4, 1 + 1e-3};

/* The arguments of `ovo_solve`: all pairs, in all variants, the full fit last, at all values of C in ascending order.
`native/__init__.py` has the same fields: see `ovo_batch_layout`. */
typedef struct {
    int64_t rows, pairs, variants, values;
    const double *products; /* [R, R], rows in the order of their classes */
    const double *shift;    /* u [R] */
    double kappa;           /* with a free bias the penalty parameter, in units of max(1, 1/C) */
    double bias_share;      /* s² with a free bias */
    int64_t has_free_bias, is_squared;
    const int64_t *class_starts;   /* the first row of each class, and the number of rows */
    const int64_t *first, *second; /* the classes of each pair */
    const int64_t *starts;         /* where the β of each pair start among those of all pairs, and their number N */
    const double *weights;         /* [R, V], 0 for rows that a variant is not fitted to */
    const double *Cs;
    double tol, target_gap;
    double *betas, *offsets, *gaps; /* [C, V, N], [C, V, P], [C, V, P] */
} OvoBatch;

/* A field of OvoBatch; its kind is `i` for integers, `d` for doubles and `p` for pointers. */
typedef struct {
    const char *name;
    int64_t offset;
    char kind;
} Field;

#define KIND(name) _Generic(((OvoBatch *)0)->name, int64_t: 'i', double: 'd', default: 'p')
#define FIELD(name) {#name, offsetof(OvoBatch, name), KIND(name)}
static const Field FIELDS[] = {
    FIELD(rows),   FIELD(pairs),      FIELD(variants),      FIELD(values),     FIELD(products),     FIELD(shift),
    FIELD(kappa),  FIELD(bias_share), FIELD(has_free_bias), FIELD(is_squared), FIELD(class_starts), FIELD(first),
    FIELD(second), FIELD(starts),     FIELD(weights),       FIELD(Cs),         FIELD(tol),          FIELD(target_gap),
    FIELD(betas),  FIELD(offsets),    FIELD(gaps),
};

/* The layout of OvoBatch: its size in bytes, and its fields up to one without a name. */
int64_t ovo_batch_layout(int64_t number, Field *field) {
    int64_t count = sizeof FIELDS / sizeof *FIELDS;
    *field = number < count ? FIELDS[number] : (Field){0};
    return sizeof(OvoBatch);
}

/* Copy PRIMAL_SCALES to `scales`, at most `most` of them. Returns their number. */
int64_t ovo_primal_scales(int64_t most, double *scales) {
    int64_t count = sizeof PRIMAL_SCALES / sizeof *PRIMAL_SCALES;
    for (int64_t number = 0; number < count && number < most; number++) scales[number] = PRIMAL_SCALES[number];
    return count;
}

/* The workspace of one thread. */
typedef struct {
    double *K, *y, *caps, *e, *upper, *full, *best;
    float *single_K, *single_y, *single_e, *gradient, *scratch;
    int64_t *numbers; /* of the rows */
    void *memory;
} Workspace;

typedef struct {
    double gap, scale, factor;
} Certificate;

/* Rescale β by the factor that minimises the dual objective within the new bounds. */
INLINE void rescale(const PairQP *pair, double most) {
    double linear = 0, quadratic = 0;
    multiply(pair, pair->beta, pair->margins);
    for (int64_t i = 0; i < pair->rows; i++) {
        linear += pair->y[i] * pair->beta[i];
        quadratic += pair->beta[i] * pair->margins[i];
    }
    double factor = pair->is_squared || quadratic <= 0 ? 1 : smaller(larger(linear / quadratic, 0), most);
    for (int64_t i = 0; i < pair->rows; i++) pair->beta[i] *= factor;
}

/* Compute the relative gap, the scale of the objectives, and the factor of w with the least primal objective. */
INLINE Certificate certify(const PairQP *pair, double offset, double tol) {
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
INLINE void balance(int64_t rows, double *beta) {
    double positive = 0, negative = 0;
    for (int64_t i = 0; i < rows; i++) positive += larger(beta[i], 0), negative += larger(-beta[i], 0);
    double least = smaller(positive, negative);
    for (int64_t i = 0; i < rows; i++)
        if (beta[i] != 0) beta[i] *= least / (beta[i] > 0 ? positive : negative);
}

/* Improve β and b by SMO in float32. */
INLINE void improve_by_smo(const PairQP *pair, double multiplier, double target, double *offset,
                           const Workspace *space) {
    double before = 0, after = 0;
    for (int64_t i = 0; i < pair->rows * pair->rows; i++) space->single_K[i] = (float)pair->K[i];
    for (int64_t i = 0; i < pair->rows; i++) {
        space->single_e[i] = (float)pair->e[i];
        space->single_y[i] = (float)pair->y[i];
        space->gradient[i] = (float)(pair->margins[i] + *offset - pair->y[i] + pair->e[i] * pair->beta[i]);
        before += pair->beta[i];
    }
    BoxQP qp = {pair->rows, space->single_K, multiplier, space->single_e, pair->upper, space->single_y};
    smo_iterate(qp, pair->beta, space->gradient, target, STEPS * pair->rows + 100, space->scratch);
    if (!pair->has_free_bias) return;
    for (int64_t i = 0; i < pair->rows; i++) after += pair->beta[i];
    *offset += multiplier * (after - before);
    balance(pair->rows, pair->beta);
}

/* Solve at one C, β and b in place. The best round counts: with linearly dependent rows, a round may increase the gap. */
INLINE Certificate solve_at(const PairQP *pair, const OvoBatch *batch, double multiplier, double *offset,
                            const Workspace *space) {
    Certificate best = {DBL_MAX, 1, 1};
    double offset_of_best = *offset;
    int is_solved = 0, stuck = 0;
    multiply(pair, pair->beta, pair->margins);
    for (int round = 0; round < ROUNDS && !is_stopped(); round++) {
        Certificate found = certify(pair, *offset, batch->tol);
        stuck += found.gap <= batch->tol && found.gap > best.gap / 2;
        if (!round || found.gap < best.gap) {
            best = found, offset_of_best = *offset;
            memcpy(space->best, pair->beta, pair->rows * sizeof(double));
        }
        if (found.gap <= batch->target_gap || stuck == PATIENCE) break;
        is_solved = !is_solved && active_set_solve(pair, offset);
        if (is_solved) continue;
        improve_by_smo(pair, multiplier, batch->target_gap * found.scale / 2, offset, space);
        multiply(pair, pair->beta, pair->margins);
    }
    memcpy(pair->beta, space->best, pair->rows * sizeof(double));
    *offset = offset_of_best;
    return best;
}

/* Copy products of a row into a row of K. */
INLINE void copy_products(const OvoBatch *batch, int64_t row, int64_t begin, int64_t count, double *out) {
    const double *products = batch->products + row * batch->rows + begin, *shifts = batch->shift + begin;
    double shift = batch->shift[row];
#pragma omp simd
    for (int64_t j = 0; j < count; j++) out[j] = products[j] + (shift + shifts[j]);
}

/* Gather the signs and the products of the rows of a pair. */
INLINE void gather_pair(const OvoBatch *batch, int64_t number, PairQP *pair, const Workspace *space) {
    const int64_t *class_starts = batch->class_starts;
    int64_t first = batch->first[number], second = batch->second[number];
    int64_t own = class_starts[first + 1] - class_starts[first],
            others = class_starts[second + 1] - class_starts[second], size = own + others;
    pair->rows = round_up(size);
    memset(space->K, 0, pair->rows * pair->rows * sizeof(double));
    for (int64_t i = 0; i < size; i++) {
        double *row = space->K + i * pair->rows;
        space->numbers[i] = i < own ? class_starts[first] + i : class_starts[second] + i - own;
        if (i < own) copy_products(batch, space->numbers[i], class_starts[first], own, row);
        copy_products(batch, space->numbers[i], class_starts[second], others, row + own);
    }
    for (int64_t i = own; i < size; i++) /* the mirrored block is in the cache */
        for (int64_t j = 0; j < own; j++) space->K[i * pair->rows + j] = space->K[j * pair->rows + i];
    for (int64_t i = 0; i < pair->rows; i++) space->y[i] = i < own || i >= size ? 1 : -1;
}

/* Prefetch the products within a class that the pairs before did not read. */
INLINE void prefetch_class(const OvoBatch *batch, int64_t class) {
    int64_t begin = batch->class_starts[class], end = batch->class_starts[class + 1];
    for (int64_t i = begin; i < end && i < begin + MAX_FREE_ROWS; i++)
        for (int64_t j = begin; j < end + 7 && j < begin + MAX_FREE_ROWS; j += 8)
            __builtin_prefetch(batch->products + i * batch->rows + j);
}

/* Set the bounds of a variant at one C. */
INLINE void set_bounds(const OvoBatch *batch, double C, int64_t variant, int64_t size, const PairQP *pair,
                       const Workspace *space) {
    for (int64_t i = 0; i < pair->rows; i++) {
        double cap = i < size ? C * batch->weights[space->numbers[i] * batch->variants + variant] : 0;
        space->caps[i] = cap;
        space->upper[i] = pair->is_squared && cap > 0 ? 1e30 : cap;
        space->e[i] = pair->is_squared && cap > 0 ? 0.5 / cap : 0;
    }
}

/* Solve the path of one pair. The full fit starts from the full fit at the previous C, a fold from the full fit at its C. */
INLINE void solve_pair_path(const OvoBatch *batch, int64_t number, PairQP *pair, const Workspace *space) {
    int64_t size = batch->starts[number + 1] - batch->starts[number], last = batch->variants - 1;
    double offset_of_full = 0;
    gather_pair(batch, number, pair, space);
    memset(space->full, 0, pair->rows * sizeof(double));
    for (int64_t c = 0; c < batch->values; c++) {
        double C = batch->Cs[c], multiplier = batch->kappa * (pair->has_free_bias ? larger(1, 1 / C) : 1);
        for (int64_t turn = 0; turn <= last; turn++) {
            int64_t variant = turn ? turn - 1 : last, out = c * batch->variants + variant;
            double offset = offset_of_full;
            set_bounds(batch, C, variant, size, pair, space);
            for (int64_t i = 0; i < pair->rows; i++) pair->beta[i] = pair->upper[i] > 0 ? space->full[i] : 0;
            if (turn && pair->has_free_bias) balance(pair->rows, pair->beta);
            if (!turn && c) rescale(pair, C / batch->Cs[c - 1]);
            Certificate found = solve_at(pair, batch, multiplier, &offset, space);
            if (!turn) {
                memcpy(space->full, pair->beta, pair->rows * sizeof(double));
                offset_of_full = offset;
            }
            double *betas = batch->betas + out * batch->starts[batch->pairs] + batch->starts[number];
            for (int64_t i = 0; i < size; i++) betas[i] = found.factor * pair->beta[i];
            batch->offsets[out * batch->pairs + number] = found.factor * offset;
            batch->gaps[out * batch->pairs + number] = found.gap;
            count_solved();
        }
    }
}

/* Allocate workspace for pairs of at most `rows` rows. Returns 0 if there is no memory. */
INLINE int allocate(int64_t rows, PairQP *pair, Workspace *space) {
    int64_t most = round_up((rows < MAX_FREE_ROWS ? rows : MAX_FREE_ROWS) + SIDES);
    double **doubles[] = {&space->y,    &space->caps,   &space->e,      &space->upper,
                          &space->full, &space->best,   &pair->beta,    &pair->margins,
                          &pair->trial, &pair->product, &pair->is_free, &pair->is_at_upper};
    float **singles[] = {&space->single_y, &space->single_e, &space->gradient};
    int64_t arrays = sizeof doubles / sizeof *doubles, small = sizeof singles / sizeof *singles + SMO_SCRATCH;
    int64_t bytes = 8 * (rows * rows + most * most + (SIDES + LANES) * most + arrays * rows + 2 * rows + LANES);
    double *next = space->memory = malloc(bytes + 4 * (rows * rows + small * rows));
    if (!next) return 0;
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

/* Solve the pairs [start, stop). Returns 0 if memory cannot be allocated. */
int64_t ovo_solve(const OvoBatch *batch, int64_t start, int64_t stop) {
    int64_t rows = 0;
    for (int64_t number = start; number < stop; number++) {
        int64_t size = batch->starts[number + 1] - batch->starts[number];
        rows = size > rows ? size : rows;
    }
    Workspace space;
    PairQP pair;
    if (!allocate(round_up(rows), &pair, &space)) return 0;
    pair.has_free_bias = (int)batch->has_free_bias, pair.is_squared = (int)batch->is_squared;
    pair.kappa = batch->has_free_bias ? 0 : batch->kappa, pair.bias_share = batch->bias_share;
    for (int64_t number = start; number < stop; number++) {
        if (number + 1 < stop) prefetch_class(batch, batch->second[number + 1]);
        solve_pair_path(batch, number, &pair, &space);
    }
    free(space.memory);
    return 1;
}
