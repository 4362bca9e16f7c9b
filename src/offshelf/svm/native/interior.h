/* A primal-dual interior-point method for a binary linear SVM on a working set, with Mehrotra's predictor and corrector.
`path_binary.py` describes the method and the system that each step solves; rows held at their bounds have the sum g of
α y x. Under the squared hinge ξ is not a variable but α / 2U. */

#ifndef OFFSHELF_INTERIOR_H
#define OFFSHELF_INTERIOR_H

#include "active_set.h"
#include "binary.h"

enum { MOST_STEPS = 80, LEAST_STEPS = 15, PANEL = 32, TILE = 4 };
static const double BOUNDARY = 0.995; /* share of the way to the boundary that a step takes */
static const double START = 15;       /* μ at the start, in units of the objective per row */
/* After a corrected step that is shorter than this, a step towards this share of μ is taken instead: where a predictor meets the
boundary at once, its second-order terms are worthless. */
static const double SHORT = 0.3, CENTRING = 0.3;

/* A working set of `count` rows, and workspace. Rows have `width` values: y x, the bias, and zeros. */
typedef struct {
    int64_t count, dims, width;
    int is_free, is_squared;
    const double *g;
    double held; /* Σ U of the rows that are held at their upper bounds */
    double *X, *caps, *w, *margins, *alpha, *s, *xi, *v, *theta, *along, *dalpha, *ds, *dxi, *best_alpha;
    double *pull, *right, *dw, *best_w, *diagonal, *columns, *scaled, *panel;
} Interior;

INLINE double dot(int64_t width, const double *a, const double *b) {
    Lanes even = {0}, odd = {0};
    int64_t start = 0;
    for (; start + 2 * LANES <= width; start += 2 * LANES) {
        even += *(const Lanes *)(a + start) * *(const Lanes *)(b + start);
        odd += *(const Lanes *)(a + start + LANES) * *(const Lanes *)(b + start + LANES);
    }
    for (; start < width; start += LANES) even += *(const Lanes *)(a + start) * *(const Lanes *)(b + start);
    double total = 0;
    even += odd;
    for (int lane = 0; lane < LANES; lane++) total += even[lane];
    return total;
}

INLINE void add(int64_t width, double factor, const double *row, double *out) {
    for (int64_t start = 0; start < width; start += LANES)
        *(Lanes *)(out + start) += *(const Lanes *)(row + start) * factor;
}

/* Add the products of four columns and `vectors` vectors of rows of a panel to the system. */
INLINE void add_tile(int64_t rows, int64_t width, const double *panel, const double *X, int vectors, double *out) {
    Lanes sums[TILE][2];
    for (int c = 0; c < TILE; c++)
        for (int k = 0; k < vectors; k++) sums[c][k] = *(const Lanes *)(out + c * width + k * LANES);
    for (int64_t r = 0; r < rows; r++) {
        const double *left = panel + r * width, *right = X + r * width;
        for (int k = 0; k < vectors; k++) {
            Lanes row = *(const Lanes *)(right + k * LANES);
            for (int c = 0; c < TILE; c++) sums[c][k] += row * left[c];
        }
    }
    for (int c = 0; c < TILE; c++)
        for (int k = 0; k < vectors; k++) *(Lanes *)(out + c * width + k * LANES) = sums[c][k];
}

/* Compute the lower half of R + X' diag(θ) X, column by column, without rows whose θ is negligible. */
INLINE void form_system(const Interior *set) {
    int64_t width = set->width;
    double largest = 0;
    memset(set->columns, 0, width * width * sizeof(double));
    for (int64_t i = 0; i < set->count; i++) largest = larger(largest, set->theta[i]);
    double least = smaller(largest, 1) * 1e-9;
    double *panel = set->panel, *rows = set->panel + PANEL * width;
    for (int64_t i = 0; i < set->count && !is_stopped();) {
        int64_t filled = 0;
        for (; i < set->count && filled < PANEL; i++) {
            if (set->theta[i] < least) continue;
            const double *from = set->X + i * width;
            for (int64_t start = 0; start < width; start += LANES) {
                Lanes values = *(const Lanes *)(from + start);
                *(Lanes *)(rows + filled * width + start) = values;
                *(Lanes *)(panel + filled * width + start) = values * set->theta[i];
            }
            filled++;
        }
        for (int64_t column = 0; column < width; column += TILE) {
            double *out = set->columns + column * width;
            int64_t start = column / LANES * LANES;
            for (; start + 2 * LANES <= width; start += 2 * LANES)
                add_tile(filled, width, panel + column, rows + start, 2, out + start);
            for (; start < width; start += LANES) add_tile(filled, width, panel + column, rows + start, 1, out + start);
        }
    }
    for (int64_t d = 0; d < set->dims; d++) set->columns[d * width + d] += d == set->dims - 1 && set->is_free ? 0 : 1;
}

