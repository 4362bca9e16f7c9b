/* Dual coordinate descent with shrinking for one binary problem: Hsieh, Chang, Lin, Keerthi, Sundararajan, "A dual coordinate
descent method for large-scale linear SVM", ICML 2008, as in liblinear. w = Σ β x is kept in `pull`, in float64.

Single coordinates cannot move under the constraint Σ β = 0 of a free bias. The method of multipliers lifts it: with a penalty
κ (Σ β)² / 2, after each pass the multiplier, which is the bias, becomes b + κ Σ β. Rows are then centred, which changes nothing
under the constraint: z_i·Σ β z = x_i·w - m·w - Σ β (x_i·m - |m|²) with their mean m. */

#ifndef OFFSHELF_DESCENT_H
#define OFFSHELF_DESCENT_H

#include "binary.h"

static const double ROUNDING = 1e-12; /* gradients below this are rounding errors */
static const double STRONGEST = 0.01,
                    WEAKEST = 0.1;      /* factors by which the largest gradient decreases before the gap is checked */
enum { SAMPLE = 8, LEAST_SAMPLE = 50 }; /* at first one row in so many is visited, if they are not too few */
enum { GRAM_MOST = 1024, GRAM_ROWS = 200 }; /* rows of a matrix of products, at most and usually */
static const double GRAM_STEPS = 30;        /* the cost of solving in it, in units of its size */
enum { PATIENCE = 2 };                      /* checks of the gap that may show too slow a decrease, */
/* after these shares of the most work, before interior points and products: at first the gap may even rise */
static const double EARLY[] = {0.1, 0.3};

typedef struct {
    double total, along_mean, bias; /* Σ β, m·w, b */
    int32_t *active;
    int64_t count;       /* of active rows */
    int64_t losing;      /* rows below the margin */
    double above, below; /* shrinking thresholds, the largest and the least projected gradient of the pass before */
    uint32_t random;
} Descent;

/* Return the decision value of a row, without a free bias. */
INLINE double decision_of(const Binary *problem, int64_t number, const Descent *state) {
    const Rows *rows = problem->rows;
    double value = dot_row(rows, number, problem->pull);
    if (!rows->is_free) return value;
    return value + state->total * (rows->mean_square - rows->shift[number] - rows->bias * rows->bias) -
           state->along_mean;
}

/* Change the β of a row. */
INLINE void move(const Binary *problem, int64_t number, double change, Descent *state) {
    const Rows *rows = problem->rows;
    state->total += change;
    if (rows->is_free) state->along_mean += rows->shift[number] * change;
    add_row(rows, number, change, problem->pull);
}

/* Put the active rows into a random order: the same in each process. */
INLINE void shuffle(Descent *state) {
    for (int64_t left = state->count; left > 1; left--) {
        uint32_t random = state->random;
        random ^= random << 13, random ^= random >> 17, random ^= random << 5;
        state->random = random;
        int64_t other = (int64_t)(((uint64_t)random * (uint64_t)left) >> 32);
        int32_t row = state->active[left - 1];
        state->active[left - 1] = state->active[other], state->active[other] = row;
    }
}

/* Fetch the start of the row that is visited next but one. */
INLINE void prefetch(const Rows *rows, int64_t number) {
    int64_t size = rows->is_double ? sizeof(double) : sizeof(float);
    const char *row = (const char *)rows->source + number * rows->dims * size;
    for (int64_t byte = 0; byte < rows->dims * size && byte < 2048; byte += 64) __builtin_prefetch(row + byte);
}

/* Update each active row once. Rows that are at a bound, with a gradient beyond the thresholds, become inactive. Returns the
range of the projected gradients. */
INLINE double descent_pass(const Binary *problem, Descent *state) {
    const Rows *rows = problem->rows;
    double above = 0, below = 0;
    int64_t kept = 0;
    shuffle(state);
    for (int64_t visit = 0; visit < state->count && !is_stopped(); visit++) {
        int32_t i = state->active[visit];
        int64_t number = problem->numbers[i];
        if (visit + 2 < state->count) prefetch(rows, problem->numbers[state->active[visit + 2]]);
        double y = problem->y[i], alpha = problem->alpha[i], e = rows->is_squared ? 0.5 / problem->caps[i] : 0;
        double bias = rows->is_free ? state->bias + rows->kappa * state->total : 0;
        double gradient = y * (decision_of(problem, number, state) + bias) - 1 + e * alpha;
        double most = rows->is_squared ? DBL_MAX : problem->caps[i];
        if ((alpha <= 0 && gradient > state->above) || (alpha >= most && gradient < state->below)) continue;
        state->active[kept++] = i;
        double projected = alpha <= 0 ? smaller(gradient, 0) : alpha >= most ? larger(gradient, 0) : gradient;
        above = larger(above, projected), below = smaller(below, projected);
        if (projected == 0) continue;
        double next = smaller(larger(alpha - gradient / (rows->diagonal[number] + e), 0), most);
        problem->alpha[i] = next;
        move(problem, number, y * (next - alpha), state);
    }
    state->count = kept;
    state->bias += rows->is_free ? rows->kappa * state->total : 0;
    state->above = above > 0 ? above : DBL_MAX, state->below = below < 0 ? below : -DBL_MAX;
    return above - below;
}

