// Build record of this library, for build.py, which looks for it in the file, and for people: the hash
// of the sources, the instruction sets, the compiler.
extern "C" __attribute__((visibility("default"))) const char eventsim_built[] = BUILT;
