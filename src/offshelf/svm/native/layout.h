/* The layout of a structure of arguments, which Python's is compared with. */

#ifndef OFFSHELF_LAYOUT_H
#define OFFSHELF_LAYOUT_H

#include <stddef.h>
#include <stdint.h>

/* A field; its kind is `i` for integers, `d` for doubles and `p` for pointers. */
typedef struct {
    const char *name;
    int64_t offset;
    char kind;
} Field;

#define KIND_OF(type, name) _Generic(((type *)0)->name, int64_t: 'i', double: 'd', default: 'p')
#define FIELD_OF(type, name) {#name, offsetof(type, name), KIND_OF(type, name)}

#endif
