// Who may use the API, and who did what. A new key is no create(): its answer, which holds the key, is kept nowhere.
#include <array>

#include "http/route.hpp"

namespace radscheduler::sidecar::http {
namespace {

constexpr std::string_view admin = "admin:*";

constexpr std::array routes{
    read("/api/v1/audit", "audit:read", "api_v1_audit_list"),
    read("/api/v1/users", admin, "api_v1_users_list"),
    create("/api/v1/users", admin, "api_v1_users_create"),
    read("/api/v1/users/{id}", admin, "api_v1_users_get"),
    change("PATCH", "/api/v1/users/{id}", admin, "api_v1_users_patch"),
    read("/api/v1/api-keys", admin, "api_v1_api_keys_list"),
    ask("/api/v1/api-keys", admin, "api_v1_api_keys_create"),
    read("/api/v1/api-keys/{id}", admin, "api_v1_api_keys_get"),
    set("DELETE", "/api/v1/api-keys/{id}", admin, "api_v1_api_keys_revoke"),
};

} // namespace

std::span<const Route> access_routes() {
    return routes;
}

} // namespace radscheduler::sidecar::http
