/* One-vs-one: small problems, a pair of classes each. See pairwise.py. */

#include <float.h>
#include <stdlib.h>

#include "active.h"
#include "pairs.h"

enum { ROUNDS = 60, STEPS = 50 }; /* times that the gradient is refreshed, and steps a row in each, at most */
enum { PATIENCE = 4 };            /* times without a smaller gap, once it is small enough, before the search is given up */
static const double FAR = 0.1;    /* with a larger gap, nothing is to be had from a better factor of w */
/* Factors of w among which the best primal point is chosen: as `problem.STRETCHES`. */
static const double STRETCHES[] = {1, 1 + 1e-6, 1 + 1e-5, 1 + 3e-5, 1 + 1e-4, 1 + 3e-4, 1 + 1e-3};

/* All pairs, in all variants, the whole last, at all values of C, upwards. */
typedef struct {
    int64_t rows, pairs, variants, values;
    const double *products; /* [R, R], of rows that are ordered by class */
    const double *shift;    /* u [R] */
    double kappa;           /* of a free bias, in the method of multipliers: in units of 1/C where that is more */
    double share;           /* s², with a free bias */
    int64_t is_free, is_squared;
    const int64_t *begins;         /* the first row of each class, and the end */
    const int64_t *first, *second; /* the classes of each pair */
    const int64_t *places;         /* where the β of each pair are in a list of all, and the end; N in all */
    const double *weights;         /* [R, V], 0 for rows that are left out */
    const double *Cs;
    double tol, aim;
    double *betas, *offsets, *gaps; /* [C, V, N], [C, V, P], [C, V, P] */
} Walk;

/* The memory of one thread. */
typedef struct {
    double *K, *y, *caps, *e, *upper, *whole, *best;
    float *single_K, *single_y, *single_e, *gradient, *scratch;
    int64_t *numbers; /* of the rows */
    void *memory;
} Work;

typedef struct {
    double gap, scale, factor;
} Certificate;

/* Scale β by the best factor that the new bounds allow. */
INLINE void stretch(const Pair *pair, double most) {
    double linear = 0, quadratic = 0;
    multiply(pair, pair->beta, pair->margins);
    for (int64_t i = 0; i < pair->rows; i++) {
        linear += pair->y[i] * pair->beta[i];
        quadratic += pair->beta[i] * pair->margins[i];
    }
    double factor = pair->is_squared || quadratic <= 0 ? 1 : smaller(larger(linear / quadratic, 0), most);
    for (int64_t i = 0; i < pair->rows; i++) pair->beta[i] *= factor;
}

/* Relative gap, the scale of the objectives, and the factor of w with the best primal one. */
INLINE Certificate certify(const Pair *pair, double offset, double tol) {
    double quadratic = 0, linear = 0, squares = 0;
#pragma omp simd reduction(+ : quadratic, linear, squares)
    for (int64_t i = 0; i < pair->rows; i++) {
        quadratic += pair->beta[i] * pair->margins[i];
        linear += pair->y[i] * pair->beta[i];
        squares += pair->e[i] * pair->beta[i] * pair->beta[i];
    }
    double dual = linear - quadratic / 2 - squares / 2, best = DBL_MAX, factor = 1;
    double norm = quadratic + (pair->share > 0 ? offset * offset / pair->share : 0);
    for (size_t number = 0; number < sizeof STRETCHES / sizeof *STRETCHES; number++) {
        double each = STRETCHES[number], primal = each * each * norm / 2;
#pragma omp simd reduction(+ : primal)
        for (int64_t i = 0; i < pair->rows; i++) {
            double slack = larger(1 - each * pair->y[i] * (pair->margins[i] + offset), 0);
            primal += pair->caps[i] * (pair->is_squared ? slack * slack : slack);
        }
        if (primal < best) best = primal, factor = each;
        if (pair->is_squared || best - dual <= tol * best || best - dual > FAR * best) break;
    }
    double gap = best > 0 ? larger(best - dual, 0) / best : 0;
    return (Certificate){gap, larger(dual, best / 4), factor};
}

/* Scale down the heavier of the positive and the negative side: Σ β = 0. */
INLINE void balance(int64_t rows, double *beta) {
    double positive = 0, negative = 0;
    for (int64_t i = 0; i < rows; i++) positive += larger(beta[i], 0), negative += larger(-beta[i], 0);
    double least = smaller(positive, negative);
    for (int64_t i = 0; i < rows; i++)
        if (beta[i] != 0) beta[i] *= least / (beta[i] > 0 ? positive : negative);
}

