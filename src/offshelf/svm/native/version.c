#include "native.h"

/* Which version is the best that this machine can run: 0 any, 1 avx2, 2 avx512. Only the first is safe to ask. */
int64_t best_version(void) {
#if defined(__x86_64__)
    if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma")) return 0;
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                   __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl")
               ? 2
               : 1;
#else
    return 0;
#endif
}

/* An empty module, so that tools that import all of a package do not stumble over the library. It is used by ctypes, and
built without this where Python's headers are missing. */
#if __has_include(<Python.h>)
#define Py_LIMITED_API 0x030b0000
#include <Python.h>

#define JOINED(name, version) name##_##version
#define NAMED(name, version) JOINED(name, version)
#define TEXT(version) #version
#define QUOTED(version) TEXT(version)

static struct PyModuleDef definition = {PyModuleDef_HEAD_INIT, .m_name = "library_" QUOTED(VERSION)};

PyMODINIT_FUNC NAMED(PyInit_library, VERSION)(void) { return PyModuleDef_Init(&definition); }
#endif
