/* The tasks of a fit: each is a column of signs, or a pair of classes. */

#ifndef OFFSHELF_BATCH_H
#define OFFSHELF_BATCH_H

#include "binary.h"

/* The arguments of `binary_solve`; `native/batches.py` has the same fields: see `binary_batch_layout`. */
typedef struct {
    int64_t row_count, dims, tasks, first_task, variants, values; /* solutions begin with the first task */
    const void *source;                                           /* `Rows` describes these */
    int64_t is_double;
    double inverse_scale, bias;
    const double *diagonal, *shift;
    double mean_square, kappa;
    int64_t is_free, is_squared, group_count;
    const int32_t *groups;
    const double *means, *radii;
    const int8_t *signs; /* [R, K], 0 for rows that are not in a task; NULL for pairs of classes */
    const int64_t *order, *class_starts, *first,
        *second;            /* of pairs: rows by class, where each starts; classes of a pair */
    const uint8_t *members; /* [R, V]: the rows of a variant, of which the last is the whole */
    int64_t weight_columns; /* 1 or K */
    const double *weights;  /* factors of C: [R, 1 or K] */
    const double *Cs;
    double tol;
    double *solutions, *gaps; /* w of the scaled rows [K, C, V, D + 1], and [K, C, V] */
} BinaryBatch;

/* The rows of a task, their signs and their factors of C. */
typedef struct {
    int64_t count;
    int64_t *numbers;
    double *signs, *weights;
} Task;

INLINE Rows rows_of(const BinaryBatch *batch) {
    return (Rows){batch->dims,       batch->source,      batch->is_double,   batch->inverse_scale, batch->bias,
                  batch->diagonal,   batch->shift,       batch->mean_square, batch->kappa,         batch->is_free,
                  batch->is_squared, batch->group_count, batch->groups,      batch->means,         batch->radii};
}

INLINE int64_t class_size(const BinaryBatch *batch, int64_t number) {
    return batch->class_starts[number + 1] - batch->class_starts[number];
}

/* Return the most rows of some tasks. */
INLINE int64_t most_rows(const BinaryBatch *batch, int64_t start, int64_t stop) {
    int64_t most = batch->signs ? batch->row_count : 0;
    for (int64_t number = start; number < stop && !batch->signs; number++)
        most = larger_of(most, class_size(batch, batch->first[number]) + class_size(batch, batch->second[number]));
    return most;
}

INLINE int allocate_task(Task *task, int64_t most) {
    task->numbers = malloc(3 * most * sizeof(int64_t) + 1);
    task->signs = (double *)(task->numbers + most), task->weights = task->signs + most;
    return task->numbers != 0;
}

INLINE void add_to_task(const BinaryBatch *batch, int64_t number, int64_t row, double sign, Task *task) {
    int64_t column = batch->weight_columns == 1 ? 0 : number, at = task->count++;
    task->numbers[at] = row, task->signs[at] = sign;
    task->weights[at] = batch->weights[row * batch->weight_columns + column];
}

INLINE void gather_task(const BinaryBatch *batch, int64_t number, Task *task) {
    task->count = 0;
    if (batch->signs) {
        for (int64_t row = 0; row < batch->row_count; row++) {
            int8_t sign = batch->signs[row * batch->tasks + number];
            if (sign) add_to_task(batch, number, row, sign, task);
        }
        return;
    }
    int64_t classes[2] = {batch->first[number], batch->second[number]};
    for (int side = 0; side < 2; side++)
        for (int64_t i = batch->class_starts[classes[side]]; i < batch->class_starts[classes[side] + 1]; i++)
            add_to_task(batch, number, batch->order[i], side ? -1 : 1, task);
}

#endif
