/* An empty module, so that tools that import all of a package do not stumble over the library. It is used by ctypes, and
built without this where Python's headers are missing. */

#if __has_include(<Python.h>)
#define Py_LIMITED_API 0x030b0000
#include <Python.h>

static struct PyModuleDef definition = {PyModuleDef_HEAD_INIT, .m_name = "library"};

PyMODINIT_FUNC PyInit_library(void) { return PyModuleDef_Init(&definition); }
#endif