/* Factorise the system in place; 0 if it is singular. */
INLINE int factorise_system(const Interior *set) {
    int64_t width = set->width, size = set->dims;
    form_system(set);
    for (int64_t d = 0; d < size; d++) {
        double *diagonal = set->columns + d * width + d;
        *diagonal *= 1 + 1e-14;
        set->diagonal[d] = *diagonal;
    }
    return factorise(size, width, set->columns, set->diagonal, set->scaled, 1e-15);
}

/* Solve with the factors, in place. */
INLINE void solve_system(const Interior *set, double *x) {
    int64_t width = set->width, size = set->dims;
    for (int64_t j = 0; j < size; j++) { /* column j of L, times D, starts below its diagonal, which is 1/D */
        const double *column = set->columns + j * width;
        double by = x[j] * column[j];
        for (int64_t i = j + 1; i < size; i++) x[i] -= column[i] * by;
    }
    for (int64_t j = size - 1; j >= 0; j--) {
        const double *column = set->columns + j * width;
        double total = x[j];
#pragma omp simd reduction(+ : total)
        for (int64_t i = j + 1; i < size; i++) total -= column[i] * x[i];
        x[j] = total * column[j];
    }
}

INLINE double ridge_of(const Interior *set, int64_t d) { return d == set->dims - 1 && set->is_free ? 0 : 1; }

/* Take the point of the central path that has the margins of w, at a μ that suits the objective. */
INLINE void begin(Interior *set) {
    double objective = 0;
    for (int64_t d = 0; d < set->dims; d++) objective += ridge_of(set, d) * set->w[d] * set->w[d] / 2;
    for (int64_t i = 0; i < set->count; i++) {
        set->margins[i] = dot(set->width, set->X + i * set->width, set->w);
        double slack = larger(1 - set->margins[i], 0);
        objective += set->caps[i] * (set->is_squared ? slack * slack : slack);
    }
    double mu = larger(START * objective / (double)set->count, 1e-300);
    for (int64_t i = 0; i < set->count; i++) {
        double cap = set->caps[i], over = set->margins[i] - 1;
        if (set->is_squared) {
            double root = sqrt(over * over + 2 * mu / cap);
            set->s[i] = over > 0 ? (root + over) / 2 : mu / cap / larger(root - over, 1e-300);
        } else {
            double root = sqrt(cap * over * cap * over + 4 * mu * mu), more = cap * over;
            double up = more > 0 ? root + more : 4 * mu * mu / (root - more); /* without cancellation */
            double down = more > 0 ? 4 * mu * mu / (root + more) : root - more;
            set->s[i] = (2 * mu + up) / (2 * cap), set->xi[i] = (2 * mu + down) / (2 * cap);
            set->v[i] = mu / set->xi[i];
        }
        set->alpha[i] = mu / set->s[i];
    }
}

/* Compute margins, the pull, θ and the right-hand side of the predictor, in one pass over the rows. Returns the relative gap;
an imbalance under a free bias counts as what a shift of it by 1 may cost. */
INLINE double linearise(Interior *set) {
    int64_t width = set->width;
    double losses = 0, dual = 0;
    memcpy(set->pull, set->g, width * sizeof(double));
    memset(set->right, 0, width * sizeof(double));
    for (int64_t i = 0; i < set->count; i++) {
        const double *row = set->X + i * width;
        double margin = dot(width, row, set->w), alpha = set->alpha[i], cap = set->caps[i];
        double slack = larger(1 - margin, 0);
        losses += cap * (set->is_squared ? slack * slack : slack);
        dual += alpha - (set->is_squared ? alpha * alpha / (4 * cap) : 0);
        set->margins[i] = margin;
        if (set->is_squared) set->xi[i] = alpha / (2 * cap);
        double theta = 1 / (set->s[i] / alpha + (set->is_squared ? 0.5 / cap : set->xi[i] / set->v[i]));
        set->theta[i] = theta;
        double lack = 1 - margin - (set->is_squared ? set->xi[i] : 0), by = theta * lack;
        for (int64_t start = 0; start < width; start += LANES) {
            Lanes values = *(const Lanes *)(row + start);
            *(Lanes *)(set->pull + start) += values * alpha;
            *(Lanes *)(set->right + start) += values * by;
        }
    }
    double primal = losses + set->held;
    dual += set->held;
    for (int64_t d = 0; d < set->dims; d++) {
        double ridge = ridge_of(set, d), w = set->w[d], pull = set->pull[d];
        primal += ridge * w * w / 2 - set->g[d] * w;
        dual -= ridge > 0 ? pull * pull / 2 : fabs(pull);
        set->right[d] -= ridge * w - pull;
    }
    return primal > 0 ? (primal - dual) / primal : DBL_MAX;
}

