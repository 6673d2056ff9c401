/* The constants of @name@, for flash. */
#include "@name@_tables.h"

@constants@