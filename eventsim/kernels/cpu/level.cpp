// The kernels of one instruction set, whose name is LEVEL.
#include "dense/forward.hpp"

#define JOIN_(name, level) name##_##level
#define JOIN(name, level) JOIN_(name, level)

extern "C" int JOIN(dense_forward_float, LEVEL)(const eventsim::Forward<float>* call) {
    return eventsim::dense_forward<eventsim::Floats>(*call);
}

extern "C" int JOIN(dense_forward_double, LEVEL)(const eventsim::Forward<double>* call) {
    return eventsim::dense_forward<eventsim::Doubles>(*call);
}
