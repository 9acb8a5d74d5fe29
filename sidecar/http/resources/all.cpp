// Every route there is, in the order in which they are tried.
#include <array>

#include "http/route.hpp"

namespace radscheduler::sidecar::http {

std::span<const std::span<const Route>> all_routes() {
    static const std::array<std::span<const Route>, 7> files{service_routes(),  guide_routes(), appointment_routes(),
                                                             conflict_routes(), setup_routes(), message_routes(),
                                                             access_routes()};
    return files;
}

} // namespace radscheduler::sidecar::http
