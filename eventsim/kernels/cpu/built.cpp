// What this library was built of, for build.py, which looks for it in the file, and for people: the
// hash of the sources, the levels, the compiler.
extern "C" __attribute__((visibility("default"))) const char eventsim_built[] = BUILT;
