// What can be booked and when: resources, hours, blocks, procedures; the whole configuration as a document.
#include <array>

#include "http/route.hpp"

namespace radscheduler::sidecar::http {
namespace {

constexpr std::string_view reader = "config:read";
constexpr std::string_view writer = "config:write";

constexpr std::array routes{
    read("/api/v1/resources", reader, "api_v1_resources_list"),
    create("/api/v1/resources", writer, "api_v1_resources_create"),
    read("/api/v1/resources/{id}", reader, "api_v1_resources_get"),
    change("PATCH", "/api/v1/resources/{id}", writer, "api_v1_resources_patch"),
    read("/api/v1/resources/{id}/hours", reader, "api_v1_hours_get"),
    change("PUT", "/api/v1/resources/{id}/hours", writer, "api_v1_hours_put"),
    read("/api/v1/hours", reader, "api_v1_hours_get"),
    change("PUT", "/api/v1/hours", writer, "api_v1_hours_put"),
    read("/api/v1/blocks", "appointments:read", "api_v1_blocks_list"),
    create("/api/v1/blocks", "appointments:write", "api_v1_blocks_create"),
    read("/api/v1/blocks/{id}", "appointments:read", "api_v1_blocks_get"),
    set("DELETE", "/api/v1/blocks/{id}", "appointments:write", "api_v1_blocks_lift"),
    read("/api/v1/procedures", reader, "api_v1_procedures_list"),
    create("/api/v1/procedures", writer, "api_v1_procedures_create"),
    read("/api/v1/procedures/{code}", reader, "api_v1_procedures_get"),
    change("PATCH", "/api/v1/procedures/{code}", writer, "api_v1_procedures_patch"),
    read("/api/v1/configuration", reader, "api_v1_configuration_export"),
    ask("/api/v1/configuration/import", writer, "api_v1_configuration_import"),
};

} // namespace

std::span<const Route> setup_routes() {
    return routes;
}

} // namespace radscheduler::sidecar::http
