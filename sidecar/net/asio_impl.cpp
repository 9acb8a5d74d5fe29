// Compiles the non-template part of Boost.Asio once (BOOST_ASIO_SEPARATE_COMPILATION is set for the whole target).
#include <boost/asio/impl/src.hpp>
