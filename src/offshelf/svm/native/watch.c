/* The link between compiled code and the fit that it works for. */
#include "native.h"

_Thread_local Control *watched;

/* Have this thread report to a control, and obey it, from now on; NULL: to none. */
void watch(Control *control) { watched = control; }
