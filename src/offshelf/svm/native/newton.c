/* The Newton step on the free rows: a blocked Cholesky factorisation (Golub, Van Loan, Matrix Computations, section 4.2) in
float32. The triangle is stored in the order in which it is read: strips of LANES rows, each column by column. */

#include <math.h>
#include <stdlib.h>

#include "native.h"

enum { LANES = VECTOR / sizeof(float), STRIPS = 4 };
typedef float Lanes __attribute__((vector_size(VECTOR), aligned(sizeof(float)), may_alias));

/* The start of a strip. Each strip has one block of LANES columns more than the one before. */
INLINE float *strip(float *triangle, int64_t number) { return triangle + LANES * LANES * (number * (number + 1) / 2); }

/* Store K + κ11' + diag e of the free rows, padded to whole strips with the identity. */
INLINE void pack_triangle(int64_t rows, const float *K, float kappa, const float *e, int64_t count,
                          const int64_t *free_rows, float *triangle) {
    for (int64_t start = 0; start < count; start += LANES) {
        float *own = strip(triangle, start / LANES);
        const float *from[LANES];
        for (int64_t lane = 0; lane < LANES; lane++)
            from[lane] = K + free_rows[start + lane < count ? start + lane : count - 1] * rows;
        for (int64_t column = 0; column < start + LANES; column++)
            for (int64_t lane = 0; lane < LANES; lane++) {
                int is_inside = start + lane < count && column < count;
                own[column * LANES + lane] = is_inside ? from[lane][free_rows[column]] + kappa : 0;
            }
        for (int64_t lane = 0; lane < LANES; lane++)
            own[(start + lane) * LANES + lane] += start + lane < count ? e[free_rows[start + lane]] : 1;
    }
}

/* Subtract from a block of a strip its products with the columns before it. `above` is the strip of the block's columns. */
INLINE void subtract_products(int64_t before, const float *above, float *own) {
    Lanes sums[LANES], *block = (Lanes *)(own + before * LANES);
    for (int m = 0; m < LANES; m++) sums[m] = block[m];
    for (int64_t k = 0; k < before; k++) {
        Lanes other = *(const Lanes *)(own + k * LANES);
        for (int m = 0; m < LANES; m++) sums[m] -= other * above[k * LANES + m];
    }
    for (int m = 0; m < LANES; m++) block[m] = sums[m];
}

/* Compute L of that block; on the diagonal 1/L_mm comes first. Returns 0 if the matrix is not positive definite. */
INLINE int factorise_block(int64_t before, const float *above, float *own, float *inverse) {
    Lanes *columns = (Lanes *)(own + before * LANES);
    for (int m = 0; m < LANES; m++) {
        for (int j = 0; j < m; j++) columns[m] -= columns[j] * above[(before + j) * LANES + m];
        if (own == above) {
            float pivot = own[(before + m) * LANES + m];
            if (!(pivot > 0)) return 0;
            inverse[before + m] = 1 / sqrtf(pivot);
        }
        columns[m] *= inverse[before + m];
    }
    return 1;
}

/* Compute L in place, and 1/L_mm. STRIPS strips use each block while its strip is in the cache. */
INLINE int factorise(int64_t strips, float *triangle, float *inverse) {
    for (int64_t first = 0; first < strips; first += STRIPS) {
        if (is_stopped()) return 0;
        int64_t end = first + STRIPS < strips ? first + STRIPS : strips;
        for (int64_t block = 0; block < end; block++)
            for (int64_t number = block > first ? block : first; number < end; number++) {
                float *above = strip(triangle, block), *own = strip(triangle, number);
                subtract_products(block * LANES, above, own);
                if (!factorise_block(block * LANES, above, own, inverse)) return 0;
            }
    }
    return 1;
}

/* Solve L L' x = b in place. */
INLINE void substitute(int64_t strips, float *triangle, const float *inverse, float *x) {
    for (int64_t number = 0; number < strips; number++) {
        const float *own = strip(triangle, number);
        float *part = x + number * LANES;
        Lanes sum = *(Lanes *)part;
        for (int64_t k = 0; k < number * LANES; k++) sum -= *(const Lanes *)(own + k * LANES) * x[k];
        *(Lanes *)part = sum;
        for (int j = 0; j < LANES; j++) {
            part[j] *= inverse[number * LANES + j];
            for (int i = j + 1; i < LANES; i++) part[i] -= own[(number * LANES + j) * LANES + i] * part[j];
        }
    }
    for (int64_t number = strips; number-- > 0;) {
        const float *own = strip(triangle, number);
        float *part = x + number * LANES;
        for (int j = LANES; j-- > 0;) {
            for (int i = j + 1; i < LANES; i++) part[j] -= own[(number * LANES + j) * LANES + i] * part[i];
            part[j] *= inverse[number * LANES + j];
        }
        for (int64_t k = 0; k < number * LANES; k++) {
            float sum = 0;
#pragma omp simd reduction(+ : sum)
            for (int i = 0; i < LANES; i++) sum += own[k * LANES + i] * part[i];
            x[k] -= sum;
        }
    }
}

/* Solve (K + κ11' + diag e) x = b on the free rows and columns; x replaces b. Returns 1, 0 if the matrix is not positive
definite, or -1 if memory cannot be allocated. */
int64_t newton_solve(int64_t rows, const float *K, double kappa, const float *e, int64_t count,
                     const int64_t *free_rows, float *b) {
    int64_t strips = (count + LANES - 1) / LANES, size = strips * LANES;
    float *triangle = malloc((LANES * size * (strips + 1) / 2 + 2 * size) * sizeof(float));
    if (!triangle) return -1;
    float *inverse = strip(triangle, strips), *x = inverse + size;
    pack_triangle(rows, K, (float)kappa, e, count, free_rows, triangle);
    for (int64_t i = 0; i < size; i++) x[i] = i < count ? b[i] : 0;
    int is_done = factorise(strips, triangle, inverse);
    if (is_done) substitute(strips, triangle, inverse, x);
    for (int64_t i = 0; i < count && is_done; i++) b[i] = x[i];
    free(triangle);
    return is_done;
}