/* Improve β and b by greedy pairs, in float32. */
INLINE void improve(const Pair *pair, double multiplier, double target, double *offset, const Work *work) {
    double before = 0, after = 0;
    for (int64_t i = 0; i < pair->rows * pair->rows; i++) work->single_K[i] = (float)pair->K[i];
    for (int64_t i = 0; i < pair->rows; i++) {
        work->single_e[i] = (float)pair->e[i];
        work->single_y[i] = (float)pair->y[i];
        work->gradient[i] = (float)(pair->margins[i] + *offset - pair->y[i] + pair->e[i] * pair->beta[i]);
        before += pair->beta[i];
    }
    Box box = {pair->rows, work->single_K, multiplier, work->single_e, pair->upper, work->single_y};
    descend_in(box, pair->beta, work->gradient, target, STEPS * pair->rows + 100, work->scratch);
    if (!pair->is_free) return;
    for (int64_t i = 0; i < pair->rows; i++) after += pair->beta[i];
    *offset += multiplier * (after - before);
    balance(pair->rows, pair->beta);
}

/* Solve at one C, β and b in place: the best of what was found, since with rows that depend on each other, between which
large weights may move for next to nothing, a round may do harm. */
INLINE Certificate solve_at(const Pair *pair, const Walk *walk, double multiplier, double *offset, const Work *work) {
    Certificate best = {DBL_MAX, 1, 1};
    double offset_of_best = *offset;
    int is_settled = 0, stuck = 0;
    multiply(pair, pair->beta, pair->margins);
    for (int round = 0; round < ROUNDS; round++) {
        Certificate found = certify(pair, *offset, walk->tol);
        stuck += found.gap <= walk->tol && found.gap > best.gap / 2;
        if (!round || found.gap < best.gap) {
            best = found, offset_of_best = *offset;
            memcpy(work->best, pair->beta, pair->rows * sizeof(double));
        }
        if (found.gap <= walk->aim || stuck == PATIENCE) break;
        is_settled = !is_settled && settle(pair, offset);
        if (is_settled) continue;
        improve(pair, multiplier, walk->aim * found.scale / 2, offset, work);
        multiply(pair, pair->beta, pair->margins);
    }
    memcpy(pair->beta, work->best, pair->rows * sizeof(double));
    *offset = offset_of_best;
    return best;
}

/* Products of some rows, in a row of K. */
INLINE void copy_products(const Walk *walk, int64_t row, int64_t begin, int64_t count, double *out) {
    const double *products = walk->products + row * walk->rows + begin, *shifts = walk->shift + begin;
    double shift = walk->shift[row];
#pragma omp simd
    for (int64_t j = 0; j < count; j++) out[j] = products[j] + (shift + shifts[j]);
}

/* The signs of a pair's rows, and their products. */
INLINE void gather_pair(const Walk *walk, int64_t number, Pair *pair, const Work *work) {
    const int64_t *begins = walk->begins;
    int64_t first = walk->first[number], second = walk->second[number];
    int64_t own = begins[first + 1] - begins[first], others = begins[second + 1] - begins[second], size = own + others;
    pair->rows = whole_lanes(size);
    memset(work->K, 0, pair->rows * pair->rows * sizeof(double));
    for (int64_t i = 0; i < size; i++) {
        double *row = work->K + i * pair->rows;
        work->numbers[i] = i < own ? begins[first] + i : begins[second] + i - own;
        if (i < own) copy_products(walk, work->numbers[i], begins[first], own, row);
        copy_products(walk, work->numbers[i], begins[second], others, row + own);
    }
    for (int64_t i = own; i < size; i++) /* what the second class has to do with the first is near the first's products */
        for (int64_t j = 0; j < own; j++) work->K[i * pair->rows + j] = work->K[j * pair->rows + i];
    for (int64_t i = 0; i < pair->rows; i++) work->y[i] = i < own || i >= size ? 1 : -1;
}

/* Ask for the products within a class, which no pair before it had to do with. */
INLINE void fetch_ahead(const Walk *walk, int64_t class) {
    int64_t begin = walk->begins[class], end = walk->begins[class + 1];
    for (int64_t i = begin; i < end && i < begin + MOST_FREE; i++)
        for (int64_t j = begin; j < end + 7 && j < begin + MOST_FREE; j += 8)
            __builtin_prefetch(walk->products + i * walk->rows + j);
}

/* The bounds of a variant at one C. */
INLINE void bound(const Walk *walk, double C, int64_t variant, int64_t size, const Pair *pair, const Work *work) {
    for (int64_t i = 0; i < pair->rows; i++) {
        double cap = i < size ? C * walk->weights[work->numbers[i] * walk->variants + variant] : 0;
        work->caps[i] = cap;
        work->upper[i] = pair->is_squared && cap > 0 ? 1e30 : cap;
        work->e[i] = pair->is_squared && cap > 0 ? 0.5 / cap : 0;
    }
}

