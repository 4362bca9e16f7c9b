/* Regularisation paths of one-vs-one problems, a pair of classes each; ovo.py describes the method. */

#include "layout.h"
#include "pair.h"

/* The arguments of `ovo_solve`: all pairs, in all variants, the full fit last, at all values of C in ascending order.
`native/batches.py` has the same fields: see `ovo_batch_layout`. */
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

#define FIELD(name) FIELD_OF(OvoBatch, name)
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

/* Copy products of a row into a row of K. */
INLINE void copy_products(const OvoBatch *batch, int64_t row, int64_t begin, int64_t count, double *out) {
    const double *products = batch->products + row * batch->rows + begin, *shifts = batch->shift + begin;
    double shift = batch->shift[row];
#pragma omp simd
    for (int64_t j = 0; j < count; j++) out[j] = products[j] + (shift + shifts[j]);
}

/* Gather the signs and the products of the rows of a pair. */
INLINE void gather_pair(const OvoBatch *batch, int64_t number, PairQP *pair, const PairSpace *space) {
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
                       const PairSpace *space) {
    for (int64_t i = 0; i < pair->rows; i++) {
        double cap = i < size ? C * batch->weights[space->numbers[i] * batch->variants + variant] : 0;
        space->caps[i] = cap;
        space->upper[i] = pair->is_squared && cap > 0 ? 1e30 : cap;
        space->e[i] = pair->is_squared && cap > 0 ? 0.5 / cap : 0;
    }
}

/* Solve the path of one pair. The full fit starts from the full fit at the previous C, a fold from the full fit at its C. */
INLINE void solve_pair_path(const OvoBatch *batch, int64_t number, PairQP *pair, PairSpace *space) {
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
            if (turn && pair->has_free_bias) balance_pair(pair->rows, pair->beta);
            if (!turn && c) rescale(pair, C / batch->Cs[c - 1]);
            Certificate found = solve_pair(pair, batch->tol, batch->target_gap, multiplier, &offset, space);
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

/* Solve the pairs [start, stop). Returns 0 if memory cannot be allocated. */
int64_t ovo_solve(const OvoBatch *batch, int64_t start, int64_t stop) {
    int64_t rows = 0;
    for (int64_t number = start; number < stop; number++) {
        int64_t size = batch->starts[number + 1] - batch->starts[number];
        rows = size > rows ? size : rows;
    }
    PairSpace space;
    PairQP pair;
    if (!allocate_pair(round_up(rows), &pair, &space)) return 0;
    pair.has_free_bias = (int)batch->has_free_bias, pair.is_squared = (int)batch->is_squared;
    pair.kappa = batch->has_free_bias ? 0 : batch->kappa, pair.bias_share = batch->bias_share;
    for (int64_t number = start; number < stop; number++) {
        if (number + 1 < stop) prefetch_class(batch, batch->second[number + 1]);
        solve_pair_path(batch, number, &pair, &space);
    }
    free(space.memory);
    return 1;
}
