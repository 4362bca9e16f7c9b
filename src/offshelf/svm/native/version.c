/* The choice of the library that suits the processor. */
#include "native.h"

/* The name of the best version that this processor can run, as in `setup.py`. Only version `any` is safe to ask. */
const char *best_version_name(void) {
#if defined(__x86_64__)
    if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma")) return "any";
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                   __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl")
               ? "avx512"
               : "avx2";
#else
    return "any";
#endif
}

/* An empty Python module, so that tools that import all modules of a package can import the library, too. The solver calls
it through ctypes. Where Python's headers are missing, it is built without the module. */
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