/* Return the relative gap, and make active the rows that are not at a bound with a gradient beyond the thresholds. An
imbalance under a free bias counts as what a shift of the bias by 1 may cost. */
INLINE double descent_gap(const Binary *problem, Descent *state) {
    const Rows *rows = problem->rows;
    double gap = 0, losses = 0, norm = 0, bias = rows->is_free ? state->bias : 0;
    state->count = state->losing = 0;
    for (int64_t i = 0; i < problem->count && !is_stopped(); i++) {
        double y = problem->y[i], alpha = problem->alpha[i], cap = problem->caps[i];
        double value = y * decision_of(problem, problem->numbers[i], state), slack = larger(1 - value - y * bias, 0);
        double loss = rows->is_squared ? cap * slack * slack : cap * slack, e = rows->is_squared ? 0.5 / cap : 0;
        double gradient = value + y * bias - 1 + e * alpha;
        losses += loss, norm += alpha * value, state->losing += slack > 0;
        gap += alpha * (value - 1) + loss + e * alpha * alpha / 2;
        int is_firm =
            (alpha <= 0 && gradient > state->above) || (!rows->is_squared && alpha >= cap && gradient < state->below);
        if (!is_firm) state->active[state->count++] = (int32_t)i;
    }
    gap += rows->is_free ? fabs(state->total) : 0;
    return gap / (norm / 2 + losses);
}

/* Begin with the w of α, and with one row in SAMPLE active if α is 0. */
INLINE void begin_descent(const Binary *problem, Descent *state) {
    state->total = state->along_mean = 0, state->random = 2463534242u;
    state->above = DBL_MAX, state->below = -DBL_MAX, state->count = 0;
    memset(problem->pull, 0, problem->dims * sizeof(double));
    int is_new = 1;
    for (int64_t i = 0; i < problem->count; i++)
        if (problem->alpha[i] > 0)
            move(problem, problem->numbers[i], problem->y[i] * problem->alpha[i], state), is_new = 0;
    int64_t step = is_new && problem->count >= SAMPLE * LEAST_SAMPLE ? SAMPLE : 1;
    for (int64_t i = 0; i < problem->count; i += step) state->active[state->count++] = (int32_t)i;
}

/* Return the cost of solving for the rows in question in the matrix of their products, if they are few, or `most`. */
INLINE double cost_of_rest(const Binary *problem, const Descent *state, double most) {
    if (state->count > GRAM_MOST || state->losing > smaller_of(problem->dims, GRAM_ROWS)) return most;
    double rows = (double)larger_of(state->count, GRAM_ROWS), dims = (double)problem->dims;
    return smaller(most, rows * rows * (dims / 4 + GRAM_STEPS));
}

/* Improve α, and the pull, in place until the relative gap is at most `target`, gradients are rounding errors, or it would take
more than `most` multiplications at the present pace. Returns the gap. */
OUTLINE double descend(const Binary *problem, Descent *state, double target, double most) {
    double work = 0, gap = DBL_MAX, each = (double)problem->rows->dims + 16, all = each * (double)problem->count;
    double rest, rest_before = most;
    int slow = 0, is_exact = 0;
    begin_descent(problem, state);
    while (gap > target && work < 3 * most && slow < PATIENCE && !is_exact && !is_stopped()) {
        double inner = 0, range, first = 0, before = gap, share = smaller(larger(target / gap / 2, STRONGEST), WEAKEST);
        do {
            inner += 2 * each * (double)state->count;
            range = descent_pass(problem, state);
            first = first > 0 ? first : range;
        } while (inner < 2 * all && range > share * first);
        gap = descent_gap(problem, state);
        rest = cost_of_rest(problem, state, most);
        slow = rest == rest_before ? slow : 0, rest_before = rest;
        work += inner + all;
        int is_slow = !(log(gap / target) * (inner + all) < rest * log(before / gap));
        slow += before < DBL_MAX && work > EARLY[rest < most] * rest && is_slow;
        is_exact = range < ROUNDING;
    }
    return gap;
}

#endif