/* One pair: the whole goes from each C to the next; a fold starts from the whole at its C. */
INLINE void walk_pair(const Walk *walk, int64_t number, Pair *pair, const Work *work) {
    int64_t size = walk->places[number + 1] - walk->places[number], last = walk->variants - 1;
    double offset_of_whole = 0;
    gather_pair(walk, number, pair, work);
    memset(work->whole, 0, pair->rows * sizeof(double));
    for (int64_t c = 0; c < walk->values; c++) {
        double C = walk->Cs[c], multiplier = walk->kappa * (pair->is_free ? larger(1, 1 / C) : 1);
        for (int64_t turn = 0; turn <= last; turn++) {
            int64_t variant = turn ? turn - 1 : last, out = c * walk->variants + variant;
            double offset = offset_of_whole;
            bound(walk, C, variant, size, pair, work);
            for (int64_t i = 0; i < pair->rows; i++) pair->beta[i] = pair->upper[i] > 0 ? work->whole[i] : 0;
            if (turn && pair->is_free) balance(pair->rows, pair->beta);
            if (!turn && c) stretch(pair, C / walk->Cs[c - 1]);
            Certificate found = solve_at(pair, walk, multiplier, &offset, work);
            if (!turn) {
                memcpy(work->whole, pair->beta, pair->rows * sizeof(double));
                offset_of_whole = offset;
            }
            double *betas = walk->betas + out * walk->places[walk->pairs] + walk->places[number];
            for (int64_t i = 0; i < size; i++) betas[i] = found.factor * pair->beta[i];
            walk->offsets[out * walk->pairs + number] = found.factor * offset;
            walk->gaps[out * walk->pairs + number] = found.gap;
        }
    }
}

/* Memory for pairs of at most so many rows; returns 0 where there is none. */
INLINE int allocate(int64_t rows, Pair *pair, Work *work) {
    int64_t most = whole_lanes((rows < MOST_FREE ? rows : MOST_FREE) + SIDES);
    double **doubles[] = {&work->y, &work->caps, &work->e, &work->upper, &work->whole, &work->best, &pair->beta,
                          &pair->margins, &pair->trial, &pair->product, &pair->is_inside, &pair->is_full};
    float **singles[] = {&work->single_y, &work->single_e, &work->gradient};
    int64_t arrays = sizeof doubles / sizeof *doubles, small = sizeof singles / sizeof *singles + SCRATCH;
    int64_t bytes = 8 * (rows * rows + most * most + (SIDES + LANES) * most + arrays * rows + 2 * rows + LANES);
    double *next = work->memory = malloc(bytes + 4 * (rows * rows + small * rows));
    if (!next) return 0;
    work->K = next, next += rows * rows;
    pair->columns = next, next += most * most;
    pair->scaled = next, next += LANES * most;
    pair->solved = next, next += SIDES * most;
    for (int64_t each = 0; each < arrays; each++) *doubles[each] = next, next += rows;
    work->numbers = (int64_t *)next, next += rows;
    pair->inside = (int64_t *)next, next += rows + LANES;
    float *single = (float *)next;
    work->single_K = single, single += rows * rows;
    for (size_t each = 0; each < sizeof singles / sizeof *singles; each++) *singles[each] = single, single += rows;
    work->scratch = single, single += SCRATCH * rows;
    pair->K = work->K, pair->y = work->y, pair->caps = work->caps, pair->e = work->e, pair->upper = work->upper;
    return 1;
}

/* Solve some pairs, [start, stop). Returns 0 if memory is short. */
int64_t walk_pairs(const Walk *walk, int64_t start, int64_t stop) {
    int64_t rows = 0;
    for (int64_t number = start; number < stop; number++) {
        int64_t size = walk->places[number + 1] - walk->places[number];
        rows = size > rows ? size : rows;
    }
    Work work;
    Pair pair;
    if (!allocate(whole_lanes(rows), &pair, &work)) return 0;
    pair.is_free = (int)walk->is_free, pair.is_squared = (int)walk->is_squared;
    pair.kappa = walk->is_free ? 0 : walk->kappa, pair.share = walk->share;
    for (int64_t number = start; number < stop; number++) {
        if (number + 1 < stop) fetch_ahead(walk, walk->second[number + 1]);
        walk_pair(walk, number, &pair, &work);
    }
    free(work.memory);
    return 1;
}