/* Solve for dw in place of the right-hand side; the steps of the other variables follow from their residuals rs and rx, which
are `target` less the products, and less the second-order terms of the predictor if `is_corrector`. */
INLINE double take_direction(Interior *set, double target, int is_corrector) {
    double most = 0;
    solve_system(set, set->right);
    for (int64_t d = set->dims; d < set->width; d++) set->right[d] = 0;
    for (int64_t i = 0; i < set->count; i++) {
        double s = set->s[i], alpha = set->alpha[i], xi = set->xi[i], v = set->is_squared ? 1 : set->v[i];
        double rs = target - s * alpha, rx = target - xi * v;
        if (is_corrector) rs -= set->ds[i] * set->dalpha[i], rx += set->dxi[i] * set->dalpha[i];
        double residual = set->margins[i] - 1 + xi - s;
        double lack = rs / alpha - residual - (set->is_squared ? 0 : rx / v);
        double along = dot(set->width, set->X + i * set->width, set->right);
        double dalpha = set->theta[i] * (lack - along);
        double dxi = set->is_squared ? dalpha / (2 * set->caps[i]) : (rx + xi * dalpha) / v;
        double ds = along + dxi + residual;
        set->dalpha[i] = dalpha, set->dxi[i] = dxi, set->ds[i] = ds;
        most = larger(most, larger(-ds / s, -dalpha / alpha));
        if (!set->is_squared) most = larger(most, larger(-dxi / xi, dalpha / v));
    }
    return most > 0 ? 1 / most : DBL_MAX;
}

/* Return the mean of s α + ξ v after a step of some length. */
INLINE double mean_product(const Interior *set, double length) {
    double total = 0;
    for (int64_t i = 0; i < set->count; i++) {
        total += (set->s[i] + length * set->ds[i]) * (set->alpha[i] + length * set->dalpha[i]);
        if (!set->is_squared) total += (set->xi[i] + length * set->dxi[i]) * (set->v[i] - length * set->dalpha[i]);
    }
    return total / (double)set->count;
}

/* Compute the right-hand side of a step towards products of `target`. */
INLINE void aim_at(Interior *set, double target, int is_corrector) {
    memset(set->right, 0, set->width * sizeof(double));
    for (int64_t i = 0; i < set->count; i++) {
        double s = set->s[i], alpha = set->alpha[i], xi = set->xi[i], v = set->is_squared ? 1 : set->v[i];
        double rs = target - s * alpha, rx = target - xi * v;
        if (is_corrector) rs -= set->ds[i] * set->dalpha[i], rx += set->dxi[i] * set->dalpha[i];
        double lack = rs / alpha - (set->margins[i] - 1 + xi - s) - (set->is_squared ? 0 : rx / v);
        add(set->width, set->theta[i] * lack, set->X + i * set->width, set->right);
    }
    for (int64_t d = 0; d < set->dims; d++) set->right[d] -= ridge_of(set, d) * set->w[d] - set->pull[d];
}

/* Take a step along predictor and corrector; 0 where none can be taken. */
INLINE int take_step_inside(Interior *set) {
    if (!factorise_system(set)) return 0;
    double length = smaller(1, take_direction(set, 0, 0));
    double mu = mean_product(set, 0), after = mean_product(set, length) / mu, target = after * after * after * mu;
    aim_at(set, target, 1);
    length = smaller(1, BOUNDARY * take_direction(set, target, 1));
    if (length < SHORT) {
        aim_at(set, CENTRING * mu, 0);
        length = smaller(1, BOUNDARY * take_direction(set, CENTRING * mu, 0));
    }
    if (!(length > 1e-10)) return 0;
    for (int64_t d = 0; d < set->dims; d++) set->w[d] += length * set->right[d];
    for (int64_t i = 0; i < set->count; i++) {
        set->s[i] += length * set->ds[i], set->alpha[i] += length * set->dalpha[i];
        if (!set->is_squared) set->xi[i] += length * set->dxi[i], set->v[i] -= length * set->dalpha[i];
    }
    return 1;
}

/* Take steps from w until the relative gap of the working set is at most `tol`; w and α become those of the best point.
Returns the number of steps. */
OUTLINE int follow_path(Interior *set, double tol) {
    double least = DBL_MAX;
    int step = 0;
    begin(set);
    for (; step <= MOST_STEPS && !is_stopped(); step++) {
        double gap = linearise(set);
        if (gap < least || !step) {
            least = gap;
            memcpy(set->best_w, set->w, set->width * sizeof(double));
            memcpy(set->best_alpha, set->alpha, set->count * sizeof(double));
        }
        if (gap <= tol || (gap == DBL_MAX && step >= LEAST_STEPS) || !take_step_inside(set)) break;
    }
    memcpy(set->w, set->best_w, set->width * sizeof(double));
    memcpy(set->alpha, set->best_alpha, set->count * sizeof(double));
    return step;
}

#endif
